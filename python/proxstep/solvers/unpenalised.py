"""Dual points for parameters without a penalty: there the gradient must vanish exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..problems import Evaluation, Problem

#: More free parameters than this are certified by the optimality violation instead.
MOST = 128
_BLIND = 1e-6  # share of a gradient that a projection may leave
_ROUNDS = 4  # of Newton's steps, where they leave the domain


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

    What leaves the domain of F* is shortened into it, or cut off: free elements that grow without
    end leave samples behind whose residuals are 0 in the limit. Then the rest is moved again.
    None is returned where a Newton step cannot meet the gradient, or the last leaves the domain.
    """
    residual = at.residual
    for _ in range(_ROUNDS):
        shift = _newton_shift(problem, residual, part)
        if shift is None:
            return None
        residual = residual - shift
        inside = problem.domain_factor(residual)
        if inside > 0:
            moved = problem.design.adjoint(at.residual - residual)
            return residual * inside, (gradient - moved) * inside
        residual = problem.into_domain(residual)
    return None


def _newton_shift(problem: Problem, residual: Array, part: FreePart) -> Array | None:
    """Return ``F''(u) A z`` with A the lift and ``A' F''(u) A z = A' r``, for the residual r.

    It is what one Newton step of the free parameters takes off r. None is returned where F'' is
    blind to a part of ``A' r``.
    """
    xp = problem.xp
    units = np.eye(int(np.count_nonzero(part.free)))
    bends = [part.drop(problem.hessian_product(residual, part.lift(e))) for e in units]
    first = part.sizes(residual), part.drop(residual)
    sizes, wanted, *rows = xp.to_host(xp.stack([*first, *bends]))
    z = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    left, size, rounded = (np.linalg.norm(v) for v in (rows @ z - wanted, wanted, sizes))
    if not left <= _BLIND * size + 64 * problem.eps * rounded:
        return None
    return problem.hessian_product(residual, part.lift(z))
