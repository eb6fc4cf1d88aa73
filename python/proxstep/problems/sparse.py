"""The operator of a sparse X: nothing of the size of a dense X is made.

SciPy and CuPy write CSR and CSC alike, so that this is one file for both; the core takes SciPy's
products in float64, the libraries all others.
"""

from __future__ import annotations

import sys
from functools import cached_property
from typing import Any

import numpy as np

from .. import _core
from ..arrays import Array
from ..namespace import in_blocks
from . import inputs
from .design import Design


class SparseDesign(Design):
    """``X - 1 m'`` for X in CSR or CSC; the centring is never written into X."""

    _outputs_in_core, _columns_in_core = sys.maxsize, 0

    def _lent(self) -> _core.Matrix:
        X = self.X
        return _core.Matrix(X.data, X.indices, X.indptr, self.shape, X.format)

    @property
    def rounding(self) -> Any:
        """That of a sum of shares: what is not stored has the rest of 1.

        The core knows columns of which all entries are stored.
        """
        of_sum = (64 + self.shape[0]) * np.finfo(np.float64).eps
        if not self.matrix:
            return of_sum
        return np.where(self.stored == self.shape[0], of_sum**2, of_sum)

    @cached_property
    def stored(self) -> Any:
        """Return how many entries of each column are stored, on the host."""
        X, p = self.X, self.shape[1]
        if X.format == "csc":
            return np.diff(X.indptr)
        parts = in_blocks(len(X.indices), 1, self.xp.block)
        return sum(np.bincount(X.indices[part], minlength=p) for part in parts)

    def _means(self) -> Array:
        if not self.centred:
            return self._zeros(self.shape[1])
        return self._in_float64().T @ self._shares

    def _scales(self, means: Array) -> Any:
        """Entries that are not stored count as ``m^2``, times the share of their samples."""
        by_rows = self._in_float64().tocsr()
        centred = by_rows.data - means[by_rows.indices]
        stored = _with_data(by_rows, centred * centred).T @ self._shares
        present = _with_data(by_rows, self.xp.ones(centred.shape, centred.dtype)).T @ self._shares
        rest = self.xp.maximum(1.0 - present, 0.0)
        return self.xp.to_host(stored + rest * means * means)

    def check_finite(self) -> None:
        """Refuse entries that are NaN or inf."""
        inputs.check_finite(self.xp, "X.data", self.X.data)

    def _in_float64(self) -> Any:
        """X itself, or its values once more in float64 beside the same indices."""
        return _with_data(self.X, self.xp.asarray(self.X.data, self.xp.float64))

    @property
    def _shares(self) -> Array:
        return self.weights.of(slice(0, self.shape[0]))

    def _as_double(self) -> Design:
        if self.matrix:
            return _SparseInDouble(self.X, self.weights.in_double(), self.centred)
        return SparseDesign(self._in_float64(), self.weights.in_double(), self.centred)

    def _part(self, part: Any) -> Array:
        return self.xp.in_c_order(part.toarray())


class _SparseInDouble(SparseDesign):
    """A float32 matrix on the host whose products the core takes in float64."""

    @property
    def dtype(self) -> Any:
        """Dtype of the products."""
        return self.xp.float64


def _with_data(X: Any, data: Array) -> Any:
    return type(X)((data, X.indices, X.indptr), shape=X.shape)
