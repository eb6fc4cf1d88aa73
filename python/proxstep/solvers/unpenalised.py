"""Dual points for parameters without a penalty: there the gradient must vanish exactly."""

from __future__ import annotations

import numpy as np

from ..arrays import Array
from ..problems import Evaluation, Problem
from .free_part import FreePart

#: More free parameters than this are certified by the optimality violation instead.
MOST = 128
_BLIND = 1e-6  # share of a gradient that a projection may leave
_ROUNDING = 64  # units of it, in a sum over the samples
_ROUNDS = 4  # of Newton's steps, where they leave the domain


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
    blind to a part of ``A' r``, or no number.
    """
    xp = problem.xp
    square = xp.sum(residual * problem.weights.undo(residual), dtype=xp.float64)
    both = xp.to_host(xp.concat([part.drop(residual), square.reshape(-1)]))
    wanted, rounded = both[:-1], _ROUNDING * problem.eps * np.sqrt(both[-1])  # Cauchy and Schwarz
    bends = part.bends(problem, residual)
    if not (np.isfinite(bends).all() and np.isfinite(both).all()):
        return None
    units = np.sqrt(np.where(bends.diagonal() > 0, bends.diagonal(), 1.0))
    z = np.linalg.lstsq(bends / np.outer(units, units), wanted / units, rcond=None)[0] / units
    left = abs(bends @ z - wanted)
    if not (left <= _BLIND * units * np.linalg.norm(wanted / units) + rounded).all():
        return None
    return problem.hessian_product(residual, part.lift(z))
