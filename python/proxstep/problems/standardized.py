"""A design whose columns are divided by their deviations, inside products only.

With D the diagonal of deviations the operator is ``X_c D^-1``: solvers, duals and screening work
with ``z = D x`` and know nothing of it. Whoever speaks to users goes through `from_given` and
`to_given`. A constant column counts as 0 (of it nothing is left but rounding): its parameter stays
where the penalty wants it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

import numpy as np

from .. import _core
from ..arrays import Array
from .cached import Cached
from .design import Design
from .weights import SampleWeights


class StandardizedDesign(Cached):
    """``X_c D^-1`` for another design ``X_c``; neither is formed."""

    def __init__(self, unscaled: Design) -> None:
        self.unscaled = unscaled
        self.X, self.xp, self.weights = unscaled.X, unscaled.xp, unscaled.weights

    @property
    def dtype(self) -> Any:
        """Dtype of the products."""
        return self.unscaled.dtype

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and features."""
        return self.unscaled.shape

    @cached_property
    def deviations(self) -> Array:
        """Roots of the columns' mean squares, 1 where a column is constant; float64, (p,)."""
        usable = np.isfinite(self.unscaled.scales) & ~self.constant
        roots = np.sqrt(np.where(usable, self.unscaled.scales, 1.0))
        return self.xp.asarray(roots, self.xp.float64)

    @cached_property
    def factors(self) -> Array:
        """What columns are multiplied by, float64, shape (p,)."""
        factors = np.where(self.constant, 0.0, 1.0 / self.xp.to_host(self.deviations))
        return self.xp.asarray(factors, self.xp.float64)

    @property
    def constant(self) -> Any:
        """Which columns are constant but for rounding, on the host."""
        return self.unscaled.constant

    @property
    def stored(self) -> Any:
        """How many entries of each column are stored, on the host."""
        return self.unscaled.stored

    @cached_property
    def matrix(self) -> Any:
        """X times the factors (not centred) as the core reads it; None on a device."""
        lent: _core.Matrix | None = self.unscaled.matrix
        return lent.times(self.xp.to_host(self.factors)) if lent else None

    @cached_property
    def means(self) -> Array:
        """Weighted means of the divided columns, float64, shape (p,); zeros when not centred."""
        return self.unscaled.means * self.factors

    @cached_property
    def scales(self) -> Any:
        """Mean squares of the divided columns, on the host: 1, and 0 of constants."""
        factors = self.xp.to_host(self.factors)
        return self.unscaled.scales * factors * factors

    @cached_property
    def norms(self) -> dict[bytes, float]:
        """What `norm_estimate` found so far."""
        return {}

    @cached_property
    def free_parts(self) -> WeakValueDictionary[bytes, Any]:
        """As that of a `Design`."""
        return WeakValueDictionary()

    def from_given(self, x: Array) -> Array:
        """Return ``D x``."""
        return self._times(x, self.deviations)

    def to_given(self, z: Array) -> Array:
        """Return ``D^-1 z``, the parameters for X as it was given."""
        return self._times(z, 1.0 / self.deviations)

    def _times(self, rows: Array, by: Array) -> Array:
        by = by[:, None] if rows.ndim == 2 else by
        return self.xp.asarray(rows * by, rows.dtype)

    def product(self, z: Array) -> Array:
        """Return ``X_c D^-1 z``, shape (n,) or (n, k)."""
        return self.unscaled.product(self._times(z, self.factors))

    def adjoint(self, residual: Array) -> Array:
        """Return ``D^-1 X_c' residual``, shape (p,) or (p, k)."""
        return self._times(self.unscaled.adjoint(residual), self.factors)

    def partial_adjoint(self, residual: Array, columns: Any) -> Array:
        """Return `adjoint` at the chosen columns (numbers on the host), zeros at all others."""
        return self._times(self.unscaled.partial_adjoint(residual, columns), self.factors)

    def columns(self, index: Array) -> Array:
        """Return the chosen (centred, divided) columns as a new array."""
        columns = self.unscaled.columns(index)
        return self.xp.asarray(columns * self.factors[index], columns.dtype)

    def gram_of_columns(self) -> Array:
        """Return ``D^-1 X_c' W X_c D^-1`` in float64."""
        return self.unscaled.gram_of_columns() * self.factors[:, None] * self.factors

    def reweighted(self, weights: SampleWeights) -> StandardizedDesign:
        """Return the same matrix with the means and deviations of other weights; X is shared."""
        return StandardizedDesign(self.unscaled.reweighted(weights))

    def restricted(self, columns: Any) -> StandardizedDesign:
        """Return the same operator over some of the columns (numbers on the host), copied."""
        return StandardizedDesign(self.unscaled.restricted(columns))

    def in_double(self) -> StandardizedDesign:
        """Return the same operator computing in float64, without a second copy of X."""
        double = self.unscaled.in_double()
        if double is self.unscaled:
            return self
        other = StandardizedDesign(double)
        other.__dict__.update(deviations=self.deviations, factors=self.factors)
        return other


Operator: TypeAlias = Design | StandardizedDesign
