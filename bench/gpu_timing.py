"""Times contestants on a device in turns, by its own clock; on the CPU by the host's."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from contest import Case, Contestant
from timing import Pace, Timing


def _device_seconds(run: Callable[[], object], calls: int) -> float:
    """Seconds between two events around the calls, by the device's clock."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(calls):
        run()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3


def _host_seconds(run: Callable[[], object], calls: int) -> float:
    """Seconds until the host has asked for the calls; the device may still work on them."""
    began = time.perf_counter()
    for _ in range(calls):
        run()
    return time.perf_counter() - began


def _calls_in_turn(contestant: Contestant, clock: Callable[..., float], turn: float) -> int:
    """Find how many calls fill a turn; the first, which may compile, does not count."""
    contestant.run()
    calls = 1
    while (seconds := clock(contestant.run, calls)) < turn / 4:
        calls *= 4
    return max(1, round(calls * turn / seconds))


def measure(case: Case, pace: Pace, device: str) -> dict[str, Timing]:
    """Let the contestants take turns. Serial cases ask what a call costs the host."""
    on_device = device == "cuda" and not case.serial
    clock = _device_seconds if on_device else _host_seconds
    calls = {c.name: _calls_in_turn(c, clock, pace.turn) for c in case.contestants}
    seconds: dict[str, list[float]] = {c.name: [] for c in case.contestants}
    began = time.perf_counter()
    for turn in range(pace.most_rounds):
        if turn >= pace.rounds and time.perf_counter() - began > pace.seconds:
            break
        for c in case.contestants:
            if device == "cuda":
                torch.cuda.synchronize()
            seconds[c.name].append(clock(c.run, calls[c.name]) / calls[c.name])
    return {
        name: Timing(statistics.median(found), min(found), len(found), calls[name])
        for name, found in seconds.items()
    }
