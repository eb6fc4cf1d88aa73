"""The intercept that minimises the loss for given margins: Newton steps that cannot run away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .inputs import Array

if TYPE_CHECKING:
    from .base import Problem
    from .softmax import Softmax

_MAX_STEPS = 60
_SUM_TO_ZERO = 64  # units of rounding that the residual may sum to


def fit_scalar(problem: Problem, linear: Array, start: Array) -> tuple[Array, float, Array]:
    """Return offset, loss and residual at the root of the (increasing) derivative.

    A Newton step is kept inside the bracket found so far; while one side is open its length is
    capped by a bound that doubles, so that saturated margins are crossed quickly.
    """
    ones = np.ones_like(linear)
    eps = float(np.finfo(linear.dtype).eps)
    b, low, high, cap = float(start), -np.inf, np.inf, 1.0
    for _ in range(_MAX_STEPS):
        loss, residual = problem._pointwise(linear + linear.dtype.type(b))
        slope = float(residual.sum(dtype=np.float64))
        if not abs(slope) > _SUM_TO_ZERO * eps:  # NaN ends here, too
            break
        low, high = (b, high) if slope < 0 else (low, b)
        bend = float(problem.hessian_product(residual, ones).sum(dtype=np.float64))
        step = min(max(-slope / max(bend, 1e-300), -cap), cap)
        cap *= 2.0
        if abs(step) <= eps * (1.0 + abs(b)):
            break
        b = b + step if low < b + step < high else 0.5 * (low + high)
    return np.asarray(b), loss, residual


def fit_vector(problem: Softmax, linear: Array, start: Array) -> tuple[Array, float, Array]:
    """Return offsets, loss and residual where the residual of each class sums to zero.

    Newton's step where it lowers the loss; otherwise iterative scaling, ``b += log(t / p)``,
    which always lowers it (Darroch and Ratcliff 1972) for class shares t and p.
    """
    eps = float(np.finfo(linear.dtype).eps)
    ones = np.ones(linear.shape[0], linear.dtype)
    b = np.array(start, np.float64)
    loss, residual = problem._pointwise(linear + b.astype(linear.dtype))
    for _ in range(_MAX_STEPS):
        slope = (ones @ residual).astype(np.float64)
        if not np.abs(slope).max() > _SUM_TO_ZERO * eps:
            break
        step = _newton_step(problem, residual, slope)
        if np.abs(step).max() <= eps * (1.0 + np.abs(b).max()):
            break
        new = problem._pointwise(linear + (b + step).astype(linear.dtype))
        if not new[0] <= loss + 4 * eps * abs(loss):
            step = _scaling_step(problem, slope)
            new = problem._pointwise(linear + (b + step).astype(linear.dtype))
        b += step
        loss, residual = new
    return b, loss, residual


def _newton_step(problem: Softmax, residual: Array, slope: Array) -> Array:
    """Solve ``(H + 1 1'/k) step = -slope``; H itself is blind to a shift of all classes."""
    k = slope.size
    bend = problem.offset_hessian(residual) + 1.0 / k
    ridge = np.finfo(np.float64).eps * float(np.trace(bend))
    return np.asarray(np.linalg.solve(bend + ridge * np.eye(k), -slope))


def _scaling_step(problem: Softmax, slope: Array) -> Array:
    share = problem.class_shares
    return np.asarray(np.log(share / np.maximum(share + slope, 1e-300)))
