"""The search for the strength lam that gives a share of zeros: secants within a bracket.

The share is nearly a straight line in ``log lam`` against ``logit(zeros)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

TRIES = 12
SLOPE = 1.2  # of the logit over log lam, as seen on these networks; where there is one point only
LONGEST = math.log(3)

Found = TypeVar("Found")
Point = tuple[float, float]  # log lam, logit of the zeros


def tolerance(target: float) -> float:
    """One point, and at most a tenth of the nonzeros: half a point at 95 % zeros."""
    return min(0.01, 0.1 * (1.0 - target))


def logit(share: float) -> float:
    share = min(max(share, 1e-3), 1.0 - 1e-3)
    return math.log(share / (1.0 - share))


def search(
    run: Callable[[float], Found], zeros: Callable[[Found], float], target: float, lam: float
) -> tuple[float, Found]:
    """Return lam and the run with the share of zeros nearest to the target."""
    tried: list[tuple[float, Found]] = []
    points: list[Point] = []
    for _ in range(TRIES):
        tried.append((lam, run(lam)))
        reached = zeros(tried[-1][1])
        if abs(reached - target) <= tolerance(target):
            break
        points.append((math.log(lam), logit(reached)))
        lam = math.exp(next_point(points, logit(target)))
    return min(tried, key=lambda found: abs(zeros(found[1]) - target))


def next_point(points: list[Point], target: float) -> float:
    below = max((p for p in points if p[1] < target), default=None)
    above = min((p for p in points if p[1] >= target), default=None)
    if below is None or above is None:
        at, reached = points[-1]
        step = (target - reached) / SLOPE
        return at + math.copysign(min(abs(step), LONGEST), step)
    share = (target - below[1]) / (above[1] - below[1])
    share = min(max(share, 0.1), 0.9)  # a bracket shrinks by a tenth at least
    return below[0] + share * (above[0] - below[0])
