"""Products of X, as it lies and is stored, with vectors and blocks of them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from .. import _core
from ..arrays import Array
from ..namespace import Namespace, in_blocks
from .cached import Cached


class Products(Cached):
    """X itself: the core takes products in float64 on the host, X's library all others."""

    _outputs_in_core = 32  # with more of them, or fewer columns than this, BLAS is as fast or
    _columns_in_core = 32  # faster on a dense X
    X: Array
    xp: Namespace

    @property
    def dtype(self) -> Any:
        """Dtype of the products."""
        return self.X.dtype

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and features."""
        return self.X.shape[0], self.X.shape[1]

    @cached_property
    def matrix(self) -> Any:
        """X itself (not centred) as the core reads it, without a copy; None on a device."""
        return self._lent() if self.xp.is_on_host else None

    def _lent(self) -> _core.Matrix:
        return _core.Matrix(self.X)

    def _times(self, x: Array) -> Array:
        matrix = self._matrix_for_double
        if matrix and (self._are_few(x) or self._few_rows(x)):
            return self._native_product(matrix, x)
        return self._library_times(x)

    def _transposed_times(self, residual: Array) -> Array:
        matrix = self._matrix_for_double
        if matrix and self._are_few(residual):
            return self._native_adjoint(matrix, residual)
        return self._library_transposed_times(residual)

    @property
    def _matrix_for_double(self) -> _core.Matrix | None:
        """The lent X where products are in float64, which are all that the core takes."""
        return self.matrix if self.dtype == self.xp.float64 else None

    def _are_few(self, vectors: Array) -> bool:
        if vectors.ndim == 1:
            return True
        short = self.shape[1] < self._columns_in_core
        return bool(vectors.shape[1] <= self._outputs_in_core and not short)

    def _few_rows(self, x: Array) -> bool:
        return bool(8 * int(self.xp.any(x != 0, axis=1).sum()) < x.shape[0])

    def _native_product(self, matrix: _core.Matrix, x: Array) -> Array:
        result = self._zeros((self.shape[0], *x.shape[1:]))
        _core.add_product(matrix, self.xp.in_c_order(x), result)
        return result

    def _native_adjoint(self, matrix: _core.Matrix, residual: Array) -> Array:
        result = self._zeros((self.shape[1], *residual.shape[1:]))
        _core.adjoint(matrix, self.xp.in_c_order(residual), result)
        return result

    def _library_times(self, x: Array) -> Array:
        return self.xp.in_c_order(self.X @ x)

    def _library_transposed_times(self, residual: Array) -> Array:
        return self.xp.in_c_order(self.X.T @ residual)

    def _part(self, part: Any) -> Array:
        """Return rows or columns of X as a dense array."""
        return part

    def _double(self, part: Any) -> Array:
        return self.xp.asarray(self._part(part), self.xp.float64)

    def _zeros(self, shape: Any) -> Array:
        return self.xp.zeros(shape, self.xp.float64)

    def _row_slices(self) -> list[slice]:
        return in_blocks(*self.shape, self.xp.block)
