"""Huber's loss: squares for small errors, absolute values for large ones."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ..arrays import Array
from ..checks import positive
from .evaluator import Options
from .intercept import fit_scalar
from .one_margin import OneMargin
from .regression import Regression


class Huber(OneMargin, Regression):
    """Weighted mean of Huber's function of the errors ``e = X x + b - y``.

    ``e^2 / 2`` where ``|e| <= delta``, and ``delta (|e| - delta / 2)`` beyond: an outlier pulls
    with the force delta, however far it is.

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
    delta : float
        Largest error that counts as a square, in units of y; above 0. It is not scaled by an
        estimate of the noise, as scikit-learn's HuberRegressor does.
    offset : array_like or None, shape (n,)
        Known part of the prediction: the error is ``X x + b + offset - y``.
    standardize : bool
        Whether solvers divide columns by their deviations, as glmnet does; see `LeastSquares`.

    Raises
    ------
    TypeError
        If X is not such a float array, or y or delta is not real.
    ValueError
        If y, weights or offset lie elsewhere than X, a shape is wrong, a value is not finite,
        weights are negative or all zero, or delta is not positive.

    References
    ----------
    .. [1] Huber, "Robust estimation of a location parameter", Ann. Math. Stat. 1964.

    Examples
    --------
    >>> import numpy as np
    >>> import proxstep as ps
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0], [4.0]])
    >>> robust = ps.Huber(X, [0, 2, 4, 6, 100], delta=0.1)
    >>> ps.solve(robust, None, tol=1e-12).x.round(2).tolist()  # least squares finds 20.4
    [2.05]
    >>> round(ps.Huber(X, [0, 2, 4, 6, 9]).value([2.0], intercept=0.0), 3)  # half of 1, over 5
    0.1
    """

    def __init__(
        self,
        X: Array,
        y: Any,
        sample_weight: Any = None,
        fit_intercept: bool = True,
        *,
        delta: float = 1.35,
        offset: Any = None,
        standardize: bool = False,
    ) -> None:
        positive("delta", delta)
        self.delta = float(delta)
        super().__init__(X, y, Options(sample_weight, fit_intercept, offset, standardize))

    @property
    def largest_residuals(self) -> tuple[float, float]:
        """Bounds on a residual over its share, in the domain of F*: on an element, on the norm."""
        return self.delta, self.delta

    @property
    def loss_spec(self) -> tuple[str, list[float]]:
        """Name in the core's list of losses of one margin, and its settings."""
        return "huber", [self.delta]

    @cached_property
    def _null_offset(self) -> Any:
        """Weighted median of y, at most delta from the best intercept: a start that is near."""
        y = self.xp.to_host(self.targets)
        shares = self.xp.to_host(self.weights.of(slice(0, len(y))))
        order = np.argsort(y)
        below = int(np.count_nonzero(np.cumsum(shares[order]) < 0.5))
        return np.asarray(y[order[min(below, len(y) - 1)]], np.float64)

    @cached_property
    def fit_units(self) -> tuple[float, float]:
        """Size of the errors of the null model, at most delta."""
        spread = self.weights.mean(abs(self.targets - float(self._null_offset)))
        size = min(self.delta, self.xp.read(spread)[0]) or self.delta
        return size, size

    def _fit_offset(self, linear: Array, start: Any) -> tuple[Any, float, Array]:
        return fit_scalar(self, linear, start)

    def _value_and_slope(self, margins: Array, t: Array) -> tuple[Array, Array]:
        error = margins - t
        slope = self.xp.clip(error, -self.delta, self.delta)
        return slope * (error - 0.5 * slope), slope

    def hessian_product(self, residual: Array, direction: Array) -> Array:
        """Return ``W direction`` where the error is below delta, zeros elsewhere."""
        bends = abs(self.weights.undo(residual)) < self.delta * (1 - 4 * self.eps)
        return self.weights.times(bends * direction)

    def domain_factor(self, residual: Array) -> float:
        """Return the largest c <= 1 with all of ``c r / w`` within delta."""
        largest = self.xp.read(abs(self.weights.undo(residual)).max())[0]
        return min(1.0, self.delta / largest) if largest > 0 else 1.0
