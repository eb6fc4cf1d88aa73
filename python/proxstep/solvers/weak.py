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

_SHARE = 2.0**13 * float(np.finfo(np.float64).eps)  # of a slope, that may be rounding
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
    if not _strengths(getattr(penalty, "penalty", penalty)):
        return penalty
    double = problem.double
    return without_weaker(penalty, double.null_slope, float(double.design.scales.max(initial=0.0)))


def without_weaker(penalty: Any, null_slope: float, square: float) -> Any:
    """Return the same for a bound on the null model's slopes, and the largest mean square."""
    if isinstance(penalty, groups.Group):
        inner = _without(penalty.penalty, penalty.group_weights, null_slope, square)
        return penalty if inner is penalty.penalty else replace(penalty, penalty=inner)
    return _without(penalty, getattr(penalty, "weights", None), null_slope, square)


def _without(penalty: Any, weights: Any, null_slope: float, square: float) -> Any:
    limits = {1: _SHARE * null_slope, 2: _SHARE**2 * square}
    orders, largest = _ORDERS.get(type(penalty), {}), _largest(weights)
    weak = {
        name: 0.0
        for name, strength in _strengths(penalty).items()
        if strength * largest <= limits[orders[name]]
    }
    return replace(penalty, **weak) if weak else penalty


def _strengths(penalty: Any) -> dict[str, float]:
    each = {name: getattr(penalty, name) for name in _ORDERS.get(type(penalty), ())}
    return {name: strength for name, strength in each.items() if strength > 0}


def _largest(weights: Any) -> float:
    """Return the largest weight that does not pin."""
    if weights is None:
        return 1.0
    w = np.asarray(weights, np.float64)
    return float(w.max(initial=0.0, where=np.isfinite(w)))
