"""Starts workers and reads what they wrote, also those that were stopped at their cap."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from .accuracy import Line
from .worker import Order

FOLDER = Path(__file__).parents[1]
POOLS = ("OMP", "OPENBLAS", "MKL", "NUMBA", "BLIS")


def run(order: Order) -> list[Line]:
    """Return the lines of a worker; what it said of an error comes last."""
    command = [sys.executable, "-m", "solvers.worker", json.dumps(asdict(order))]
    limits = {f"{pool}_NUM_THREADS": str(order.threads) for pool in POOLS}
    path = os.pathsep.join(filter(None, [str(FOLDER), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command, env={**os.environ, **limits, "PYTHONPATH": path}, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    written = Path(order.out).read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in written]
    if done.returncode > 0:
        last = done.stderr.strip().splitlines()[-1:]
        found.append({"error": " ".join(last) or f"exit code {done.returncode}"})
    return found


def scratch_file() -> Path:
    """Return a new empty file for a worker; the caller removes it."""
    handle, name = tempfile.mkstemp(suffix=".jsonl")
    os.close(handle)
    return Path(name)
