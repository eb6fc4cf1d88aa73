"""The intercept that minimises the loss for given margins: Newton steps that cannot run away.

The intercept is a number, or one a class, on the host; the margins are summed where they lie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Array

if TYPE_CHECKING:
    from .base import Problem
    from .softmax import Softmax

_MAX_STEPS = 60
_MAX_HALVINGS = 200  # a flat slope between kinks leaves bisection only
_SUM_TO_ZERO = 64  # units of rounding that the residual may sum to


def fit_scalar(problem: Problem, linear: Array, start: Any) -> tuple[Any, float, Array]:
    """Return offset, loss and residual at the root of the (increasing) derivative.

    A Newton step is kept inside the bracket found so far; while one side is open its length is
    capped by a bound that doubles, so that saturated margins are crossed quickly.
    """
    ones = problem.xp.ones(linear.shape, linear.dtype)
    eps, (margin, total) = problem.xp.eps(linear.dtype), problem.fit_units
    b, low, high, cap = float(start), -np.inf, np.inf, margin
    for _ in range(_MAX_HALVINGS):
        loss, residual = problem._pointwise(linear + b)
        slope = _total(problem, residual)
        if not abs(slope) > _SUM_TO_ZERO * eps * total:  # NaN ends here, too
            break
        low, high = (b, high) if slope < 0 else (low, b)
        bend = _total(problem, problem.hessian_product(residual, ones))
        step = min(max(-slope / max(bend, 1e-300), -cap), cap)
        cap *= 2.0
        if abs(step) <= eps * (margin + abs(b)):
            break
        b = b + step if low < b + step < high else 0.5 * (low + high)
    return np.asarray(b), loss, residual


def _total(problem: Problem, values: Array) -> float:
    xp = problem.xp
    return xp.read(xp.sum(values, dtype=xp.float64))[0]


def fit_vector(problem: Softmax, linear: Array, start: Any) -> tuple[Any, float, Array]:
    """Return offsets, loss and residual where the residual of each class sums to zero.

    Newton's step where it lowers the loss; otherwise iterative scaling, ``b += log(t / p)``,
    which always lowers it (Darroch and Ratcliff 1972) for class shares t and p.
    """
    xp = problem.xp
    eps = xp.eps(linear.dtype)
    b = np.array(start, np.float64)
    loss, residual = problem._pointwise(problem.shifted(linear, b))
    for _ in range(_MAX_STEPS):
        slope = xp.to_host(xp.total(residual))
        if not np.abs(slope).max() > _SUM_TO_ZERO * eps:
            break
        step = _newton_step(problem, residual, slope)
        if np.abs(step).max() <= eps * (1.0 + np.abs(b).max()):
            break
        new = problem._pointwise(problem.shifted(linear, b + step))
        if not new[0] <= loss + 4 * eps * abs(loss):
            step = _scaling_step(problem, slope)
            new = problem._pointwise(problem.shifted(linear, b + step))
        b += step
        loss, residual = new
    return b, loss, residual


def _newton_step(problem: Softmax, residual: Array, slope: Any) -> Any:
    """Solve ``(H + 1 1'/k) step = -slope``; H itself is blind to a shift of all classes."""
    k = slope.size
    bend = problem.offset_hessian(residual) + 1.0 / k
    ridge = np.finfo(np.float64).eps * float(np.trace(bend))
    return np.linalg.solve(bend + ridge * np.eye(k), -slope)


def _scaling_step(problem: Softmax, slope: Any) -> Any:
    share = problem.class_shares
    return np.log(share / np.maximum(share + slope, 1e-300))
