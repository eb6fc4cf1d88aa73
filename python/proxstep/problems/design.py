"""The design matrix as an operator: X minus its weighted column means, never formed.

Everything above sees `product`, `adjoint`, `columns` and `scales` only, so that another kind of
matrix needs just these.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from .inputs import Array
from .weights import SampleWeights

_BLOCK = 1 << 20  # elements of X that are converted at a time


class Design:
    """``X - 1 m'`` with m the weighted means of the columns, or X itself when not centred."""

    def __init__(self, X: Array, weights: SampleWeights, centred: bool) -> None:
        self.X = X
        self.weights = weights
        self.centred = centred

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """Dtype of the products."""
        return self.X.dtype

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and features."""
        return self.X.shape[0], self.X.shape[1]

    @cached_property
    def means(self) -> Array:
        """Weighted column means, float64, shape (p,); zeros when not centred."""
        if not self.centred:
            return np.zeros(self.shape[1])
        return sum((w @ block for w, block in self._blocks()), np.zeros(self.shape[1]))

    @cached_property
    def scales(self) -> Array:
        """Weighted mean square of each (centred) column, float64, shape (p,)."""
        total = np.zeros(self.shape[1])
        for w, block in self._blocks():
            total += w @ np.square(block - self.means)
        return total

    def product(self, x: Array) -> Array:
        """Return ``X_c x``, shape (n,) or (n, k)."""
        result = self._times(x)
        if self.centred:
            result -= np.asarray(self.means @ x, self.dtype)
        return result

    def adjoint(self, residual: Array) -> Array:
        """Return ``X_c' residual``, shape (p,) or (p, k)."""
        result = self._transposed_times(residual)
        if self.centred:
            total = np.ones(self.shape[0], residual.dtype) @ residual
            result -= np.multiply.outer(self.means, total).astype(self.dtype)
        return result

    def columns(self, index: Array) -> Array:
        """Return the chosen (centred) columns as a new array."""
        chosen = self.X[:, index]
        return np.asarray(chosen - self.means[index].astype(self.dtype), self.dtype)

    def gram(self) -> Array:
        """Return the smaller of ``X_c' W X_c`` and its twin over samples, in float64."""
        n, p = self.shape
        if p <= n:
            return sum(
                ((b - self.means).T @ ((b - self.means) * w[:, None]) for w, b in self._blocks()),
                np.zeros((p, p)),
            )
        roots = np.sqrt(self.weights.of(slice(0, n)))[:, None]
        total = np.zeros((n, n))
        for columns in _slices(p, n):
            block = (self.X[:, columns].astype(np.float64) - self.means[columns]) * roots
            total += block @ block.T
        return total

    def in_double(self) -> Design:
        """Return the same operator computing in float64, without a second copy of X."""
        if self.dtype == np.float64:
            return self
        double = _InDouble(self.X, self.weights.in_double(), self.centred)
        double.__dict__.update(means=self.means, scales=self.scales)  # float64 already
        return double

    def _times(self, x: Array) -> Array:
        return np.asarray(self.X @ x)

    def _transposed_times(self, residual: Array) -> Array:
        return np.asarray(self.X.T @ residual)

    def _row_slices(self) -> Iterator[slice]:
        return _slices(*self.shape)

    def _blocks(self) -> Iterator[tuple[Array, Array]]:
        for rows in self._row_slices():
            yield self.weights.of(rows), np.array(self.X[rows], np.float64)


class _InDouble(Design):
    """A float32 matrix whose products are taken in float64, a block of rows at a time."""

    @property
    def dtype(self) -> np.dtype[np.floating]:
        return np.dtype(np.float64)

    def _times(self, x: Array) -> Array:
        return np.concatenate([self.X[r].astype(np.float64) @ x for r in self._row_slices()])

    def _transposed_times(self, residual: Array) -> Array:
        parts = (self.X[r].astype(np.float64).T @ residual[r] for r in self._row_slices())
        return np.asarray(sum(parts))


def _slices(length: int, width: int) -> Iterator[slice]:
    size = max(1, _BLOCK // max(1, width))
    for first in range(0, length, size):
        yield slice(first, min(first + size, length))
