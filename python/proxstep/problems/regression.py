"""What losses of the error ``u - y`` share: a known offset is part of y, and one conjugate."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from ..arrays import Array
from . import inputs, targets
from .base import Problem
from .evaluator import Options


class Regression(Problem):
    """A loss that is half the square of the error where its slope is not bounded."""

    curvature = 1.0
    many_outputs: ClassVar[bool] = False  # whether y may have columns

    def __init__(self, X: Array, y: Any, options: Options) -> None:
        X = inputs.matrix(X)
        xp = inputs.namespace_of(X)
        y = xp.bring("y", y)
        columns = y.shape[1] if self.many_outputs and y.ndim == 2 and y.shape[1] else None
        shape = (X.shape[0],) if columns is None else (X.shape[0], columns)
        self.exact_targets = targets.real_targets(xp, y, options.offset, shape, X.dtype)
        super().__init__(X, replace(options, offset=None), columns)

    @cached_property
    def _centred(self) -> Array:
        """The targets minus the null model where b is fitted: a far mean costs no digits."""
        if not self.fit_intercept:
            return self.targets
        null = self.xp.asarray(self._null_offset, self.xp.float64)
        return self.xp.asarray(self.xp.asarray(self.targets, self.xp.float64) - null, self.dtype)

    def conjugate(self, residual: Array, factor: float) -> float:
        """Return ``sum_i r_i y_i + r_i^2 / (2 w_i)`` at ``factor * residual``.

        With a fitted b the residual sums to zero, and y may be centred.
        """
        xp = self.xp
        products = residual * self._centred, residual * self.weights.undo(residual)
        linear, square = xp.read(*(xp.sum(values, dtype=xp.float64) for values in products))
        return factor * linear + 0.5 * factor**2 * square
