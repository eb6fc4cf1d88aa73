"""How far a point is from optimal: a duality gap where there is a dual, else a prox residual.

The duals compute on the host: a check copies one gradient by x there.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np

from ..arrays import Array
from ..problems import Evaluation, Problem
from .duals import Dual, dual_of
from .free_part import FreePart, free_part
from .unpenalised import MOST, project
from .weak import without_weak


class Certificate(Protocol):
    """A number that is 0 at an optimum, and at most tol at convergence."""

    name: str

    def measure(self, at: Evaluation, objective: float, steps: Array | float) -> float:
        """Return the certificate at a point; steps are those of a prox step there."""


class DualityGap:
    """``(objective - best dual value so far) / loss of the null model``.

    Where strengths are weak a second dual, which is without them, gives values, too.
    """

    name = "duality gap"

    def __init__(self, problem: Problem, dual: Dual, weaker: Dual | None = None) -> None:
        self.problem, self.dual = problem, dual
        self.without_weak = None if weaker is None else DualityGap(problem, weaker)
        self.part = free_part(problem, dual.free)
        self.best = problem.least_loss  # penalties with a dual are never negative
        self.value, self.factor = -np.inf, 0.0  # of the last dual point, c r
        self._taken_at: Callable[[], Evaluation | None] = lambda: None

    def measure(self, at: Evaluation, objective: float, steps: Array | float = 1.0) -> float:
        """Return the gap, at least 0; inf outside the penalty's domain."""
        if self._taken_at() is not at:
            self.value, self._taken_at = self._dual_value(at, at.gradient), weakref.ref(at)
            self.best = max(self.best, self.value)
        if self.without_weak is not None:
            self.without_weak.measure(at, objective)
            self.best = max(self.best, self.without_weak.best)
        gap = max(0.0, objective - self.best) / self.problem.scale
        return gap if np.isfinite(objective) else np.inf

    def _dual_value(self, at: Evaluation, gradient: Array) -> float:
        """Return ``-F*(c r) - h*(-c X'r)`` for the largest c <= 1 in the domain."""
        conjugate = partial(self.problem.conjugate_at, at)
        if self.part is not None:
            projected = project(self.problem, at, gradient, self.part)
            if projected is None:
                return -np.inf
            residual, gradient = projected
            conjugate = partial(self.problem.conjugate, residual)
        v = self.problem.xp.to_host(gradient)
        gauge = float(self.dual.gauge(v))
        if not np.isfinite(gauge):
            return -np.inf
        c = self.factor = 1.0 / max(1.0, gauge)
        return -conjugate(c) - float(self.dual.conjugate(c * v))


class Violation:
    """Prox residual ``|(x - prox(x - S g)) / sqrt(S)|`` over ``|sqrt(S) g|`` of the null model.

    Where that gradient is rounding, as y is constant, the root of the problem's scale is its unit.
    """

    name = "optimality violation"

    def __init__(self, problem: Problem, penalty: Any) -> None:
        self.problem, self.penalty = problem, penalty
        self.null_gradient = problem.null.gradient

    def measure(self, at: Evaluation, objective: float, steps: Array | float) -> float:
        """Return the relative residual."""
        moved = self.penalty.prox(at.x - steps * at.gradient, steps)
        xp = self.problem.xp
        roots = xp.sqrt(xp.asarray(steps, xp.float64))
        norms = xp.norm(roots * self.null_gradient), xp.norm((at.x - moved) / roots)
        scale, residual = xp.read(*norms)
        if self.problem.null_is_exact:
            scale = math.sqrt(self.problem.scale)
        return residual / scale if scale > 0 else residual


def certificate_for(problem: Problem, penalty: Any) -> Certificate:
    """Return the gap if the penalty has a dual (and few free elements), else the violation."""
    duals = _duals(problem, penalty)
    few = _with_few_free(duals)
    return DualityGap(problem, *few) if len(few) == len(duals) else Violation(problem, penalty)


def relative_gap(problem: Problem, at: Evaluation, penalty: Any) -> float:
    """Return the duality gap at a point over the loss of the null model."""
    first, *weaker = _duals(problem, penalty)
    if first is None:
        raise TypeError(f"{penalty!r} has no duality gap")
    return DualityGap(problem, first, *_with_few_free(weaker)).measure(
        at, at.loss + penalty.value(at.x)
    )


def parts_of(problem: Problem, penalty: Any) -> list[FreePart | None]:
    """Return what the certificates of like penalties share as long as somebody holds it."""
    return [free_part(problem, dual.free) for dual in _with_few_free(_duals(problem, penalty))]


def _duals(problem: Problem, penalty: Any) -> list[Dual | None]:
    """Return the dual, and that without weak strengths where there are any."""
    relaxed = without_weak(problem, penalty)
    each = [penalty] if relaxed is penalty else [penalty, relaxed]
    return [dual_of(one, problem.shape) for one in each]


def _with_few_free(duals: list[Dual | None]) -> list[Dual]:
    return [d for d in duals if d is not None and np.count_nonzero(d.free) <= MOST]
