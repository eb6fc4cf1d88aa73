"""What solvers use of a problem: the loss with its intercept fitted, the null model, batches.

Letters: x parameters, b intercept, X_c the centred X, u = X x + b margins, r = dF/du.
"""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import inputs
from .design import Design
from .inputs import Array
from .pointwise import Evaluation, Pointwise
from .weights import SampleWeights


class Evaluator(Pointwise):
    """A loss together with its data."""

    def __init__(
        self, X: Array, sample_weight: ArrayLike | None, fit_intercept: bool, outputs: int | None
    ) -> None:
        self.X = X
        self.fit_intercept = bool(fit_intercept)
        shares = inputs.sample_shares(sample_weight, X.shape[0])
        self.weights = SampleWeights(shares, X.shape[0], X.dtype)
        self.design = Design(X, self.weights, self.fit_intercept)
        self._outputs = () if outputs is None else (outputs,)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of x: (p,), or (p, classes)."""
        return self.X.shape[1:] + self._outputs

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of X, x and all products."""
        return self.design.dtype

    def evaluate(
        self, x: Array, linear: Array | None = None, start: Array | None = None
    ) -> Evaluation:
        """Evaluate at checked x; linear is ``X_c x`` if known, start a guess of the offset."""
        linear = self.design.product(x) if linear is None else linear
        if not self.fit_intercept:
            loss, residual = self._pointwise(linear)
            return Evaluation(x, linear, np.zeros(self._outputs), loss, residual)
        start = self._null_offset if start is None else start
        offset, loss, residual = self._fit_offset(linear, start)
        return Evaluation(x, linear, offset, loss, residual)

    def intercept(self, at: Evaluation) -> Array:
        """Return the intercept of an evaluation, for X as it was given."""
        return np.asarray(at.offset - self.design.means @ at.x, self.dtype)

    @cached_property
    def null(self) -> Evaluation:
        """The null model: x = 0 with the intercept fitted."""
        x = np.zeros(self.shape, self.dtype)
        return self.evaluate(x, np.zeros(self.X.shape[:1] + self._outputs, self.dtype))

    @cached_property
    def scale(self) -> float:
        """Loss of the null model, the unit of gaps and tolerances.

        Where y is constant that is rounding only, and the loss at margins of 0 stands for it.
        """
        at_zero = self._pointwise(np.zeros_like(self.null.linear))[0]
        vanishes = self.null.loss <= (16 * float(np.finfo(self.dtype).eps)) ** 2 * at_zero
        return (at_zero or 1.0) if vanishes else self.null.loss

    @cached_property
    def double(self) -> Any:
        """The same problem computing in float64, sharing X; itself if it already does."""
        if self.dtype == np.float64:
            return self
        other = copy.copy(self)
        for name in ("null", "scale", "class_shares", "_null_offset", "_centred"):
            other.__dict__.pop(name, None)
        other.design = self.design.in_double()
        other.weights = self.weights.in_double()
        if self.targets.dtype == np.float32:
            other.targets = self.targets.astype(np.float64)
            if other.targets.ndim == 2:  # distributions, to the last digit
                other.targets /= other.targets.sum(axis=1, keepdims=True)
        return other

    def loss(self, x: Array, intercept: Array) -> float:
        """Return the mean loss at checked x and intercept, NaN where they are."""
        return self._pointwise(self.X @ x + intercept)[0]

    def batch(self, rows: Array, x: Array, intercept: Array) -> tuple[float, Array, Array]:
        """Return loss and gradients on some rows, unbiased for the whole under sampling."""
        chosen = self.X[rows]
        loss, residual = self._pointwise(chosen @ x + intercept, rows)
        return loss, chosen.T @ residual, residual.sum(axis=0, keepdims=residual.ndim == 1)
