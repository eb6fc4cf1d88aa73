"""Sample weights, normalised to sum to 1; equal weights take no memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from .inputs import Array


class SampleWeights:
    """Means over samples and rows times weights; the shares are None where all are equal.

    ``exact`` has the shares in float64, whose sum is 1, ``shares`` in the dtype of X.
    """

    def __init__(self, exact: Array | None, n: int, dtype: np.dtype[Any]) -> None:
        self.exact = exact
        self.shares = None if exact is None else exact.astype(dtype, copy=False)
        self.n = n

    def in_double(self) -> SampleWeights:
        """Return the same weights in float64."""
        return SampleWeights(self.exact, self.n, np.dtype(np.float64))

    def kernel(self, rows: Array | None = None) -> tuple[Array | None, float]:
        """Return weights and a factor for the loss kernels.

        For some rows the mean is that of an even sample: unbiased for the mean over all.
        """
        if self.shares is None:
            return None, 1.0 / (self.n if rows is None else len(rows))
        return (self.shares, 1.0) if rows is None else (self.shares[rows], self.n / len(rows))

    def of(self, rows: slice) -> Array:
        """Return the shares of some rows in float64."""
        if self.exact is not None:
            return np.asarray(self.exact[rows])
        return np.full(rows.stop - rows.start, 1.0 / self.n)

    def mean(self, values: Array) -> float:
        """Return the weighted mean, added in float64."""
        if self.exact is None:
            return float(values.mean(dtype=np.float64))
        return float(np.dot(self.exact, values))

    def times(self, values: Array) -> Array:
        """Multiply row i by share i."""
        if self.shares is None:
            return np.asarray(values / values.dtype.type(self.n))
        return np.asarray(values * _column(self.shares, values))

    def root_times(self, values: Array) -> Array:
        """Multiply row i by the square root of share i."""
        if self.shares is None:
            return np.asarray(values / np.sqrt(values.dtype.type(self.n)))
        return np.asarray(values * _column(np.sqrt(self.shares), values))

    def undo(self, values: Array) -> Array:
        """Divide row i by share i; rows without weight become 0."""
        if self.shares is None:
            return np.asarray(values * values.dtype.type(self.n))
        w = _column(self.shares, values)
        return np.divide(values, w, out=np.zeros_like(values), where=w > 0)


def _column(shares: Array, values: Array) -> Array:
    return shares[:, None] if values.ndim == 2 else shares
