"""Groups as numbers of elements, and the norms of groups."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array

#: The group of each element and the number of groups; None: every element is its own.
Groups = tuple[Array, int] | None


def group_ids(over: Any, shape: tuple[int, ...]) -> tuple[Array, int]:
    """Return the group number of each element in C order, and the number of groups."""
    size = int(np.prod(shape))
    if over == "columns":
        return np.tile(np.arange(shape[-1]), size // max(1, shape[-1])), shape[-1]
    if isinstance(over, tuple) and over[:1] == ("heads",):
        lengths = [size // over[1]] * over[1]
    elif over == "rows":
        lengths = [size // max(1, shape[0])] * shape[0]
    else:
        lengths = [over] * (size // over) if isinstance(over, int) else list(over)
    return np.repeat(np.arange(len(lengths)), lengths), len(lengths)


def group_norms(v: Array, ids: Array, count: int) -> Array:
    """Return the Euclidean norm of each group."""
    return np.sqrt(np.bincount(ids, np.square(v, dtype=np.float64).ravel(), count))


def block_norms(values: Array, groups: Groups) -> Array:
    """Return the magnitude of each block: an element or a group."""
    return np.abs(values) if groups is None else group_norms(values, *groups)
