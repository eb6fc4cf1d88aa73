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
        return self._chosen(self.columns.T @ residual)

    def sizes(self, residual: Array) -> Array:
        """Return the sums of absolute values of which `drop` takes the sums."""
        return self._chosen(abs(self.columns).T @ abs(residual))

    def _chosen(self, products: Array) -> Array:
        return self.xp.asarray(products.reshape(-1)[self._index], self.xp.float64)


def project(
    problem: Problem, at: Evaluation, gradient: Array, part: FreePart
) -> tuple[Array, Array] | None:
    """Return a residual, and its gradient, that vanishes on the free elements.

    One Newton step of the free parameters moves the residual r to ``r - F''(u) A z`` with A the
    lift and ``A' F''(u) A z = A' r``. What leaves the domain of F* is shortened into it. None is
    returned where that may be impossible, or F'' is blind to a part of ``A' r``.
    """
    xp = problem.xp
    units = np.eye(int(np.count_nonzero(part.free)))
    bends = [part.drop(problem.hessian_product(at.residual, part.lift(e))) for e in units]
    first = part.sizes(at.residual), part.drop(at.residual)
    sizes, wanted, *rows = xp.to_host(xp.stack([*first, *bends]))
    z = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    left, size, rounded = (np.linalg.norm(v) for v in (rows @ z - wanted, wanted, sizes))
    if not left <= _BLIND * size + 64 * problem.eps * rounded:
        return None
    direction = part.lift(z)
    shift = problem.hessian_product(at.residual, direction)
    residual = at.residual - shift
    inside = problem.domain_factor(residual, direction)
    if not inside > 0:
        return None
    return residual * inside, (gradient - problem.design.adjoint(shift)) * inside
