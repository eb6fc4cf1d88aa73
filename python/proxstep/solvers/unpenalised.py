"""Dual points for parameters without a penalty: there the gradient must vanish exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..problems import Evaluation, Problem

#: More free parameters than this are certified by the optimality violation instead.
MOST = 128
_BLIND = 1e-6  # share of a gradient that a projection may leave


class FreePart:
    """The free elements of x and the intercept, as a small linear map into the margins.

    The elements are few and lie on the host, the margins where X lies.
    """

    def __init__(self, problem: Problem, free: Any) -> None:
        self.xp = problem.xp
        rows = np.flatnonzero(free.reshape(free.shape[0], -1).any(axis=1))
        self.columns = problem.design.columns(self.xp.asarray(rows, self.xp.int64))
        self.free = free[rows]
        if problem.fit_intercept:
            ones = self.xp.ones((self.columns.shape[0], 1), self.columns.dtype)
            self.columns = self.xp.concat([self.columns, ones], axis=1)
            self.free = np.concatenate([self.free, np.ones_like(free[:1])])
        self._index = self.xp.asarray(np.flatnonzero(self.free), self.xp.int64)

    def lift(self, z: Any) -> Array:
        """Return the change of the margins when the free elements change by z."""
        full = np.zeros(self.free.shape)
        full[self.free] = z
        return self.columns @ self.xp.asarray(full, self.columns.dtype)

    def drop(self, residual: Array) -> Array:
        """Return the transpose of `lift`, float64, where X lies."""
        chosen = (self.columns.T @ residual).reshape(-1)[self._index]
        return self.xp.asarray(chosen, self.xp.float64)


def project(
    problem: Problem, at: Evaluation, gradient: Array, part: FreePart
) -> tuple[Array, Array] | None:
    """Return a residual, and its gradient, that vanishes on the free elements.

    One Newton step of the free parameters moves the residual r to ``r - H A z`` with A the lift,
    H the second derivative or nearly that, and ``A' H A z = A' r``. What leaves the domain of F*
    is shortened into it. None is returned where that may be impossible, or H is blind to a part
    of ``A' r``.
    """
    xp = problem.xp
    units = np.eye(int(np.count_nonzero(part.free)))
    bends = [part.drop(problem.projection_product(at.residual, part.lift(e))) for e in units]
    wanted, *rows = xp.to_host(xp.stack([part.drop(at.residual), *bends]))
    z = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    if not np.linalg.norm(rows @ z - wanted) <= _BLIND * np.linalg.norm(wanted):
        return None
    direction = part.lift(z)
    shift = problem.projection_product(at.residual, direction)
    residual = at.residual - shift
    inside = problem.domain_factor(residual, direction)
    if not inside > 0:
        return None
    return residual * inside, (gradient - problem.design.adjoint(shift)) * inside
