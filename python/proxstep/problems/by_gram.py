"""Least squares by the Gram matrix: losses, gradients and duals without a pass over the samples.

With G = X_c' W X_c and the null model's loss L and gradient g: the loss is ``L + g'x + x'G x / 2``,
its gradient ``g + G x``. One matrix serves every strength of a path.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .. import _core
from ..arrays import Array
from .inputs import is_sparse
from .pointwise import Evaluation

if TYPE_CHECKING:
    from .least_squares import LeastSquares

_UNITS = 64.0  # of rounding, in a sum of products
_MOST = 2048  # columns: 32 MB
_RATE = 5e9  # multiplications a second to count on: one core with AVX-512 had 5e10
_COLUMNS = 40  # of a Gram matrix, that take as long as one product with X and one with X' there


class GramEvaluation(Evaluation):
    """A point whose margins are computed only where somebody asks for them."""

    problem: LeastSquares

    def __init__(self, problem: LeastSquares, x: Array, loss: float, gradient: Array) -> None:
        offset = problem.null.offset
        vars(self).update(problem=problem, x=x, offset=offset, loss=loss, gradient=gradient)

    @cached_property
    def by_samples(self) -> Evaluation:
        """The same point, evaluated over the samples."""
        return self.problem.evaluate(self.x)

    @property
    def linear(self) -> Array:
        """Margins, centred."""
        return self.by_samples.linear

    @property
    def residual(self) -> Array:
        """Derivative of the loss by the margins."""
        return self.by_samples.residual

    def conjugate(self, factor: float) -> float:
        """Return the loss's conjugate at ``factor`` times the residual r.

        That is ``factor <r, y> + factor^2 |r|^2 / 2`` in the samples' weights, where
        ``<r, y> = x'g - |r|^2`` and ``|r|^2`` is twice the loss.
        """
        against = float(self.x @ self.gradient) - 2.0 * self.loss
        return factor * against + factor**2 * self.loss


class KeptGram:
    """The Gram matrix of a problem on the host, in float64."""

    def __init__(self, problem: LeastSquares) -> None:
        self.problem = problem
        self.matrix = np.ascontiguousarray(problem.design.gram_of_columns())
        self.matrix[problem.design.constant] = 0.0  # of these columns it is rounding
        self.matrix[:, problem.design.constant] = 0.0
        self._columns = _core.Matrix(self.matrix.T)  # of which those are read whose x is not 0
        variances, means = self.matrix.diagonal(), problem.xp.to_host(problem.design.means)
        self._sizes, self._spreads = np.sqrt(variances + means**2), np.sqrt(variances)

    def evaluate(self, x: Array) -> GramEvaluation:
        """Evaluate at x, float64."""
        null = self.problem.null
        product = np.zeros_like(x)
        _core.add_product(self._columns, x, product)
        loss = null.loss + float(null.gradient @ x) + 0.5 * float(x @ product)
        return GramEvaluation(self.problem, x, max(0.0, loss), null.gradient + product)

    def rounding(self, x: Array) -> float:
        """Return how far an evaluation at x may be off, in units of the loss."""
        size = np.abs(x)
        return _UNITS * self.problem.eps * float(size @ self._sizes) * float(size @ self._spreads)


def gram_pays(problem: LeastSquares, times: int, seconds: float | None) -> bool:
    """Whether a Gram matrix costs less than so many fits do that read X, and is in time.

    It is no larger than half of X then.
    """
    n, p = problem.design.shape
    if seconds is not None and n * p * p > _RATE * seconds:
        return False
    small = 2 * p <= n and p <= min(_MOST, _COLUMNS * times)
    plain = len(problem.shape) == 1 and problem.xp.is_on_host and not is_sparse(problem.X)
    return small and plain
