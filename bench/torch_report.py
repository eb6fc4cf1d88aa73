"""Compare whole steps of `ProxAdamW` with torch's AdamW on the parameters of three GPTs.

    python bench/torch_report.py                  about three minutes, 7 GB of memory
    python bench/torch_report.py --quick          small models, half a minute; not for quoting
    python bench/torch_report.py --json FILE --markdown FILE

Contestants of a case share parameters, gradients and moments, and take turns. With torchao
(group `bench` of pyproject.toml) its PAT and PARQ take part, last and in few turns: they are slow.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from importlib import metadata

import optimizer_cases
import torchao_cases
from contest import Case
from gpt_models import LARGE, MEDIUM, SMALL, TINY
from machine import cpu_count, facts
from report import FULL, QUICK, parse, publish, run
from tables import Record
from timing import Pace

FEW = Pace(rounds=3, most_rounds=5, seconds=4.0, turn=0.02)


def plan(quick: bool) -> list[tuple[Callable[[], Case], Pace]]:
    """The cases and how long each may take; each is made only when it is its turn."""
    models = [TINY, SMALL] if quick else [SMALL, MEDIUM, LARGE]
    pace, few = (QUICK, QUICK) if quick else (FULL, FEW)
    cases = [(partial(optimizer_cases.steps, gpt), pace) for gpt in models]
    return cases + [(partial(torchao_cases.steps, gpt), few) for gpt in models]


def own_facts(arguments: list[str]) -> Record:
    found = facts()
    found["versions"]["torchao"] = torchao_version()
    return {**found, "command": " ".join(["python", "bench/torch_report.py", *arguments])}


def torchao_version() -> str:
    try:
        return metadata.version("torchao")
    except metadata.PackageNotFoundError:
        return "absent"


def records(quick: bool) -> Iterable[Record]:
    for make, pace in plan(quick):
        yield from run([make], sorted({1, cpu_count()}), pace)


def main(arguments: list[str]) -> None:
    options = parse(arguments, __doc__)
    publish(own_facts(arguments), records(options.quick), options)


if __name__ == "__main__":
    main(sys.argv[1:])
