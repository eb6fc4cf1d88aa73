"""A fresh process that measures one solver on one case: `python -m solvers.worker ORDER`.

ORDER is a JSON object, see `Order`. Lines of JSON go to a file as they come.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import cases, duality, peers
from .accuracy import Limits, Line, measured, trials
from .data import AbsentData
from .peer import Peer
from .task import Task, objectives

FINEST = 1e-14  # relative duality gap that rounding allows


@dataclass(frozen=True)
class Order:
    """What to measure. Without the best objectives the solver is asked for a reference."""

    case: str
    solver: str
    module: str  # imported first, and timed
    threads: int
    quick: bool
    out: str
    limits: dict[str, Any]
    best: list[float] | None
    data: int | None


def main(text: str) -> None:
    order = Order(**json.loads(text))
    only_cpus(order.threads)
    with Path(order.out).open("w", encoding="utf-8") as out:
        for line in lines(order):
            out.write(json.dumps(line) + "\n")
            out.flush()


def only_cpus(count: int) -> None:
    """Whatever pool a solver brings, it has these processors only."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def lines(order: Order) -> Iterator[Line]:
    case = next(case for case in cases.plan(order.quick) if case.name == order.case)
    yield {"import_s": import_seconds(order.module)}
    peer = peers.find(order.solver)
    try:
        task = case.task()
    except AbsentData as reason:
        yield {"absent": str(reason)}
        return
    sizes = {"x_mib": task.bytes / 2**20, "w_mib": task.solution_bytes / 2**20}
    yield {"data": checksum(task)} | sizes
    warnings.simplefilter("ignore")  # of fits that are rough because they were asked to be
    if order.best is None:
        yield from reference(peer, task, Limits(**order.limits))
    elif order.data != checksum(task):
        yield {"error": "these are not the data of the reference"}
    else:
        yield from trials(peer, task, np.array(order.best), Limits(**order.limits))


def import_seconds(module: str) -> float:
    began = time.perf_counter()
    importlib.import_module(module)
    return time.perf_counter() - began


def checksum(task: Task) -> int:
    data = task.X if isinstance(task.X, np.ndarray) else task.X.data
    return zlib.crc32(np.ascontiguousarray(task.y), zlib.crc32(data.ravel(order="K")))


def reference(peer: Peer, task: Task, limits: Limits) -> Iterator[Line]:
    """Fit finer and finer, with the objectives and the duality gap of each."""
    fit, started = peer.makers[task.form](task), time.perf_counter()
    for setting in peer.settings[5::2]:
        left = limits.budget - (time.perf_counter() - started)
        if left < 0:
            return
        found = measured(fit, setting, left)
        w, b = found["solution"]
        values, gap = objectives(task, w, b).tolist(), duality.gap(task, np.asarray(w), b)
        yield {"setting": setting, "objectives": values, "gap": gap}
        if gap <= FINEST:
            return


if __name__ == "__main__":
    main(sys.argv[1])
