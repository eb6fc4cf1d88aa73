"""From an estimator's settings to a penalty of this library, and the one penalty it lacks.

Here are the names that users know (alpha, C, l1_ratio), so here they are checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks
from ..arrays import Array
from ..groups import Group
from ..penalties import L1, ElasticNet, NonNegativeL1
from .settings import numbers


def split(strength: float, l1_ratio: float) -> tuple[float, float]:
    """Divide a strength between the L1 penalty and the other one, as scikit-learn does."""
    checks.from_0_to_1("l1_ratio", l1_ratio)
    return strength * l1_ratio, strength * (1 - l1_ratio)


def elastic(
    l1: float, l2: float = 0.0, weights: Array | None = None, positive: bool = False
) -> Any:
    """Return ``l1 |x| + l2 x^2 / 2``, in its simplest form."""
    if positive:
        return _non_negative(l1, l2, weights)
    return ElasticNet(l1, l2, weights) if l2 else L1(l1, weights)


def _non_negative(l1: float, l2: float, weights: Array | None) -> Any:
    if l2:
        return NonNegativeElasticNet(ElasticNet(l1, l2, weights))
    return NonNegativeL1(l1, weights)


def rows(lam: float, weights: Array | None, shape: tuple[int, ...]) -> Any:
    """Return ``lam sum_j w_j ||x_j||`` over the rows of x, one row a feature."""
    if len(shape) == 1:  # a row of one element
        return L1(lam, weights)
    return Group(L1(lam), "rows", group_weights=weights)


@dataclass(frozen=True)
class NonNegativeElasticNet:
    """An elastic net on ``x >= 0``: the prox of the net, then the nearest point that is allowed.

    It has no dual here, so `solve` certifies it by the optimality violation.
    """

    net: ElasticNet

    def value(self, x: Array) -> float:
        """Return the penalty, infinite below zero."""
        return self.net.value(x) if (x >= 0).all() else np.inf

    def prox(self, z: Array, step: Any) -> Array:
        """Return the prox: shrinking keeps signs, so that negative parts end at zero."""
        return np.maximum(self.net.prox(z, step), 0)


def strength(alpha: float, name: str = "alpha") -> float:
    """Return alpha, checked under its own name."""
    checks.non_negative(name, alpha)
    return float(alpha)


def inverse_strength(C: float, total_weight: float, name: str = "C") -> float:
    """Return the strength beside a mean loss for ``C * sum of losses``; C may be infinite."""
    checks.positive_or_inf(name, C)
    return float(1.0 / (C * total_weight))


def per_feature(name: str, weights: Any, features: int) -> Array | None:
    """Return penalty weights as an array, one for each feature."""
    return None if weights is None else numbers(name, weights, features, "features of X")
