"""What a problem accepts as y, and the messages for what it does not.

Targets are kept in float64, or as labels; they must be finite in the dtype of X, too.
"""

from __future__ import annotations

from typing import Any

from ..arrays import Array
from ..checks import integer
from ..namespace import Namespace
from .inputs import exact_numbers, first, numbers


def real_targets(xp: Namespace, y: Any, offset: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return ``y - offset``."""
    if offset is None:
        return exact_numbers(xp, "y", y, shape, dtype)
    known = numbers(xp, "offset", offset, shape, xp.float64)
    difference = numbers(xp, "y", y, shape, xp.float64) - known
    return exact_numbers(xp, "y - offset", difference, shape, dtype)


def counts(xp: Namespace, y: Any, n: int, dtype: Any) -> Array:
    """Return targets that are not negative."""
    t = exact_numbers(xp, "y", y, (n,), dtype)
    i = first(xp, t < 0)
    if i is not None:
        raise ValueError(f"counts must not be negative, y[{i}] is {xp.read(t[i])[0]:g}")
    return t


def binary_targets(xp: Namespace, y: Any, n: int) -> Array:
    """Return targets in [0, 1] from labels {0, 1} or {-1, 1} or from probabilities."""
    t = numbers(xp, "y", y, (n,), xp.float64)
    if not xp.is_any(abs(t) != 1):
        return xp.maximum(t, 0)
    i = first(xp, (t < 0) | (t > 1))
    if i is not None:
        value, low, high = xp.read(t[i], t.min(), t.max())
        raise ValueError(
            f"labels must be 0/1, -1/1 or probabilities in [0, 1]: y[{i}] is {value:g}, "
            f"and y has values in [{low:g}, {high:g}]"
        )
    return t


def class_targets(xp: Namespace, y: Any, n: int, classes: int | None) -> tuple[Array, int]:
    """Return int64 labels (n,) or probabilities (n, classes), and the class count."""
    given = xp.bring("y", y)
    if given.ndim == 2:
        targets = _probabilities(xp, given, n, classes)
        return targets, targets.shape[1]
    t = numbers(xp, "y", given, (n,), xp.float64)
    labels = xp.asarray(t, xp.int64)
    k = int(xp.read(labels.max())[0]) + 1 if classes is None else integer("classes", classes)
    if k < 2:
        raise ValueError(f"at least 2 classes are needed, got {k}; pass classes= if one is absent")
    i = first(xp, (labels != t) | (labels < 0) | (labels >= k))
    if i is not None:
        found = f"y[{i}] is {xp.read(t[i])[0]:g}"
        raise ValueError(f"labels must be integers from 0 to {k - 1}, {found}")
    return labels, k


def _probabilities(xp: Namespace, given: Array, n: int, classes: int | None) -> Array:
    k = given.shape[1] if classes is None else integer("classes", classes)
    if k < 2:
        raise ValueError(f"at least 2 classes are needed, y has shape {tuple(given.shape)}")
    t = numbers(xp, "y", given, (n, k), xp.float64)
    totals = xp.sum(t, axis=1)
    i = first(xp, xp.any(t < 0, axis=1) | (abs(totals - 1) > 1e-4))
    if i is not None:
        smallest, total = xp.read(t[i].min(), totals[i])
        raise ValueError(
            f"rows of y must be probabilities that sum to 1: row {i} has its smallest value "
            f"{smallest:g} and the sum {total:g}"
        )
    return t / totals[:, None]
