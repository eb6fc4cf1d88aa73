"""Times contestants in turns, all in one process: a busy moment hits everybody alike."""

from __future__ import annotations

import statistics
import time
import timeit
from dataclasses import dataclass

import proxstep as ps
from contest import Case, Contestant

try:
    import torch
except ImportError:
    torch = None

# The workers of OpenMP spin for milliseconds after torch's turn and would slow down the next one.
SPINNING_ENDS = 0.02


@dataclass(frozen=True)
class Pace:
    """How long a case may take: whole rounds, at least `rounds`, more until `seconds` are over."""

    rounds: int
    most_rounds: int
    seconds: float
    turn: float  # seconds; shorter calls are repeated within a turn


@dataclass(frozen=True)
class Timing:
    """Seconds a call, over the turns of one contestant."""

    median: float
    minimum: float
    turns: int
    calls: int  # in a turn


def set_threads(n: int) -> None:
    ps.set_num_threads(n)
    if torch is not None:
        torch.set_num_threads(n)


def calls_in_turn(contestant: Contestant, turn: float) -> int:
    """Find how many calls fill a turn; the first call, which may allocate, does not count."""
    with contestant.within():
        contestant.run()
        calls = 1
        while (seconds := timeit.timeit(contestant.run, number=calls)) < turn / 4:
            calls *= 4
    return max(1, round(calls * turn / seconds))


def take_turn(contestant: Contestant, calls: int, pause: float) -> float:
    with contestant.within():
        time.sleep(pause)
        if calls > 1:
            contestant.run()  # wakes threads and fills caches
        return timeit.timeit(contestant.run, number=calls) / calls


def measure(case: Case, threads: int, pace: Pace) -> dict[str, Timing]:
    """Let the contestants take turns; what is compared was measured within one second or so."""
    set_threads(threads)
    pause = SPINNING_ENDS if threads > 1 and not case.serial else 0.0
    calls = {c.name: calls_in_turn(c, pace.turn) for c in case.contestants}
    seconds: dict[str, list[float]] = {c.name: [] for c in case.contestants}
    began = time.perf_counter()
    for turn in range(pace.most_rounds):
        if turn >= pace.rounds and time.perf_counter() - began > pace.seconds:
            break
        for contestant in case.contestants:
            found = take_turn(contestant, calls[contestant.name], pause)
            seconds[contestant.name].append(found)
    return {
        name: Timing(statistics.median(found), min(found), len(found), calls[name])
        for name, found in seconds.items()
    }
