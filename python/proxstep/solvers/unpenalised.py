"""Dual points for parameters without a penalty: there the gradient must vanish exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..problems import Evaluation, Problem

#: More free parameters than this are certified by the optimality violation instead.
MOST = 128


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

    One Newton step of the free parameters moves the residual r to ``r - F''(u) A z`` with A the
    lift and ``A' F''(u) A z = A' r``. It is shortened into the domain of F*; None is returned
    where that may be impossible.
    """
    xp = problem.xp
    units = np.eye(int(np.count_nonzero(part.free)))
    bends = [part.drop(problem.hessian_product(at.residual, part.lift(e))) for e in units]
    equations = xp.to_host(xp.stack([part.drop(at.residual), *bends]))
    direction = part.lift(np.linalg.lstsq(equations[1:], equations[0], rcond=None)[0])
    shift = problem.hessian_product(at.residual, direction)
    part_of_domain = problem.domain_factor(at.residual - shift, direction)
    if not part_of_domain > 0:
        return None
    moved = at.residual - shift, gradient - problem.design.adjoint(shift)
    return moved[0] * part_of_domain, moved[1] * part_of_domain
