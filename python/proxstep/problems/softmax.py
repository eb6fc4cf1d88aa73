"""Multinomial logistic loss."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from .. import _core
from ..arrays import Array
from . import inputs, targets
from .base import Problem
from .evaluator import Options
from .intercept import fit_vector
from .pointwise import Evaluation


class Softmax(Problem):
    """Weighted mean cross-entropy of the softmax of ``U = X x + b + offset``.

    ``sum_i w_i (log sum_c e^U_ic - sum_c t_ic U_ic) / sum_i w_i``, with the target t_i one-hot
    or a distribution. All classes have parameters, x of shape (p, classes) (the symmetric form);
    a fitted b has mean 0.

    Parameters
    ----------
    X : array or sparse matrix of float32 or float64, shape (n, p)
        Features, of NumPy, CuPy or torch, or CSR or CSC of SciPy or CuPy. Used as it is and where
        it is, in C or F order; only a strided view is copied.
    y : array_like, shape (n,) or (n, classes)
        Integer labels from 0, or probabilities whose rows sum to 1.
    sample_weight : array_like or None, shape (n,)
        Non-negative weights w. Like y, an array must lie where X lies.
    fit_intercept : bool
        Whether an unpenalised b of shape (classes,) is fitted.
    classes : int or None
        Number of classes; by default the largest label plus 1.
    offset : array_like or None, shape (n, classes)
        Known part of the margins, added to them.
    standardize : bool
        Whether solvers divide columns by their deviations, as glmnet does; see `LeastSquares`.

    Raises
    ------
    TypeError
        If X is not such a float array, or y is not real.
    ValueError
        If y, weights or offset lie elsewhere than X, a shape is wrong, a value is not finite, a
        label is out of range, or weights are negative or all zero. Solvers raise it if a
        class is absent and b is fitted: the best b is then infinite.

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
    rows_loss = "softmax"

    def __init__(
        self,
        X: Array,
        y: Any,
        sample_weight: Any = None,
        fit_intercept: bool = True,
        classes: int | None = None,
        *,
        offset: Any = None,
        standardize: bool = False,
    ) -> None:
        X = inputs.matrix(X)
        xp = inputs.namespace_of(X)
        self.exact_targets, self.classes = targets.class_targets(xp, y, X.shape[0], classes)
        options = Options(sample_weight, fit_intercept, offset, standardize)
        super().__init__(X, options, self.classes)

    @cached_property
    def class_shares(self) -> Any:
        """Weighted share of each class, float64, shape (classes,), on the host."""
        xp, w = self.xp, self.weights.of(slice(0, self.X.shape[0]))
        if self.targets.ndim == 2:
            return xp.to_host(w @ xp.asarray(self.targets, xp.float64))
        return np.bincount(xp.to_host(self.targets), xp.to_host(w), self.classes)

    @property
    def _size_of_loss(self) -> float:
        return super()._size_of_loss if self.known_margins is not None else math.log(self.classes)

    @cached_property
    def _null_offset(self) -> Any:
        if (self.class_shares == 0).any():
            absent = int(np.argmax(self.class_shares == 0))
            raise ValueError(
                f"the intercept is infinite: no sample has class {absent} of {self.classes}; "
                f"all are needed, or fit_intercept=False"
            )
        logs = np.log(self.class_shares)
        return logs - logs.mean()  # of no known part; a start beside one

    def intercept(self, at: Evaluation) -> Array:
        """Return the intercepts with mean 0: a shift of all classes changes nothing."""
        b = super().intercept(at)
        return b - b.mean() if self.fit_intercept else b

    def _fit_offset(self, linear: Array, start: Any) -> tuple[Any, float, Array]:
        return fit_vector(self, linear, start)

    def offset_hessian(self, residual: Array) -> Any:
        """Return ``sum_i w_i (diag(p_i) - p_i p_i')``, on the host.

        It is the second derivative by the intercepts; as p_i sums to 1, its rows sum to 0.
        """
        squares = self.weights.squares(self._probabilities(residual))
        return np.diag(squares.sum(axis=1)) - squares

    def _pointwise(self, margins: Array, rows: Array | None = None) -> tuple[float, Array]:
        residual = self.xp.empty_like(margins)
        t = self.targets if rows is None else self.targets[rows]
        margins = self.with_known(margins, rows)
        loss = _core.softmax_cross_entropy(margins, t, residual, *self.weights.kernel(rows))
        return float(loss), residual

    @property
    def largest_residuals(self) -> tuple[float, float]:
        """Bounds on a residual over its share, in the domain of F*: on an element, on the norm."""
        return 1.0, math.sqrt(2.0)  # two distributions are no further apart

    def hessian_product(self, residual: Array, direction: Array) -> Array:
        """Return ``w (diag(p) - p p') direction``, p the probabilities of each sample."""
        p = self._probabilities(residual)
        bend = p * direction
        return self.weights.times(bend - p * self.xp.sum(bend, axis=1, keepdims=True))

    def domain_factor(self, residual: Array) -> float:
        """Return 1 where the moved probabilities still are some, else 0: no factor mends them."""
        return float(not self.xp.is_any(~(self._probabilities(residual) >= -4 * self.eps)))

    def into_domain(self, residual: Array) -> Array:
        """Return that of probabilities nearby."""
        p = self.xp.maximum(self._probabilities(residual), 0)
        p /= -1 * self.xp.sum(p, axis=1, keepdims=True)
        return self.weights.times(-1 * self._add_targets(p))

    def conjugate(self, residual: Array, factor: float) -> float:
        """Return the mean of ``sum_c q_c log q_c`` at ``q = t + factor * (p - t)``.

        A known part o of the margins takes ``factor * <o, residual>`` off.
        """
        xp = self.xp
        q = self.weights.undo(residual)
        q *= factor
        q = xp.clip(self._add_targets(q), 0, 1)
        mean = self.weights.mean(xp.sum(inputs.xlogx(xp, q), axis=1))
        entropy, known = xp.read(mean, self.against_known(residual))
        return entropy - factor * known

    def _probabilities(self, residual: Array) -> Array:
        return self._add_targets(self.weights.undo(residual))

    def _add_targets(self, values: Array) -> Array:
        if self.targets.ndim == 2:
            values += self.targets
        else:
            values[self.xp.arange(values.shape[0]), self.targets] += 1
        return values
