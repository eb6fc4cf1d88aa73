"""Two-class logistic loss."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from . import inputs
from .base import Problem
from .inputs import Array
from .intercept import fit_scalar


class Logistic(Problem):
    """Weighted mean logistic loss, ``sum_i w_i (log(1 + e^u_i) - t_i u_i) / sum_i w_i``.

    The margins are ``u = X x + b``; the target t of a label is 0 or 1.

    Parameters
    ----------
    X : ndarray of float32 or float64, shape (n, p)
        Features. Used as it is, in C or F order; only a strided view is copied.
    y : array_like, shape (n,)
        Labels 0/1 or -1/1, or probabilities of class 1 in [0, 1].
    sample_weight : array_like or None, shape (n,)
        Non-negative weights w.
    fit_intercept : bool
        Whether an unpenalised b is fitted.

    Raises
    ------
    TypeError
        If X is not a float array, or y is not real.
    ValueError
        If a shape is wrong, a value is not finite, a label is out of range, or weights are
        negative or all zero. Solvers raise it if one class is absent and b is fitted: the best b
        is then infinite.

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
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        fit_intercept: bool = True,
    ) -> None:
        X = inputs.matrix(X)
        super().__init__(X, sample_weight, fit_intercept, None)
        self.targets = inputs.binary_targets(y, X.shape[0], X.dtype)

    @cached_property
    def _null_offset(self) -> Array:
        share = self.weights.mean(self.targets)
        rest = self.weights.mean(1 - self.targets)
        if share == 0 or rest == 0:
            raise ValueError(
                f"the intercept is infinite: the share of class 1 is {share:g}; both classes are "
                f"needed, or fit_intercept=False"
            )
        return np.asarray(np.log(share / rest))

    def _fit_offset(self, linear: Array, start: Array) -> tuple[Array, float, Array]:
        return fit_scalar(self, linear, start)

    def _pointwise(self, margins: Array, rows: Array | None = None) -> tuple[float, Array]:
        residual = np.empty_like(margins)
        targets = self.targets if rows is None else self.targets[rows]
        weights, factor = self.weights.kernel(rows)
        loss = _core.logistic_loss(margins, targets, residual, weights, factor)
        return float(loss), residual

    def hessian_product(self, residual: Array, direction: Array) -> Array:
        """Return ``w p (1 - p) direction``, p the probability of class 1."""
        p = self.targets + self.weights.undo(residual)
        return self.weights.times(p * (1 - p) * direction)

    def conjugate(self, residual: Array, factor: float) -> float:
        """Return the mean of ``q log q + (1 - q) log(1 - q)`` at ``q = t + factor * (p - t)``."""
        q = np.clip(self.targets + factor * self.weights.undo(residual), 0, 1)
        return self.weights.mean(inputs.xlogx(q) + inputs.xlogx(1 - q))
