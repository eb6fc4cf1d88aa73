"""Least squares: half the weighted mean squared error."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from . import inputs
from .base import Problem
from .inputs import Array


class LeastSquares(Problem):
    """Half the weighted mean squared error, ``sum_i w_i (X_i x + b - y_i)^2 / (2 sum_i w_i)``.

    With ``L1(lam)`` this is scikit-learn's Lasso with ``alpha = lam``.

    Parameters
    ----------
    X : ndarray of float32 or float64, shape (n, p)
        Features. Used as it is, in C or F order; only a strided view is copied.
    y : array_like, shape (n,)
        Real targets.
    sample_weight : array_like or None, shape (n,)
        Non-negative weights w.
    fit_intercept : bool
        Whether an unpenalised b is fitted.

    Raises
    ------
    TypeError
        If X is not a float array, or y is not real.
    ValueError
        If a shape is wrong, a value is not finite, or weights are negative or all zero.

    Examples
    --------
    >>> import numpy as np
    >>> import proxstep as ps
    >>> line = ps.LeastSquares(np.array([[1.0], [2.0], [3.0]]), [2, 4, 6])
    >>> round(line.value([0.0], intercept=0.0), 6)  # (4 + 16 + 36) / 6
    9.333333
    >>> ps.solve(line, None, tol=1e-12).x.round(6).tolist()
    [2.0]
    """

    curvature = 1.0
    bounded_domain = False

    def __init__(
        self,
        X: Array,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        fit_intercept: bool = True,
    ) -> None:
        X = inputs.matrix(X)
        super().__init__(X, sample_weight, fit_intercept, None)
        self.targets = inputs.numbers("y", y, X.shape[:1], X.dtype)

    @cached_property
    def _null_offset(self) -> Array:
        return np.asarray(self.weights.mean(self.targets))

    @cached_property
    def _centred(self) -> Array:
        """The targets minus their mean where b is fitted: a far mean costs no digits."""
        if not self.fit_intercept:
            return self.targets
        return np.asarray(self.targets - self._null_offset, self.dtype)

    def _fit_offset(self, linear: Array, start: Array) -> tuple[Array, float, Array]:
        error = linear - self._centred
        shift = self.weights.mean(error)
        return self._null_offset - shift, *self._half_square(error - error.dtype.type(shift))

    def _pointwise(self, margins: Array, rows: Array | None = None) -> tuple[float, Array]:
        targets = self.targets if rows is None else self.targets[rows]
        return self._half_square(margins - targets, rows)

    def _half_square(self, error: Array, rows: Array | None = None) -> tuple[float, Array]:
        weights, factor = self.weights.kernel(rows)
        residual = error * error.dtype.type(factor)
        if weights is not None:
            residual *= weights
        return 0.5 * float(np.sum(error * residual, dtype=np.float64)), residual

    def hessian_product(self, residual: Array, direction: Array) -> Array:
        """Return ``W direction``."""
        return self.weights.times(direction)

    def conjugate(self, residual: Array, factor: float) -> float:
        """Return ``sum_i r_i y_i + r_i^2 / (2 w_i)`` at ``factor * residual``.

        With a fitted b the residual sums to zero, and y may be centred.
        """
        linear = float(np.sum(residual * self._centred, dtype=np.float64))
        square = float(np.sum(residual * self.weights.undo(residual), dtype=np.float64))
        return factor * linear + 0.5 * factor**2 * square
