"""Compare the steps with NumPy and PyTorch, side by side in one run.

    python bench/report.py                      about five minutes, 4 GB of memory
    python bench/report.py --quick              small sizes, half a minute; not for quoting
    python bench/report.py --json FILE --markdown FILE

Contestants of a case share their arrays and take turns. Ratios compare medians, with those of the
minima beside them. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import proxstep as ps
from call_cases import many_arrays, soft_threshold_call, step_call
from contest import Case
from machine import cpu_count, facts
from step_cases import adam, fista, momentum, sgd, soft_threshold, torch_peers
from tables import COLUMNS, Record, head, markdown, record, text
from timing import Pace, measure, set_threads
from variant_cases import (
    bfloat16,
    bfloat16_moments,
    groups,
    instruction_sets,
    masters,
    statistics,
)

QUICK = Pace(rounds=3, most_rounds=15, seconds=0.2, turn=0.004)
FULL = Pace(rounds=9, most_rounds=41, seconds=4.0, turn=0.02)


def plan(quick: bool) -> list[Callable[[], Case]]:
    """The cases, each made only when it is its turn: the largest take 2 GB."""
    n = 10**6 if quick else 10**7
    side = 1024 if quick else 4096
    cases = [soft_threshold_call, step_call, many_arrays]
    cases += [partial(adam, size) for size in ([n] if quick else [10**6, 10**7, 10**8])]
    cases += [partial(make, n) for make in (fista, momentum, sgd)]
    cases += [partial(soft_threshold, 10 * n), partial(groups, side, side)]
    cases += [partial(bfloat16, n)] if torch_peers else []
    cases += [partial(bfloat16_moments, n), partial(masters, n)]
    cases += [partial(adam, n, float), partial(statistics, n)]
    return [*cases, *(partial(instruction_sets, size) for size in (10**4, n))]


def run(cases: Iterable[Callable[[], Case]], counts: Iterable[int], pace: Pace) -> Iterable[Record]:
    """Measure case after case at each thread count; memory is given back in between."""
    for make in cases:
        case = make()
        for threads in (1,) if case.serial else counts:
            yield record(case, threads, measure(case, threads, pace))
        del case
        gc.collect()


def parse(arguments: list[str], about: str = __doc__) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, half a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write tables")
    return parser.parse_args(arguments)


def write(report: Record, options: argparse.Namespace) -> None:
    for path, content in (
        (options.json, json.dumps(report, indent=1) + "\n"),
        (options.markdown, markdown(report)),
    ):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")


def publish(own: Record, found: Iterable[Record], options: argparse.Namespace) -> None:
    """Print records as they come, under the facts, and write what was asked for."""
    report: Record = {"facts": own, "records": []}
    print(head(own), flush=True)
    if os.getloadavg()[0] > 0.5:
        print("The machine is busy: these figures are not for quoting.", flush=True)
    began, before = time.perf_counter(), ps.get_num_threads()
    for one in found:
        report["records"].append(one)
        print("\n" + text(one), flush=True)
    set_threads(before)
    own["seconds"] = round(time.perf_counter() - began)
    print(f"\n{COLUMNS}\n{own['seconds']} s")
    write(report, options)


def main(arguments: list[str]) -> None:
    options = parse(arguments)
    own = {**facts(), "command": " ".join(["python", "bench/report.py", *arguments])}
    counts, pace = sorted({1, cpu_count()}), QUICK if options.quick else FULL
    publish(own, run(plan(options.quick), counts, pace), options)


if __name__ == "__main__":
    main(sys.argv[1:])
