"""Sample weights, normalised to sum to 1; equal weights take no memory."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _core
from ..arrays import Array
from ..namespace import Namespace


class SampleWeights:
    """Means over samples and rows times weights; the shares are None where all are equal.

    ``exact`` has the shares in float64, whose sum is 1, ``shares`` in the dtype of X.
    """

    def __init__(self, xp: Namespace, exact: Array | None, n: int, dtype: Any) -> None:
        self.xp = xp
        self.exact = exact
        self.shares = None if exact is None else xp.asarray(exact, dtype)
        self.n = n

    def in_double(self) -> SampleWeights:
        """Return the same weights in float64."""
        return SampleWeights(self.xp, self.exact, self.n, self.xp.float64)

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
            return self.exact[rows]
        return self.xp.ones(rows.stop - rows.start, self.xp.float64) / self.n

    def mean(self, values: Array) -> Array:
        """Return the weighted mean over samples, added in float64, shape () or (k,)."""
        if self.exact is None:
            return self.xp.mean(values)
        return self.xp.weighted_sum(self.exact, self.xp.asarray(values, self.xp.float64))

    def times(self, values: Array) -> Array:
        """Multiply row i by share i."""
        if self.shares is None:
            return values / float(self.n)
        return values * column(self.shares, values)

    def root_times(self, values: Array) -> Array:
        """Multiply row i by the square root of share i."""
        if self.shares is None:
            return values / math.sqrt(self.n)
        return values * column(self.xp.sqrt(self.shares), values)

    def squares(self, values: Array) -> Any:
        """Return ``values' W values`` in float64, on the host."""
        xp, k = self.xp, values.shape[1]
        if not xp.is_on_host:
            roots = self.root_times(values)
            return xp.to_host(xp.asarray(roots.T @ roots, xp.float64))
        total = np.empty((k, k))
        _core.gram(
            _core.Matrix(values), total, None if self.exact is None else xp.to_host(self.exact)
        )
        return total

    def undo(self, values: Array) -> Array:
        """Divide row i by share i; rows without weight become 0."""
        if self.shares is None:
            return values * float(self.n)
        return self.xp.ratio(values, column(self.shares, values))


def column(shares: Array, values: Array) -> Array:
    """Return one number a sample in a shape that meets the values of several outputs."""
    return shares[:, None] if values.ndim == 2 else shares
