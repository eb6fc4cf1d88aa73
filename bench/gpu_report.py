"""Compare the steps with PyTorch on a GPU, side by side in one run.

    python bench/gpu_report.py                       about two minutes, 6 GB of device memory
    python bench/gpu_report.py --json FILE --markdown FILE
    python bench/gpu_report.py --device cpu --quick  tries the report where there is no GPU

Contestants share their arrays and take turns; times are the device's own, but of the calls. Files
are written after every case; one that fails is told, and the others go on.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from contest import Case
from gpu_cases import plan
from gpu_timing import measure
from machine import device_facts, facts
from report import Record, write
from tables import COLUMNS, head, record, text
from timing import Pace

QUICK = Pace(rounds=3, most_rounds=9, seconds=0.2, turn=0.004)
FULL = Pace(rounds=11, most_rounds=41, seconds=4.0, turn=0.02)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="small sizes; not for quoting")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write tables")
    return parser.parse_args(arguments)


def measured(make: Callable[[], Case], options: argparse.Namespace) -> Record | None:
    """The case's record, None where it fails: what others found is not lost."""
    try:
        case = make()
        return record(case, 1, measure(case, QUICK if options.quick else FULL, options.device))
    except Exception:  # memory, a driver, a peer
        traceback.print_exc()
        return None
    finally:
        gc.collect()


def main(arguments: list[str]) -> None:
    options = parse(arguments)
    command = " ".join(["python", "bench/gpu_report.py", *arguments])
    own = {**facts(), **device_facts(options.device), "command": command}
    report: Record = {"facts": own, "records": []}
    print(head(own) + f"; {own['device']}", flush=True)
    began, cases = time.perf_counter(), plan(options.quick, options.device)
    for make in cases:
        if found := measured(make, options):
            report["records"].append(found)
            print("\n" + text(found), flush=True)
        own["seconds"] = round(time.perf_counter() - began)
        write(report, options)
    print(f"\n{COLUMNS}\n{own['seconds']} s")
    if failed := len(cases) - len(report["records"]):
        sys.exit(f"{failed} of {len(cases)} cases failed")


if __name__ == "__main__":
    main(sys.argv[1:])
