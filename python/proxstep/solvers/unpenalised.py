"""Dual points for parameters without a penalty: there the gradient must vanish exactly."""

from __future__ import annotations

import numpy as np

from ..problems import Evaluation, Problem
from ..problems.inputs import Array

#: More free parameters than this are certified by the optimality violation instead.
MOST = 128


class FreePart:
    """The free elements of x and the intercept, as a small linear map into the margins."""

    def __init__(self, problem: Problem, free: Array) -> None:
        rows = np.flatnonzero(free.reshape(free.shape[0], -1).any(axis=1))
        self.columns = problem.design.columns(rows)
        self.free = free[rows]
        if problem.fit_intercept:
            ones = np.ones((self.columns.shape[0], 1), self.columns.dtype)
            self.columns = np.hstack([self.columns, ones])
            self.free = np.concatenate([self.free, np.ones_like(free[:1])])

    def lift(self, z: Array) -> Array:
        """Return the change of the margins when the free elements change by z."""
        full = np.zeros(self.free.shape, self.columns.dtype)
        full[self.free] = z
        return np.asarray(self.columns @ full)

    def drop(self, residual: Array) -> Array:
        """Return the transpose of `lift`."""
        return np.asarray((self.columns.T @ residual)[self.free], np.float64)


def project(
    problem: Problem, at: Evaluation, gradient: Array, part: FreePart
) -> tuple[Array, Array] | None:
    """Return a residual, and its gradient, that vanishes on the free elements.

    One Newton step of the free parameters moves the residual r to ``r - F''(u) A z`` with A the
    lift and ``A' F''(u) A z = A' r``. The step stays in the domain of F* while ``|A z| <= 1``;
    None is returned beyond.
    """
    units = np.eye(int(np.count_nonzero(part.free)))
    bends = [part.drop(problem.hessian_product(at.residual, part.lift(e))) for e in units]
    z = np.linalg.lstsq(np.array(bends), part.drop(at.residual), rcond=None)[0]
    direction = part.lift(z)
    if not np.abs(direction).max(initial=0.0) <= 1 and problem.bounded_domain:
        return None
    shift = problem.hessian_product(at.residual, direction)
    return at.residual - shift, gradient - problem.design.adjoint(shift)
