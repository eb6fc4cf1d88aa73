"""Groups of features as users say them, and as consecutive segments, which penalties need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from ..arrays import Array
from ..checks import integer
from .settings import numbers


@dataclass(frozen=True)
class Layout:
    """Segments of consecutive columns, once the columns are in this order (None: as they are)."""

    sizes: tuple[int, ...]
    order: Array | None = None

    def arrange(self, X: Any) -> Any:
        """Return X, or one number for each column, with a group's columns side by side.

        It is a copy only where they are not.
        """
        return X if self.order is None else X[..., self.order]

    def restore(self, x: Array) -> Array:
        """Return coefficients in the order of the given columns."""
        if self.order is None:
            return x
        result = np.empty_like(x)
        result[self.order] = x
        return result

    def weights(self, given: Any) -> Array | None:
        """Return one weight for each group; "sqrt" stands for the roots of their sizes."""
        if given is None:
            return None
        if isinstance(given, str):
            if given != "sqrt":
                raise ValueError(f'group_weights is {given!r}; an array, None or "sqrt" is needed')
            return np.sqrt(self.sizes)
        return numbers("group_weights", given, len(self.sizes), "groups")


def layout(groups: Any, features: int) -> Layout:
    """Return the layout of groups given as one size, as sizes, or as lists of columns."""
    if not isinstance(groups, Iterable):
        return _blocks(integer("groups", groups), features)
    parts = [groups] if isinstance(groups, str) else list(groups)
    _refuse_labels(groups, parts, features)
    if not any(isinstance(part, Iterable) for part in parts):
        return _segments(tuple(integer("a size in groups", part) for part in parts), features)
    if not all(isinstance(part, Iterable) for part in parts):
        raise TypeError(f"groups is {groups!r}; either sizes or lists of columns are needed")
    return _listed([[integer("a column in groups", j) for j in part] for part in parts], features)


def _refuse_labels(groups: Any, parts: list[Any], features: int) -> None:
    """Refuse a label for each column: their sizes, or columns, cannot be told from them."""
    if any(isinstance(part, str) for part in parts):
        raise TypeError(f"groups is {groups!r}; one size, sizes, or lists of columns are needed")
    whole = [part for part in parts if not isinstance(part, Iterable)]
    if len(whole) == features and any(part != 1 for part in whole):
        raise ValueError(
            f"groups has a number for each of the {features} features, as labels; sizes of "
            f"groups are needed, or the columns of each: "
            f"[np.flatnonzero(labels == g) for g in np.unique(labels)]"
        )


def _blocks(size: int, features: int) -> Layout:
    if size < 1 or features % size:
        raise ValueError(f"groups is {size}, which does not divide the {features} features of X")
    return Layout((size,) * (features // size))


def _segments(sizes: tuple[int, ...], features: int) -> Layout:
    if min(sizes, default=1) < 1:
        raise ValueError(f"group {sizes.index(min(sizes))} of groups is empty: {min(sizes)}")
    if sum(sizes) != features:
        raise ValueError(f"groups has {sum(sizes)} columns in all, X has {features} features")
    return Layout(sizes)


def _listed(groups: list[list[int]], features: int) -> Layout:
    sizes = tuple(len(group) for group in groups)
    if 0 in sizes:
        raise ValueError(f"group {sizes.index(0)} of groups is empty")
    order = np.array(list(chain.from_iterable(groups)))
    if order.min() < 0 or order.max() >= features:
        wrong = order[(order < 0) | (order >= features)][0]
        raise ValueError(f"groups names column {wrong}, X has {features} features")
    _check_cover(order, features)
    return Layout(sizes, None if (np.diff(order) == 1).all() else order)


def _check_cover(order: Array, features: int) -> None:
    times = np.bincount(order, minlength=features)
    if times.max() > 1:
        raise ValueError(
            f"groups overlap: column {times.argmax()} is in {times.max()} of them; a column that "
            f"belongs to several must be repeated in X"
        )
    if times.min() == 0:
        raise ValueError(
            f"groups leave out column {times.argmin()}; give it a group of its own, of weight 0 "
            f"if it shall not be penalised"
        )
