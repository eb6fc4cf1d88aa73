"""Poisson regression with the log link."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from ..arrays import Array
from . import inputs, targets
from .evaluator import Options
from .intercept import fit_scalar
from .one_margin import OneMargin


class Poisson(OneMargin):
    """Weighted mean of ``e^u - y u - (y - y log y)``, half the Poisson deviance of the mean e^u.

    The margins are ``u = X x + b + offset``: an exposure t has the offset ``log t``. What is
    subtracted from the negative log-likelihood is its least value, so that the loss is never
    negative, and gaps are relative to half the deviance of the null model. With
    ``SquaredL2(alpha)`` this is scikit-learn's PoissonRegressor.

    The second derivative e^u has no bound: `lipschitz` is infinite, and solvers shorten their
    steps until the loss allows them, with nothing to fall back on.

    Parameters
    ----------
    X : array or sparse matrix of float32 or float64, shape (n, p)
        Features, of NumPy, CuPy or torch, or CSR or CSC of SciPy or CuPy. Used as it is and where
        it is, in C or F order; only a strided view is copied.
    y : array_like, shape (n,)
        Counts or rates, not negative.
    sample_weight : array_like or None, shape (n,)
        Non-negative weights w. Like y, an array must lie where X lies.
    fit_intercept : bool
        Whether an unpenalised b is fitted.
    offset : array_like or None, shape (n,)
        Known part of the margins, added to them.
    standardize : bool
        Whether solvers divide columns by their deviations, as glmnet does; see `LeastSquares`.

    Raises
    ------
    TypeError
        If X is not such a float array, or y is not real.
    ValueError
        If y, weights or offset lie elsewhere than X, a shape is wrong, a value is not finite, a
        count is negative, or weights are negative or all zero. Solvers raise it if all counts are
        zero and b is fitted: the best b is then minus infinity.

    Examples
    --------
    >>> import numpy as np
    >>> import proxstep as ps
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> growth = ps.Poisson(X, [1, 2, 4])
    >>> ps.solve(growth, None, tol=1e-12).x.round(6).tolist()  # log 2
    [0.693147]
    >>> round(growth.value([0.0], intercept=0.0), 6)  # (3 - 7 + 2 log 2 + 4 log 4) / 3
    0.977157
    """

    curvature = math.inf

    def __init__(
        self,
        X: Array,
        y: Any,
        sample_weight: Any = None,
        fit_intercept: bool = True,
        *,
        offset: Any = None,
        standardize: bool = False,
    ) -> None:
        X = inputs.matrix(X)
        super().__init__(X, Options(sample_weight, fit_intercept, offset, standardize), None)
        self.exact_targets = targets.counts(self.xp, y, X.shape[0], X.dtype)

    @property
    def loss_spec(self) -> tuple[str, list[float]]:
        """Name in the core's list of losses of one margin, and its settings."""
        return "poisson", []

    @property
    def first_curvature(self) -> float:
        """The largest mean of the null model."""
        return self.xp.read(self._means(self.null.residual).max())[0]

    @property
    def fit_units(self) -> tuple[float, float]:
        """One, as of every exponent, and the mean of y."""
        return 1.0, self._mean_count

    @property
    def _size_of_loss(self) -> float:
        return super()._size_of_loss + self._mean_count

    @cached_property
    def _mean_count(self) -> float:
        return self.xp.read(self.weights.mean(self.targets))[0]

    @cached_property
    def _null_offset(self) -> Any:
        if self._mean_count == 0:
            raise ValueError(
                "the intercept is infinite: every count is zero (where it has weight); a positive "
                "one is needed, or fit_intercept=False"
            )
        return self._balanced(self._zero_margins())

    def _balanced(self, linear: Array) -> Any:
        """Return the intercept with which the mean of ``e^u`` is that of y."""
        xp, shares = self.xp, self.weights.of(slice(0, len(linear)))
        u = xp.asarray(self.with_known(linear), xp.float64)
        u = xp.where(shares > 0, u, -math.inf)
        largest = u.max()
        top, total = xp.read(largest, xp.weighted_sum(shares, xp.exp(u - largest)))
        return np.asarray(math.log(self._mean_count / total) - top)

    def _fit_offset(self, linear: Array, start: Any) -> tuple[Any, float, Array]:
        return fit_scalar(self, linear, self._balanced(linear))

    def _value_and_slope(self, margins: Array, t: Array) -> tuple[Array, Array]:
        xp = self.xp
        d = margins - xp.log(xp.where(t > 0, t, 1))
        slope = xp.exp(margins) - t
        return xp.where(t > 0, t * (xp.expm1(d) - d), slope), slope

    def _means(self, residual: Array) -> Array:
        return self.xp.maximum(self.targets + self.weights.undo(residual), 0)

    def hessian_product(self, residual: Array, direction: Array) -> Array:
        """Return ``w e^u direction``."""
        return self.weights.times(self._means(residual) * direction)

    def domain_factor(self, residual: Array) -> float:
        """Return 1 where the moved means still are some, else 0."""
        means = self.targets + self.weights.undo(residual)
        return float(not self.xp.is_any(~(means >= -4 * self.eps * (1 + self.targets))))

    def into_domain(self, residual: Array) -> Array:
        """Return that of the nearest means."""
        return self.weights.times(self._means(residual) - self.targets)

    def conjugate(self, residual: Array, factor: float) -> float:
        """Return the mean of ``q log q - q - (y log y - y)`` at ``q = y + factor * (e^u - y)``.

        As ``q log(q / y) - (q - y) + (q - y) log y``, which does not cancel for large counts. A
        known part o of the margins takes ``factor * <o, residual>`` off.
        """
        xp, t = self.xp, self.targets
        change = factor * self.weights.undo(residual)
        unit = xp.where(t > 0, t, 1)
        q = xp.maximum(t + change, 0)
        logs = xp.where(
            t > 0,
            xp.log1p(xp.maximum(change / unit, self.eps - 1)),
            xp.log(xp.maximum(q, xp.tiny(q.dtype))),
        )
        mean = self.weights.mean(q * logs - change + change * xp.log(unit))
        entropy, known = xp.read(mean, self.against_known(residual))
        return entropy - factor * known
