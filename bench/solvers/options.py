"""The arguments of the report."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .accuracy import Limits
from .cases import Case, plan

RESULTS = Path(__file__).parents[1] / "results"


def parse(arguments: list[str], about: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python bench/solvers", description=about)
    add = parser.add_argument
    add("--quick", action="store_true", help="tiny cases; writes only where told")
    add("--only", action="append", metavar="TEXT", help="cases whose name begins so")
    add("--solver", action="append", metavar="NAME", help="these solvers")
    add("--threads", action="append", type=int, metavar="N", help="thread counts, by default 1, 2")
    add("--cap", type=float, default=60.0, metavar="S", help="most seconds for a fit")
    add("--budget", type=float, default=110.0, metavar="S", help="most seconds for a solver")
    add("--repeats", type=int, default=15, metavar="N", help="most repeats of a fit")
    add("--missing", action="store_true", help="measure only what the results lack")
    add("--references", action="store_true", help="only look for better references")
    add("--json", type=Path, metavar="FILE", help="all figures")
    add("--markdown", type=Path, metavar="FILE", help="tables")
    return _complete(parser.parse_args(arguments))


def _complete(options: argparse.Namespace) -> argparse.Namespace:
    options.threads = options.threads or ([1] if options.quick else [1, 2])
    if not options.quick:
        options.json = options.json or RESULTS / "solvers.json"
        options.markdown = options.markdown or RESULTS / "solvers.md"
    return options


def chosen(options: argparse.Namespace) -> list[Case]:
    beginnings = tuple(options.only or [""])
    return [case for case in plan(options.quick) if case.name.startswith(beginnings)]


def limits(options: argparse.Namespace) -> dict[str, Any]:
    return asdict(Limits(options.cap, options.budget, options.repeats))
