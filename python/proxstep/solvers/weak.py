"""Strengths that the rounding of gradients hides: for a certificate they are as good as none.

A dual point must meet a strength lam to the last digit of ``X' r``. Where lam is no larger than
the rounding of that, no computed point does; but one of the penalty without lam bounds the same
objective from below, and nearly as well.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .. import groups, penalties
from ..problems import Problem

_UNITS = 2.0**13  # of rounding, in a gradient
#: Strengths of |x| are of order 1, those of x^2 / 2, which divide a squared gradient, of order 2.
_ORDERS: dict[type, dict[str, int]] = {
    penalties.L1: {"lam": 1},
    penalties.NonNegativeL1: {"lam": 1},
    penalties.ElasticNet: {"l1": 1, "l2": 2},
    penalties.SquaredL2: {"lam": 2},
    groups.SparseGroup: {"l1": 1, "lam": 1},
}


def without_weak(problem: Problem, penalty: Any) -> Any:
    """Return the penalty with 0 for each weak strength; itself where none is weak."""
    if isinstance(penalty, groups.Group):
        inner = _without(problem, penalty.penalty, penalty.group_weights)
        return penalty if inner is penalty.penalty else replace(penalty, penalty=inner)
    return _without(problem, penalty, getattr(penalty, "weights", None))


def _without(problem: Problem, penalty: Any, weights: Any) -> Any:
    strengths = {name: getattr(penalty, name) for name in _ORDERS.get(type(penalty), ())}
    if not any(strengths.values()):
        return penalty
    weak = {
        name: 0.0
        for name, strength in strengths.items()
        if 0 < strength * _largest(weights) <= _limit(problem.double, _ORDERS[type(penalty)][name])
    }
    return replace(penalty, **weak) if weak else penalty


def _limit(problem: Problem, order: int) -> float:
    share = (_UNITS * problem.eps) ** order
    if order == 1:
        return share * problem.steepest
    return share * float(problem.design.scales.max(initial=0.0))


def _largest(weights: Any) -> float:
    """Return the largest weight that does not pin."""
    if weights is None:
        return 1.0
    w = np.asarray(weights, np.float64)
    return float(w.max(initial=0.0, where=np.isfinite(w)))
