"""What solvers refuse, and in which words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import Array
from ..checks import count, nearest, non_negative, positive
from ..penalties import ElementwisePenalty
from ..problems import Problem
from .monitor import Limits

_SOLVERS = ("auto", "cd", "fista")
_LEAST_SQUARE = 1e-304  # whose inverse is far from overflow
#: Its root: numbers below have no squares.
LEAST = 1e-152


def check(problem: Any, solver: str) -> None:
    """Refuse what is no problem, and solvers that are not known."""
    if not isinstance(problem, Problem):
        raise TypeError(f"problem is {problem!r}; a problem such as LeastSquares(X, y) is needed")
    if solver not in _SOLVERS:
        raise ValueError(f"solver is {solver!r}; {nearest(str(solver), _SOLVERS)}")


def checked_limits(tol: float, max_iter: int, max_time: float | None) -> Limits:
    """Return the tolerance and the budgets of a run."""
    non_negative("tol", tol)
    count("max_iter", max_iter)
    if max_time is not None:
        positive("max_time", max_time)
    return Limits(tol, max_iter, max_time)


def check_fit(problem: Problem, penalty: Any, start: Array | None) -> None:
    """Refuse weights and groups that do not fit x, in the core's words."""
    if isinstance(penalty, ElementwisePenalty) and getattr(penalty, "weights", None) is None:
        return  # fits any x, of which no array is needed
    penalty.value(problem.start(None) if start is None else start)


def check_start(problem: Problem, start: Array | None) -> None:
    """Refuse a start from which no step leads back: where an exponential overflows."""
    if math.isfinite(problem.curvature) or start is None or not problem.xp.is_any(start != 0):
        return
    double = problem.double
    with np.errstate(over="ignore", invalid="ignore"):
        loss = double.evaluate(double.xp.asarray(start, double.xp.float64)).loss
    if not math.isfinite(loss):
        raise ValueError(f"the loss is {loss} at x0; start nearer to 0")


@np.errstate(over="ignore", invalid="ignore")
def check_scale(problem: Problem) -> None:
    """Refuse numbers whose squares overflow, or vanish."""
    problem = problem.double
    design = problem.design.unscaled
    largest = float(design.scales.max(initial=0.0))
    found = (
        f"the loss at x = 0 is {problem.null.loss:g}, the largest mean square of a column of X "
        f"{largest:g}"
    )
    if not (np.isfinite(largest) and np.isfinite(problem.scale)):
        raise ValueError(f"the squares overflow: {found}; bring X and y to smaller scales")
    vanish = largest < _LEAST_SQUARE and design.largest_deviation() > 0
    if vanish or _loss_vanishes(problem):
        raise ValueError(f"the squares vanish: {found}; bring X and y to larger scales")


def _loss_vanishes(problem: Problem) -> bool:
    """Whether it is 0, or nearly, because it is the square of residuals that are not."""
    if problem.null.loss >= _LEAST_SQUARE:
        return False
    residual = problem.xp.to_host(abs(problem.null.residual))
    return bool(0 < residual.max() < LEAST)
