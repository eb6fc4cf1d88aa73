"""Columns of a sparse X that are certainly zero at the optimum leave before anything is solved.

In the domain of F* no sample's residual exceeds its share w_i times a bound R. So the gradient of
column j is at most ``R sum_i w_i |x_ij|``, whatever the point: where that stays below the strength,
x_j = 0. It is 0 where a column has no entries, and small where it has few (words that hardly any
text has). In a certificate these columns count for nothing: that of the rest is that of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import Array
from ..groups import Group
from ..penalties import NonNegativeL1, Penalty
from ..problems import Problem
from ..problems.inputs import is_sparse
from .duals import strengths_of
from .result import Result
from .unpenalised import MOST

_ROUNDING = 1 + 1e-9  # of a bound
_LEAST_SQUARE = 1e-300  # of the largest column: below it, problems are refused as they are
_HELD = 4  # arrays of x's size that a run holds: x and its gradient, at two points


@dataclass(frozen=True)
class Reduction:
    """A problem and its penalty over some of the columns."""

    problem: Problem
    penalty: Any
    columns: Array  # numbers of those that are left
    shape: tuple[int, ...]  # of the whole x

    def whole(self, result: Result) -> Result:
        """Return a result for all columns."""
        x = np.zeros(self.shape, result.x.dtype)
        x[self.columns] = result.x
        return replace(result, x=x)


def reduction_of(problem: Problem, penalty: Any, start: Array | None) -> Reduction | None:
    """Return what to solve instead, or None where no memory is won; start is None for zeros."""
    limits = _limits(problem, penalty)
    if limits is None:
        return None
    scales = problem.design.scales
    if not scales.max(initial=0.0) > _LEAST_SQUARE:
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        harmless = limits / (problem.largest_residuals[isinstance(penalty, Group)] * _ROUNDING)
        left = ~((_squared_sums(problem) <= harmless**2) & (limits > 0))
    left[np.argmax(scales)] = True  # the unit of steps
    if start is not None:
        left |= np.any(start.reshape(len(start), -1) != 0, axis=1)
    if not _saves(problem, left):
        return None
    columns = np.flatnonzero(left)
    return Reduction(
        problem.restricted(columns), restricted(penalty, columns), columns, problem.shape
    )


def _limits(problem: Problem, penalty: Any) -> Array | None:
    """Return the least strength in each row of x, where zeros may be known from it."""
    by_rows = isinstance(penalty, Group) and penalty.over == "rows"
    strengths = strengths_of(penalty) if by_rows or not isinstance(penalty, Group) else None
    if strengths is None or not is_sparse(problem.X) or not problem.xp.is_on_host:
        return None
    l1 = strengths[0]
    free = np.count_nonzero(l1 == 0)
    if free > MOST or (free and isinstance(penalty, NonNegativeL1)):
        return None  # certified by a violation, that of the null model being its unit
    return l1.min(axis=1) if l1.ndim == 2 else l1


def _squared_sums(problem: Problem) -> Array:
    """Return bounds on ``(sum_i w_i |x_ij|)^2`` by the columns' squares (Cauchy and Schwarz)."""
    design, shares = problem.design, problem.weights.exact
    largest = 1.0 / problem.weights.n if shares is None else float(shares.max())
    present = np.minimum(1.0, largest * design.stored)
    return np.asarray((design.scales + design.means**2) * present)


def _saves(problem: Problem, left: Array) -> bool:
    """Whether the entries that are left, copied, take less memory than the rows of x that go."""
    X = problem.X
    entries = int(problem.design.stored[left].sum())
    copied = entries * (X.data.itemsize + X.indices.itemsize)
    outputs = problem.shape[1] if len(problem.shape) == 2 else 1
    return bool(copied < _HELD * 8 * outputs * np.count_nonzero(~left))


def restricted(penalty: Penalty, columns: Array) -> Penalty:
    """Return the penalty of some rows of x."""
    name = "group_weights" if isinstance(penalty, Group) else "weights"
    weights = getattr(penalty, name)
    return penalty if weights is None else replace(penalty, **{name: weights[columns]})
