"""Settings that make a penalty, the strength apart: what a model and its cross-validation share.

A form says `_penalty_at(alpha, l1_ratio, features)`; those without an ``l1_ratio`` get None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..groups import Group, SparseGroup
from .layout import Layout, layout
from .penalties import elastic, per_feature, split


@dataclass(kw_only=True, repr=False, eq=False)
class L1Form:
    """``alpha sum_j v_j |x_j|``."""

    weights: Any = None
    positive: bool = False

    def _penalty_at(self, alpha: float, l1_ratio: Any, features: int) -> Any:
        weights = per_feature("weights", self.weights, features)
        return elastic(alpha, 0.0, weights, self.positive)


@dataclass(kw_only=True, repr=False, eq=False)
class ElasticForm:
    """``alpha sum_j v_j (l1_ratio |x_j| + (1 - l1_ratio) x_j^2 / 2)``."""

    l1_ratio: Any = 0.5
    weights: Any = None
    positive: bool = False

    def _penalty_at(self, alpha: float, l1_ratio: Any, features: int) -> Any:
        weights = per_feature("weights", self.weights, features)
        return elastic(*split(alpha, l1_ratio), weights, self.positive)


@dataclass(kw_only=True, repr=False, eq=False)
class GroupForm:
    """``alpha sum_g v_g ||x_g||``."""

    groups: Any = 1
    group_weights: Any = None

    def _layout(self, features: int) -> Layout:
        return layout(self.groups, features)

    def _penalty_at(self, alpha: float, l1_ratio: Any, features: int) -> Any:
        groups = self._layout(features)
        weights = groups.weights(self.group_weights)
        return Group(elastic(alpha), groups.sizes, group_weights=weights)


@dataclass(kw_only=True, repr=False, eq=False)
class SparseGroupForm(GroupForm):
    """``alpha (l1_ratio sum_j u_j |x_j| + (1 - l1_ratio) sum_g v_g ||x_g||)``."""

    l1_ratio: Any = 0.5
    weights: Any = None

    def _penalty_at(self, alpha: float, l1_ratio: Any, features: int) -> Any:
        groups = self._layout(features)
        weights = per_feature("weights", self.weights, features)
        if weights is not None:
            weights = groups.arrange(weights)
        l1, lam = split(alpha, l1_ratio)
        return SparseGroup(l1, lam, groups.sizes, weights, groups.weights(self.group_weights))


@dataclass(kw_only=True, repr=False, eq=False)
class TaskForm:
    """``alpha sum_j v_j ||x_j||`` over the rows of x, one row a feature."""

    weights: Any = None

    def _penalty_at(self, alpha: float, l1_ratio: Any, features: int) -> Any:
        weights = per_feature("weights", self.weights, features)
        return Group(elastic(alpha), "rows", group_weights=weights)
