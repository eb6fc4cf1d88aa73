"""The design matrix as an operator: X minus its weighted column means, never formed.

Everything above sees `product`, `adjoint`, `columns` and `scales` only, so that another kind of
matrix needs just these. All but `scales` lie with X.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from .. import _core
from ..arrays import Array
from ..namespace import in_blocks
from . import inputs
from .products import Products
from .weights import SampleWeights

_TINY = float(np.finfo(np.float64).tiny)


class Design(Products):
    """``X - 1 m'`` with m the weighted means of the columns, or X itself when not centred."""

    def __init__(self, X: Array, weights: SampleWeights, centred: bool) -> None:
        self.X = X
        self.xp = weights.xp
        self.weights = weights
        self.centred = centred

    @cached_property
    def means(self) -> Array:
        """Weighted column means, float64, shape (p,); zeros when not centred."""
        return self._moments[0]

    @cached_property
    def scales(self) -> Any:
        """Weighted mean square of each (centred) column, float64, shape (p,), on the host."""
        return self._moments[1]

    @cached_property
    def _moments(self) -> tuple[Array, Any]:
        """Means and scales, from one pass of the core over X where it lies on the host."""
        if not self.matrix:
            means = self._means()
            return means, self._scales(means)
        means = np.zeros(self.shape[1])
        scales, exact = np.empty(self.shape[1]), self.weights.exact
        shares = None if exact is None else self.xp.to_host(exact)
        _core.mean_squares(self.matrix, scales, shares, means if self.centred else None)
        return self.xp.asarray(means, self.xp.float64), scales

    def _means(self) -> Array:
        total = self._zeros(self.shape[1])
        if self.centred:
            total = sum((w @ block for w, block in self._blocks()), total)
        return total

    def _scales(self, means: Array) -> Any:
        total = self._zeros(self.shape[1])
        for w, block in self._blocks():
            centred = block - means
            total += w @ (centred * centred)
        return self.xp.to_host(total)

    def _native_gram(self, matrix: _core.Matrix) -> Any:
        gram, exact, host = np.empty((self.shape[1],) * 2), self.weights.exact, self.xp.to_host
        shares = None if exact is None else host(exact)
        _core.gram(matrix, gram, shares, host(self.means) if self.centred else None)
        return gram

    def check_finite(self) -> None:
        """Refuse an X that holds NaN or inf, which its moments, where they are cheap, tell."""
        if not self.matrix or not np.isfinite(self.scales).all():
            inputs.check_finite(self.xp, "X", self.X)

    def largest_deviation(self) -> float:
        """Return how far an entry of a sample with weight lies from its column's mean, at most."""
        parts = (abs(block - self.means)[w > 0] for w, block in self._blocks())
        return max(float(self.xp.to_host(part).max(initial=0.0)) for part in parts)

    @cached_property
    def norms(self) -> dict[bytes, float]:
        """What `norm_estimate` found so far."""
        return {}

    @cached_property
    def free_parts(self) -> WeakValueDictionary[bytes, Any]:
        """Directions of free elements, by the elements, as long as a certificate uses them."""
        return WeakValueDictionary()

    @property
    def unscaled(self) -> Design:
        """The design in the units of X: this one."""
        return self

    def from_given(self, x: Array) -> Array:
        """Return parameters for X as it was given in the units of this design: the same."""
        return x

    def to_given(self, x: Array) -> Array:
        """Return the inverse of `from_given`."""
        return x

    @cached_property
    def constant(self) -> Any:
        """Which centred columns are 0 but for rounding, a boolean array on the host."""
        squares, means = self.scales, self.xp.to_host(self.means)
        with np.errstate(over="ignore", invalid="ignore"):
            rounding = np.maximum(self.rounding * (squares + means**2), _TINY)
        return np.isfinite(squares) & (squares <= rounding)

    @property
    def stored(self) -> Any:
        """How many entries of each column are stored, on the host."""
        return np.full(self.shape[1], self.shape[0])

    @property
    def rounding(self) -> Any:
        """Share of each column's mean square around 0 by which `scales` may be wrong."""
        return (64 * np.finfo(np.float64).eps) ** 2

    def product(self, x: Array) -> Array:
        """Return ``X_c x``, shape (n,) or (n, k)."""
        result = self._times(x)
        if self.centred:
            result -= self.xp.asarray(self.shift(x), self.dtype)
        return result

    def shift(self, x: Array) -> Array:
        """Return ``m' x`` in float64, shape () or (k,)."""
        return self.xp.weighted_sum(self.means, self.xp.asarray(x, self.xp.float64))

    def adjoint(self, residual: Array) -> Array:
        """Return ``X_c' residual``, shape (p,) or (p, k)."""
        result = self._transposed_times(residual)
        if self.centred:
            result -= self.spread(self.xp.total(residual))
        if self.constant.any():  # what is left of these columns is rounding
            result[self.xp.asarray(self.constant.nonzero()[0], self.xp.int64)] = 0.0
        return result

    def partial_adjoint(self, residual: Array, columns: Any) -> Array:
        """Return `adjoint` at the chosen columns (numbers on the host), zeros at all others."""
        part = np.zeros(len(columns))
        host = np.ascontiguousarray(self.xp.to_host(residual), np.float64)
        _core.adjoint(self.matrix, host, part, columns)
        result = np.zeros(self.shape[1])
        result[columns] = part - self.xp.to_host(self.means)[columns] * host.sum()
        result[self.constant] = 0.0
        return self.xp.asarray(result, self.xp.float64)

    def spread(self, total: Array) -> Array:
        """Return ``m total'``, shape (p,) or (p, k), the transpose of `shift`."""
        means = self.means[:, None] if total.ndim else self.means
        return self.xp.asarray(means * total, self.dtype)

    def columns(self, index: Array) -> Array:
        """Return the chosen (centred) columns as a new array."""
        return self._part(self.X[:, index]) - self.xp.asarray(self.means[index], self.dtype)

    def gram(self) -> Array:
        """Return the smaller of ``X_c' W X_c`` and its twin over samples, in float64."""
        n, p = self.shape
        if p <= n:
            return self.gram_of_columns()
        roots = self.xp.sqrt(self.weights.of(slice(0, n)))[:, None]
        total = self._zeros((n, n))
        for columns in in_blocks(p, n, self.xp.block):
            block = (self._double(self.X[:, columns]) - self.means[columns]) * roots
            total += block @ block.T
        return total

    def gram_of_columns(self) -> Array:
        """Return ``X_c' W X_c`` in float64."""
        if self.matrix and not inputs.is_sparse(self.X):
            return self.xp.asarray(self._native_gram(self.matrix), self.xp.float64)
        shares, total = self.weights.exact, self._zeros((self.shape[1],) * 2)
        for rows in self._row_slices():
            block = self._double(self.X[rows])
            block = block - self.means if self.centred else block
            block = block if shares is None else block * self.xp.sqrt(shares[rows])[:, None]
            total += block.T @ block  # symmetric: BLAS computes one half
        return total / float(self.shape[0]) if shares is None else total

    def reweighted(self, weights: SampleWeights) -> Design:
        """Return the same matrix, centred by other weights; X is shared."""
        other = copy.copy(self)
        other.weights = weights
        for name in ("means", "scales", "norms", "free_parts", "constant", "_moments"):
            vars(other).pop(name, None)
        return other

    def restricted(self, columns: Any) -> Design:
        """Return the same operator over some of the columns (numbers on the host), copied."""
        other: Design = object.__new__(type(self))
        vars(other).update(self.without_caches(), X=self.X[:, columns])
        vars(other).update(_moments=(self.means[columns], self.scales[columns]))
        return other

    def in_double(self) -> Design:
        """Return the same operator computing in float64, without a second copy of X."""
        if self.dtype == self.xp.float64:
            return self
        double = self._as_double()
        double.__dict__.update(  # float64 already, or as X is stored
            means=self.means, scales=self.scales, matrix=self.matrix
        )
        return double

    def _as_double(self) -> Design:
        return _InDouble(self.X, self.weights.in_double(), self.centred)

    def _blocks(self) -> Iterator[tuple[Array, Array]]:
        for rows in self._row_slices():
            yield self.weights.of(rows), self._double(self.X[rows])


class _InDouble(Design):
    """A float32 matrix whose products are taken in float64, a block of rows at a time."""

    @property
    def dtype(self) -> Any:
        return self.xp.float64

    def _library_times(self, x: Array) -> Array:
        return self.xp.concat([self._double(self.X[r]) @ x for r in self._row_slices()])

    def _library_transposed_times(self, residual: Array) -> Array:
        parts = (self._double(self.X[r]).T @ residual[r] for r in self._row_slices())
        return self.xp.in_c_order(sum(parts))
