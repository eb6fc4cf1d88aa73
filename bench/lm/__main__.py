"""Losses, zeros, whole-process times and memory of training runs, ours and PyTorch's.

    python bench/lm TEXT                       all rows, seeds 1, 2 and 3; goes on where it was
    python bench/lm TEXT --only "80 %" --seeds 1
    python bench/lm --report                   the Markdown of what has been measured
    python bench/lm TEXT --large --json FILE   10.7 million weights on a GPU, beside nanoGPT

TEXT is tinyshakespeare for the figures of the report. A run is a process of its own with all
processors; what is there already, with the same options, is not run again unless --again is given.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from machine import device_facts, facts
from proxstep.lm.paths import write_atomic

from lm.report import write_report
from lm.rows import ROWS, Row, large_rows

RESULTS = Path(__file__).parents[1] / "results" / "lm_runs.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, nargs="?")
    parser.add_argument("--only", default="", help="part of the names of the rows to run")
    parser.add_argument("--program", default="", help="rows of proxstep or of torch alone")
    parser.add_argument("--seeds", type=lambda text: [int(s) for s in text.split(",")],
                        default=[1, 2, 3])  # fmt: skip
    parser.add_argument("--again", action="store_true", help="run what is there already as well")
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--large", action="store_true", help="the rows for a GPU")
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.large and options.json == RESULTS:
        parser.error("--large needs --json: its results are kept apart")
    if options.text is None and not options.report:
        parser.error("TEXT is needed, or --report")
    found = json.loads(options.json.read_text()) if options.json.exists() else {"runs": []}
    rows = large_rows("cuda") if options.large else ROWS
    if not options.report:
        run_all(options, rows, found)
    write_report(found, rows, options.json.with_suffix(".md"))


def run_all(options: argparse.Namespace, rows: list[Row], found: dict[str, Any]) -> None:
    """Run what is asked, seed by seed, and keep each result at once."""
    found["machine"] = {**facts(), **(device_facts("cuda") if options.large else {})}
    for seed in options.seeds:
        for row in rows:
            there = [r for r in found["runs"] if (r["row"], r["seed"]) == (row.name, seed)]
            current = any(r.get("options") == list(row.options) for r in there)
            asked = options.only in row.name and options.program in ("", row.program)
            if not asked or (current and not options.again):
                continue
            result = run_row(row, options.text.absolute(), seed)
            print(f"{row.name}, seed {seed}: {result}", flush=True)
            found["runs"] = [r for r in found["runs"] if r not in there] + [result]
            write_atomic(options.json, json.dumps(found, indent=1).encode())


def run_row(row: Row, text: Path, seed: int) -> dict[str, Any]:
    """Return loss, zeros, seconds of the whole process and its peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        began = time.perf_counter()
        child = subprocess.Popen(
            row.command(sys.executable, text, out, seed), stdout=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if status:
            raise SystemExit(f"{row.name}: exit code {child.returncode}")
        return {
            "row": row.name, "options": list(row.options), "seed": seed,
            **read_result(row, out), "seconds": round(seconds, 2),
            "peak_mib": round(usage.ru_maxrss / 1024), "load": round(os.getloadavg()[0], 2),
        }  # fmt: skip


def read_result(row: Row, out: Path) -> dict[str, float]:
    if row.program != "proxstep":
        return dict(json.loads((out / "result.json").read_text()))
    last = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
    return {"val_loss": last["val_loss"], "zeros": last["zeros"]}


if __name__ == "__main__":
    main()
