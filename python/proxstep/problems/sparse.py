"""The operator of a sparse X: products by its own library, and nothing of the size of a dense X.

SciPy and CuPy write CSR and CSC alike, so that this is one file for both.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from .. import _core
from ..arrays import Array
from .design import Design


class SparseDesign(Design):
    """``X - 1 m'`` for X in CSR or CSC; the centring is never written into X."""

    def _lent(self) -> _core.Matrix:
        X = self.X
        return _core.Matrix(X.data, X.indices, X.indptr, self.shape, X.format)

    @cached_property
    def means(self) -> Array:
        """Weighted column means, float64, shape (p,); zeros when not centred."""
        if not self.centred:
            return self._zeros(self.shape[1])
        return self._in_float64.T @ self._shares

    @cached_property
    def scales(self) -> Any:
        """Weighted mean square of each (centred) column, float64, shape (p,), on the host.

        The entries that are not stored count as ``m^2``, times the share of their samples.
        """
        by_rows = self._in_float64.tocsr()
        centred = by_rows.data - self.means[by_rows.indices]
        stored = _with_data(by_rows, centred * centred).T @ self._shares
        present = _with_data(by_rows, self.xp.ones(centred.shape, centred.dtype)).T @ self._shares
        rest = self.xp.maximum(1.0 - present, 0.0)
        return self.xp.to_host(stored + rest * self.means * self.means)

    @cached_property
    def _in_float64(self) -> Any:
        """X itself, or its values once more in float64 beside the same indices."""
        return _with_data(self.X, self.xp.asarray(self.X.data, self.xp.float64))

    @property
    def _shares(self) -> Array:
        return self.weights.of(slice(0, self.shape[0]))

    def _as_double(self) -> Design:
        return SparseDesign(self._in_float64, self.weights.in_double(), self.centred)

    def _part(self, part: Any) -> Array:
        return self.xp.in_c_order(part.toarray())


def _with_data(X: Any, data: Array) -> Any:
    return type(X)((data, X.indices, X.indptr), shape=X.shape)
