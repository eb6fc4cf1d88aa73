"""Multinomial logistic loss."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from . import inputs
from .base import Problem
from .inputs import Array
from .intercept import fit_vector
from .pointwise import Evaluation


class Softmax(Problem):
    """Weighted mean cross-entropy of the softmax of ``U = X x + b``, x of shape (p, classes).

    ``sum_i w_i (log sum_c e^U_ic - sum_c t_ic U_ic) / sum_i w_i``, with the target t_i one-hot
    or a distribution. All classes have parameters (the symmetric form); a fitted b has mean 0.

    Parameters
    ----------
    X : ndarray of float32 or float64, shape (n, p)
        Features. Used as it is, in C or F order; only a strided view is copied.
    y : array_like, shape (n,) or (n, classes)
        Integer labels from 0, or probabilities whose rows sum to 1.
    sample_weight : array_like or None, shape (n,)
        Non-negative weights w.
    fit_intercept : bool
        Whether an unpenalised b of shape (classes,) is fitted.
    classes : int or None
        Number of classes; by default the largest label plus 1.

    Raises
    ------
    TypeError
        If X is not a float array, or y is not real.
    ValueError
        If a shape is wrong, a value is not finite, a label is out of range, or weights are
        negative or all zero. Solvers raise it if a class is absent and b is fitted: the best b
        is then infinite.

    Examples
    --------
    >>> import numpy as np
    >>> import proxstep as ps
    >>> corners = ps.Softmax(np.eye(3), [0, 1, 2])
    >>> corners.shape
    (3, 3)
    >>> round(corners.value(np.zeros((3, 3))), 6)  # log 3
    1.098612
    """

    curvature = 0.5  # Böhning 1992

    def __init__(
        self,
        X: Array,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        fit_intercept: bool = True,
        classes: int | None = None,
    ) -> None:
        X = inputs.matrix(X)
        self.targets, self.classes = inputs.class_targets(y, X.shape[0], classes, X.dtype)
        super().__init__(X, sample_weight, fit_intercept, self.classes)

    @cached_property
    def class_shares(self) -> Array:
        """Weighted share of each class, float64, shape (classes,)."""
        w = self.weights.of(slice(0, self.X.shape[0]))
        if self.targets.ndim == 2:
            return np.asarray(w @ self.targets)
        return np.bincount(self.targets, w, self.classes)

    @cached_property
    def _null_offset(self) -> Array:
        if (self.class_shares == 0).any():
            absent = int(np.argmax(self.class_shares == 0))
            raise ValueError(
                f"the intercept is infinite: no sample has class {absent} of {self.classes}; "
                f"all are needed, or fit_intercept=False"
            )
        logs = np.log(self.class_shares)
        return np.asarray(logs - logs.mean())

    def intercept(self, at: Evaluation) -> Array:
        """Return the intercepts with mean 0: a shift of all classes changes nothing."""
        b = super().intercept(at)
        return np.asarray(b - b.mean() if self.fit_intercept else b)

    def _fit_offset(self, linear: Array, start: Array) -> tuple[Array, float, Array]:
        return fit_vector(self, linear, start)

    def offset_hessian(self, residual: Array) -> Array:
        """Return the second derivative by the intercepts, ``sum_i w_i (diag(p_i) - p_i p_i')``."""
        p = self._probabilities(residual)
        weighted = self.weights.times(p)
        total = weighted.sum(axis=0, dtype=np.float64)
        return np.asarray(np.diag(total) - (weighted.T @ p).astype(np.float64))

    def _pointwise(self, margins: Array, rows: Array | None = None) -> tuple[float, Array]:
        residual = np.empty_like(margins)
        targets = self.targets if rows is None else self.targets[rows]
        weights, factor = self.weights.kernel(rows)
        loss = _core.softmax_cross_entropy(margins, targets, residual, weights, factor)
        return float(loss), residual

    def hessian_product(self, residual: Array, direction: Array) -> Array:
        """Return ``w (diag(p) - p p') direction``, p the probabilities of each sample."""
        p = self._probabilities(residual)
        bend = p * direction
        return self.weights.times(bend - p * bend.sum(axis=1, keepdims=True))

    def conjugate(self, residual: Array, factor: float) -> float:
        """Return the mean of ``sum_c q_c log q_c`` at ``q = t + factor * (p - t)``."""
        q = self._add_targets(factor * self.weights.undo(residual))
        return self.weights.mean(inputs.xlogx(np.clip(q, 0, 1)).sum(axis=1))

    def _probabilities(self, residual: Array) -> Array:
        return self._add_targets(self.weights.undo(residual))

    def _add_targets(self, values: Array) -> Array:
        if self.targets.ndim == 2:
            values += self.targets
        else:
            values[np.arange(values.shape[0]), self.targets] += 1
        return values
