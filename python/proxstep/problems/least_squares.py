"""Least squares: half the weighted mean squared error."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ..arrays import Array
from . import inputs
from .base import Problem


class LeastSquares(Problem):
    """Half the weighted mean squared error, ``sum_i w_i (X_i x + b - y_i)^2 / (2 sum_i w_i)``.

    With ``L1(lam)`` this is scikit-learn's Lasso with ``alpha = lam``.

    Parameters
    ----------
    X : array or sparse matrix of float32 or float64, shape (n, p)
        Features, of NumPy, CuPy or torch, or CSR or CSC of SciPy or CuPy. Used as it is and where
        it is, in C or F order; only a strided view is copied.
    y : array_like, shape (n,)
        Real targets.
    sample_weight : array_like or None, shape (n,)
        Non-negative weights w. Like y, an array must lie where X lies.
    fit_intercept : bool
        Whether an unpenalised b is fitted.

    Raises
    ------
    TypeError
        If X is not such a float array, or y is not real.
    ValueError
        If y or the weights lie elsewhere than X, a shape is wrong, a value is not finite, or
        weights are negative or all zero.

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
        y: Any,
        sample_weight: Any = None,
        fit_intercept: bool = True,
    ) -> None:
        X = inputs.matrix(X)
        super().__init__(X, sample_weight, fit_intercept, None)
        self.targets = inputs.numbers(self.xp, "y", y, (X.shape[0],), X.dtype)

    @property
    def loss_spec(self) -> tuple[str, list[float]]:
        """Name in the core's list of losses of one margin, and its settings."""
        return "square", []

    @cached_property
    def _null_offset(self) -> Any:
        return np.asarray(self.xp.read(self.weights.mean(self.targets))[0])

    @cached_property
    def _centred(self) -> Array:
        """The targets minus their mean where b is fitted: a far mean costs no digits."""
        if not self.fit_intercept:
            return self.targets
        exact = self.xp.asarray(self.targets, self.xp.float64) - float(self._null_offset)
        return self.xp.asarray(exact, self.dtype)

    def _fit_offset(self, linear: Array, start: Any) -> tuple[Any, float, Array]:
        error = linear - self._centred
        shift = self.weights.mean(error)
        residual, loss = self._half_square(error - self.xp.asarray(shift, error.dtype))
        moved, value = self.xp.read(shift, loss)
        return self._null_offset - moved, value, residual

    def _pointwise(self, margins: Array, rows: Array | None = None) -> tuple[float, Array]:
        targets = self.targets if rows is None else self.targets[rows]
        residual, loss = self._half_square(margins - targets, rows)
        return self.xp.read(loss)[0], residual

    def _half_square(self, error: Array, rows: Array | None = None) -> tuple[Array, Array]:
        """Return residual and loss, the loss not yet read."""
        weights, factor = self.weights.kernel(rows)
        residual = error * factor
        if weights is not None:
            residual *= weights
        return residual, 0.5 * self.xp.sum(error * residual, dtype=self.xp.float64)

    def hessian_product(self, residual: Array, direction: Array) -> Array:
        """Return ``W direction``."""
        return self.weights.times(direction)

    def conjugate(self, residual: Array, factor: float) -> float:
        """Return ``sum_i r_i y_i + r_i^2 / (2 w_i)`` at ``factor * residual``.

        With a fitted b the residual sums to zero, and y may be centred.
        """
        xp = self.xp
        products = residual * self._centred, residual * self.weights.undo(residual)
        linear, square = xp.read(*(xp.sum(values, dtype=xp.float64) for values in products))
        return factor * linear + 0.5 * factor**2 * square
