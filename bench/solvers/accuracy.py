"""Time to a suboptimality: fresh fits of one solver, from rough settings to fine ones.

A fit that outlasts its cap ends the process, as nothing else stops native code; what was measured
before has been written by then.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import memory
from .peer import Fit, Peer
from .task import Task, objectives

TARGETS = (1e-4, 1e-6)  # objective above the best known one, over that
ENOUGH = 1.0  # seconds of repeats
REST = 0.01  # seconds in which a process that rests uses less than a tenth of a processor


@dataclass(frozen=True)
class Limits:
    """Seconds for a fit, for all fits, and the most repeats of a fit that reaches a target."""

    cap: float
    budget: float
    repeats: int


Line = dict[str, Any]


def trials(peer: Peer, task: Task, best: Any, limits: Limits) -> Iterator[Line]:
    """Measure until the last target is reached; `best` holds the reference objectives."""
    started, missed = time.perf_counter(), list(TARGETS)
    fit = peer.makers[task.form](task)
    for turn, setting in enumerate(peer.settings[:1] + peer.settings):
        left = limits.budget - (time.perf_counter() - started)
        if left < 0:
            return
        most = min(limits.cap, left)
        yield {"setting": setting, "most_s": most}
        memory.give_back()  # not before repeats: their time would be that of new pages
        rest()
        found = measured(fit, setting, most)
        values = objectives(task, *found.pop("solution"))
        above = float(np.max((values - best) / best))
        found |= {"setting": setting, "suboptimality": above, "first": turn == 0}
        found |= {"objectives": values.tolist()} if np.any(values < best) else {}
        reached = [target for target in missed if above <= target]
        if turn and reached:
            found["seconds"] += repeats(fit, setting, found["seconds"][0], limits)
            missed = [target for target in missed if target not in reached]
        yield found
        if not missed:
            return


def rest() -> None:
    """Wait, two seconds at most, for the threads of BLAS, which spin for long after a check."""
    for _ in range(200):
        before = time.process_time()
        time.sleep(REST)
        if time.process_time() - before < 0.1 * REST:
            return


def measured(fit: Fit, setting: float, most: float) -> Line:
    memory.reset_peak()
    before = memory.resident()
    signal.setitimer(signal.ITIMER_REAL, most)
    began = time.perf_counter()
    solution = fit(setting)
    seconds = time.perf_counter() - began
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    return {"seconds": [seconds], "peak_mib": memory.peak() - before, "solution": solution}


def repeats(fit: Fit, setting: float, seconds: float, limits: Limits) -> list[float]:
    """Return the times of further fits, one right after the other, fewer of long ones."""
    rest()
    count = min(limits.repeats - 1, int(ENOUGH / seconds))
    return [measured(fit, setting, limits.cap)["seconds"][0] for _ in range(count)]
