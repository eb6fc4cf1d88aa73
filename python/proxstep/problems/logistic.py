"""Two-class logistic loss."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from .. import _core
from ..arrays import Array
from . import inputs, targets
from .base import Problem
from .evaluator import Options
from .intercept import fit_scalar


class Logistic(Problem):
    """Weighted mean logistic loss, ``sum_i w_i (log(1 + e^u_i) - t_i u_i) / sum_i w_i``.

    The margins are ``u = X x + b + offset``; the target t of a label is 0 or 1.

    Parameters
    ----------
    X : array or sparse matrix of float32 or float64, shape (n, p)
        Features, of NumPy, CuPy or torch, or CSR or CSC of SciPy or CuPy. Used as it is and where
        it is, in C or F order; only a strided view is copied.
    y : array_like, shape (n,)
        Labels 0/1 or -1/1, or probabilities of class 1 in [0, 1].
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
        label is out of range, or weights are negative or all zero. Solvers raise it if one
        class is absent and b is fitted: the best b is then infinite.

    Examples
    --------
    >>> import numpy as np
    >>> import proxstep as ps
    >>> two = ps.Logistic(np.array([[-1.0], [1.0]]), [0, 1])
    >>> round(two.value([0.0]), 6)  # log 2
    0.693147
    >>> round(two.lambda_max(ps.L1(1.0)), 6)
    0.5
    """

    curvature = 0.25

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
        self.exact_targets = targets.binary_targets(self.xp, y, X.shape[0])

    @property
    def loss_spec(self) -> tuple[str, list[float]]:
        """Name in the core's list of losses of one margin, and its settings."""
        return "logistic", []

    @cached_property
    def _null_offset(self) -> Any:
        means = (self.weights.mean(t) for t in (self.targets, 1 - self.targets))
        share, rest = self.xp.read(*means)
        if share == 0 or rest == 0:
            raise ValueError(
                f"the intercept is infinite: the share of class 1 is {share:g}; both classes are "
                f"needed, or fit_intercept=False"
            )
        return np.asarray(np.log(share / rest))  # of no known part; a start beside one

    def _fit_offset(self, linear: Array, start: Any) -> tuple[Any, float, Array]:
        return fit_scalar(self, linear, start)

    def _pointwise(self, margins: Array, rows: Array | None = None) -> tuple[float, Array]:
        residual = self.xp.empty_like(margins)
        t = self.targets if rows is None else self.targets[rows]
        margins = self.with_known(margins, rows)
        loss = _core.logistic_loss(margins, t, residual, *self.weights.kernel(rows))
        return float(loss), residual

    @property
    def largest_residuals(self) -> tuple[float, float]:
        """Bounds on a residual over its share, in the domain of F*: on an element, on the norm."""
        return 1.0, 1.0

    def hessian_product(self, residual: Array, direction: Array) -> Array:
        """Return ``w p (1 - p) direction``, p the probability of class 1."""
        p = self._probabilities(residual)
        return self.weights.times(p * (1 - p) * direction)

    def domain_factor(self, residual: Array) -> float:
        """Return 1 where the moved probabilities still are some, else 0."""
        p, rounding = self._probabilities(residual), 4 * self.eps
        return float(not self.xp.is_any(~(abs(p - 0.5) <= 0.5 + rounding)))

    def into_domain(self, residual: Array) -> Array:
        """Return that of the nearest probabilities."""
        p = self.xp.clip(self._probabilities(residual), 0, 1)
        return self.weights.times(p - self.targets)

    def _probabilities(self, residual: Array) -> Array:
        return self.targets + self.weights.undo(residual)

    def conjugate(self, residual: Array, factor: float) -> float:
        """Return the mean of ``q log q + (1 - q) log(1 - q)`` at ``q = t + factor * (p - t)``.

        A known part o of the margins takes ``factor * <o, residual>`` off.
        """
        xp = self.xp
        q = xp.clip(self.targets + factor * self.weights.undo(residual), 0, 1)
        mean = self.weights.mean(inputs.xlogx(xp, q) + inputs.xlogx(xp, 1 - q))
        entropy, known = xp.read(mean, self.against_known(residual))
        return entropy - factor * known
