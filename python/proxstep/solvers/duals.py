"""Duals of the penalties: the one place that knows them.

For the penalty h and the gradient v of the loss, a dual gives `conjugate` = h*(-v), and `gauge`,
the smallest t >= 0 for which -v / t lies in the domain of h*. Elements in `free` carry no
penalty at all: there v must vanish. All arrays are NumPy's. Duals of elements take many v at
once, along an axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .. import groups, penalties, projections
from ..arrays import Array
from .grouping import group_ids, group_norms

Measure = Callable[[Array], Array]


class Dual(Protocol):
    """What a certificate needs to know about a penalty."""

    @property
    def free(self) -> Array:
        """Where x has no penalty, a boolean array of x's shape."""

    def gauge(self, v: Array) -> float:
        """Return the smallest t with ``h*(-v / t)`` finite, the free elements left out."""

    def conjugate(self, v: Array) -> float:
        """Return ``h*(-v)``, given that the gauge of v is at most 1."""


@dataclass(frozen=True)
class Elastic:
    """``l1 m + l2 m^2 / 2`` summed over magnitudes m: of elements, or norms of groups."""

    l1: Array
    l2: Array
    magnitude: Measure
    free: Array

    def gauge(self, v: Array, axis: int | None = None) -> Any:
        """Largest ratio of magnitude and l1, where l2 does not help."""
        limit = np.where((self.l2 == 0) & (self.l1 > 0), self.l1, np.inf)
        if limit.ndim == 0:  # no second array of v's size
            return np.max(self.magnitude(v), axis=axis, initial=0.0) / limit
        return np.max(self.magnitude(v) / limit, axis=axis, initial=0.0)

    def conjugate(self, v: Array, axis: int | None = None) -> Any:
        """``sum (m - l1)_+^2 / (2 l2)``."""
        if not self.l2.any():
            return 0.0
        excess = np.maximum(self.magnitude(v) - self.l1, 0.0)
        return np.sum(excess**2 / np.where(self.l2 > 0, 2.0 * self.l2, np.inf), axis=axis)


@dataclass(frozen=True)
class SparseGroups:
    """``sum_j l1_j |x_j| + sum_g lam_g |x_g|``; group g has the elements with ids == g."""

    l1: Array
    lam: Array
    ids: Array
    free: Array

    def gauge(self, v: Array) -> float:
        """Largest t over the groups with ``|soft(v_g, t l1)| = t lam_g``, by Newton's method.

        The equation is convex and decreasing in t, so Newton's steps rise from 0 to the root.
        """
        counted = np.isfinite(self.l1) & np.isfinite(self.lam[self.ids]) & ~self.free.ravel()
        a = np.where(counted, np.abs(v.ravel()).astype(np.float64), 0.0)
        l1 = np.where(counted, self.l1, 0.0)
        lam = np.where(np.isfinite(self.lam), self.lam, 0.0)
        t = np.zeros(lam.size)
        for _ in range(100):
            rest = np.maximum(a - t[self.ids] * l1, 0.0)
            norm = np.sqrt(np.bincount(self.ids, rest**2, lam.size))
            inner = np.bincount(self.ids, rest * l1, lam.size)
            slope = np.divide(inner, norm, out=np.zeros_like(norm), where=norm > 0) + lam
            rise = np.divide(norm - t * lam, slope, out=np.zeros_like(norm), where=slope > 0)
            t += np.maximum(rise, 0.0)
            if not (rise > 4 * np.finfo(np.float64).eps * t).any():
                break
        return float(np.max(t, initial=0.0))

    def conjugate(self, v: Array) -> float:
        """Zero on the domain."""
        return 0.0


@dataclass(frozen=True)
class Interval:
    """Elements between two bounds: the conjugate is finite everywhere."""

    low: float
    high: float
    free: Array

    def gauge(self, v: Array, axis: int | None = None) -> Any:
        """Zero: every v is in the domain."""
        return np.zeros(np.shape(np.max(v, axis=axis, initial=0.0)))

    def conjugate(self, v: Array, axis: int | None = None) -> Any:
        """``sum max(-low v, -high v)``."""
        v = np.asarray(v, np.float64)
        return np.maximum(-self.low * v, -self.high * v).sum(axis=axis)


@dataclass(frozen=True)
class Support:
    """A bounded set: the conjugate is its support function, finite everywhere."""

    support: Callable[[Array], float]
    free: Array

    def gauge(self, v: Array) -> float:
        """Zero: every v is in the domain."""
        return 0.0

    def conjugate(self, v: Array) -> float:
        """``max { -<v, x> : x in the set }``."""
        return self.support(np.asarray(v, np.float64))


def dual_of(penalty: Any, shape: tuple[int, ...]) -> Dual | None:
    """Return the dual of a penalty on arrays of this shape, or None where there is none."""
    if isinstance(penalty, groups.Group):
        return _group(penalty, shape)
    if isinstance(penalty, groups.SparseGroup):
        return _sparse_group(penalty, shape)
    strengths = strengths_of(penalty)
    if strengths is not None:
        l1, l2 = strengths
        signed = isinstance(penalty, penalties.NonNegativeL1)
        free = np.broadcast_to((l1 == 0) & (l2 == 0) & (not signed), shape)
        # A free element that must not be negative has no finite dual away from the optimum.
        if signed and not l1.all():
            return None
        return Elastic(l1, l2, _negative_part if signed else _absolute, free)
    if isinstance(penalty, penalties.Box):
        return _interval(penalty, shape)
    support = _support(penalty)
    return None if support is None else Support(support, np.zeros(shape, bool))


def strengths_of(penalty: Any) -> tuple[Array, Array] | None:
    """Return the weighted strengths of |x| and x^2 / 2, x being elements or norms of groups."""
    grouped = isinstance(penalty, groups.Group)
    found = _elastic_strengths(penalty.penalty if grouped else penalty)
    if found is None:
        return None
    weights = penalty.group_weights if grouped else penalty.weights
    return _weighted(found[0], weights), _weighted(found[1], weights)


def _group(penalty: Any, shape: tuple[int, ...]) -> Dual | None:
    ids, count = group_ids(penalty.over, shape)
    strengths = strengths_of(penalty)
    if strengths is None:
        return None
    l1, l2 = (np.broadcast_to(s, (count,)) for s in strengths)
    free = ((l1 == 0) & (l2 == 0))[ids].reshape(shape)
    return Elastic(l1, l2, lambda v: group_norms(v, ids, count), free)


def _sparse_group(penalty: Any, shape: tuple[int, ...]) -> Dual:
    ids, count = group_ids(penalty.over, shape)
    l1 = np.broadcast_to(_weighted(penalty.l1, penalty.weights), shape).ravel()
    lam = np.broadcast_to(_weighted(penalty.lam, penalty.group_weights), (count,))
    return SparseGroups(l1, lam, ids, ((l1 == 0) & (lam[ids] == 0)).reshape(shape))


def _elastic_strengths(penalty: Any) -> tuple[float, float] | None:
    """Return the strengths of |x| and x^2 / 2."""
    if isinstance(penalty, penalties.L1 | penalties.NonNegativeL1):
        return penalty.lam, 0.0
    if isinstance(penalty, penalties.SquaredL2):
        return 0.0, penalty.lam
    if isinstance(penalty, penalties.ElasticNet):
        return penalty.l1, penalty.l2
    return None


def _interval(penalty: Any, shape: tuple[int, ...]) -> Dual | None:
    if penalty.weights is not None or not np.isfinite([penalty.lower, penalty.upper]).all():
        return None
    return Interval(penalty.lower, penalty.upper, np.zeros(shape, bool))


def _support(penalty: Any) -> Callable[[Array], float] | None:
    if isinstance(penalty, projections.L1Ball):
        return lambda v: penalty.radius * _by_set(penalty, np.abs(v), np.max)
    if isinstance(penalty, projections.Simplex):
        return lambda v: penalty.radius * _by_set(penalty, -v, np.max)
    if isinstance(penalty, projections.LinfBall):
        return lambda v: penalty.radius * float(np.abs(v).sum())
    return None


def _by_set(penalty: Any, v: Array, largest: Callable[..., Any]) -> float:
    return float(np.sum(largest(v, axis=-1) if penalty.over == "rows" else largest(v)))


def _weighted(strength: float, weights: Any) -> Array:
    """Return the strength times the weights; an infinite weight pins, whatever the strength."""
    if weights is None:
        return np.asarray(strength, np.float64)
    w = np.asarray(weights, np.float64)
    return np.where(np.isinf(w), np.inf, strength * np.where(np.isinf(w), 0.0, w))


def _absolute(v: Array) -> Array:
    return np.abs(v).astype(np.float64, copy=False)


def _negative_part(v: Array) -> Array:
    return np.maximum(-v, 0).astype(np.float64, copy=False)
