"""Parameters of many fits, on the host; only what is not zero is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..arrays import Array


class Nonzeros(NamedTuple):
    """Where one x is not zero, in C order, and what it is there."""

    index: Array
    values: Array
    shape: tuple[int, ...]

    @classmethod
    def of(cls, x: Array) -> Nonzeros:
        """Return the nonzeros of an array on the host."""
        flat = x.reshape(-1)
        index = np.flatnonzero(flat)
        return cls(index, flat[index], x.shape)

    def among(self, rows: Array, shape: tuple[int, ...]) -> Nonzeros:
        """Return the nonzeros of the whole x, of which this one is some rows."""
        outputs = math.prod(shape[1:])
        index = rows[self.index // outputs] * outputs + self.index % outputs
        return Nonzeros(index, self.values, shape)

    def dense(self) -> Array:
        """Return x as a new array."""
        x = np.zeros(self.shape, self.values.dtype)
        x.reshape(-1)[self.index] = self.values
        return x


def ever(rows: Sequence[Nonzeros]) -> tuple[Array, Array]:
    """Return the elements that are ever not zero, and their values in each row."""
    union = np.unique(np.concatenate([row.index for row in rows]))
    values = np.zeros((len(rows), union.size))
    for line, row in zip(values, rows, strict=True):
        line[np.searchsorted(union, row.index)] = row.values
    return union, values
