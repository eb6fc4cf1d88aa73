"""What solvers use of a problem: the loss with its intercept fitted, the null model, batches.

Letters: x parameters, b intercept, X_c the centred X, u = X x + b margins, r = dF/du.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .. import _core
from ..arrays import Array
from . import inputs
from .cached import Cached
from .design import Design
from .pointwise import Evaluation, Pointwise
from .sparse import SparseDesign
from .standardized import Operator, StandardizedDesign
from .weights import SampleWeights


@dataclass(frozen=True)
class Options:
    """What a user may say beside X and y, whatever the loss."""

    sample_weight: Any
    fit_intercept: bool
    offset: Any
    standardize: bool


class Evaluator(Cached, Pointwise):
    """A loss together with its data. Parameters, margins and residuals lie with X.

    Targets and known margins are kept as given, in float64: a float32 X rounds copies of them.
    Evaluations are in the units of the design, users' parameters in those of X.
    """

    def __init__(self, X: Array, options: Options, outputs: int | None) -> None:
        self.X = X
        self.fit_intercept = bool(options.fit_intercept)
        self.xp = inputs.namespace_of(X)
        shares = inputs.sample_shares(self.xp, options.sample_weight, X.shape[0])
        self.weights = SampleWeights(self.xp, shares, X.shape[0], X.dtype)
        kind = SparseDesign if inputs.is_sparse(X) else Design
        plain = kind(X, self.weights, self.fit_intercept)
        plain.check_finite()
        self.standardize = bool(options.standardize)
        self.design: Operator = StandardizedDesign(plain) if self.standardize else plain
        self._outputs = () if outputs is None else (outputs,)
        self.exact_margins = self._known(options.offset)

    def _known(self, offset: Any) -> Array | None:
        if offset is None:
            return None
        shape = (self.X.shape[0], *self._outputs)
        return inputs.exact_numbers(self.xp, "offset", offset, shape, self.X.dtype)

    @cached_property
    def targets(self) -> Array:
        """The targets in the dtype of the products, or labels."""
        exact = self.exact_targets
        return exact if exact.dtype == self.xp.int64 else self.xp.asarray(exact, self.dtype)

    @cached_property
    def known_margins(self) -> Array | None:
        """The known part of the margins in that dtype."""
        exact = self.exact_margins
        return None if exact is None else self.xp.asarray(exact, self.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of x: (p,), or (p, classes)."""
        return (self.X.shape[1], *self._outputs)

    @property
    def dtype(self) -> Any:
        """Dtype of X, x and all products."""
        return self.design.dtype

    @property
    def eps(self) -> float:
        """Rounding unit of the dtype."""
        return self.xp.eps(self.dtype)

    def start(self, x0: Any) -> Array:
        """Return a start in the units of the design: zeros, or a user's checked x0."""
        return self.design.from_given(inputs.start_point(self.xp, x0, self.shape, self.dtype))

    def evaluate(
        self, x: Array, linear: Array | None = None, start: Any | None = None
    ) -> Evaluation:
        """Evaluate at checked x; linear is ``X_c x`` if known, start a guess of the offset."""
        self._check_stream()
        linear = self.design.product(x) if linear is None else linear
        if not self.fit_intercept:
            loss, residual = self._pointwise(linear)
            return Evaluation(x, linear, np.zeros(self._outputs), loss, residual, self.design)
        start = self._null_offset if start is None else start
        offset, loss, residual = self._fit_offset(linear, start)
        return Evaluation(x, linear, offset, loss, residual, self.design)

    def _check_stream(self) -> None:
        """Refuse a stream that only the core would follow, beside products by X's library."""
        if not self.xp.is_on_host and _core.chosen_stream() is not None:
            raise ValueError(
                "problems work in the current stream of X's library; make a stream current there "
                "instead of by proxstep.cuda.stream"
            )

    def shifted(self, margins: Array, offset: Any) -> Array:
        """Add an offset (on the host, in float64) to the margins of all samples."""
        return margins + (self.xp.asarray(offset, margins.dtype) if offset.ndim else float(offset))

    def intercept(self, at: Evaluation) -> Array:
        """Return the intercept of an evaluation, for X as it was given."""
        x = self.design.to_given(at.x)
        b = at.offset - self.xp.to_host(self.design.unscaled.shift(x))
        return self.xp.asarray(b, self.dtype)

    @cached_property
    def null(self) -> Evaluation:
        """The null model: x = 0 with the intercept fitted."""
        return self.evaluate(self.xp.zeros(self.shape, self.dtype), self._zero_margins())

    @cached_property
    def null_slope(self) -> float:
        """Bound on the null model's slope in any parameter, by Cauchy and Schwarz."""
        residual = self.null.residual
        square = self.xp.sum(residual * self.weights.undo(residual), dtype=self.xp.float64)
        return math.sqrt(self.xp.read(square)[0]) * math.sqrt(self.design.scales.max(initial=0.0))

    @cached_property
    def scale(self) -> float:
        """Loss of the null model, the unit of gaps and tolerances.

        Where y is constant that is rounding only, and the loss at margins of 0 stands for it.
        """
        return self._size_of_loss if self.null_is_exact else self.null.loss

    @cached_property
    def null_is_exact(self) -> bool:
        """Whether all that is left of the null model's loss is rounding: y is constant."""
        return bool(self.null.loss <= (16 * self.eps) ** 2 * self._size_of_loss)

    @property
    def _size_of_loss(self) -> float:
        """A positive loss of margins that know nothing of y."""
        return self._pointwise(self._zero_margins())[0] or 1.0

    def with_known(self, margins: Array, rows: Array | None = None) -> Array:
        """Add the known part of the margins, of all samples or of some."""
        known = self.known_margins
        if known is None:
            return margins
        return margins + (known if rows is None else known[rows])

    def against_known(self, residual: Array) -> Array | float:
        """Return the product of a residual and the known part of the margins, not yet read."""
        return 0.0 if self.known_margins is None else self.xp.vdot(self.known_margins, residual)

    def _zero_margins(self) -> Array:
        return self.xp.zeros((self.X.shape[0], *self._outputs), self.dtype)

    @cached_property
    def double(self) -> Any:
        """The same problem computing in float64, sharing X; itself if it already does."""
        if self.dtype == self.xp.float64:
            return self
        return self._with(self.weights.in_double(), self.design.in_double())

    def restricted(self, columns: Any) -> Any:
        """Return the problem over some of the columns (numbers on the host), copied."""
        other = self._with(self.weights, self.design.restricted(columns))
        other.X = other.design.X
        return other

    @cached_property
    def descent(self) -> _core.Descent:
        """Native coordinate descent on this problem, computing in float64; what it learns stays."""
        name, settings = self.loss_spec or ("", [])
        host, shares = self.xp.to_host, self.weights.exact
        return _core.Descent(
            self.design.matrix,
            name,
            settings,
            host(self.targets),
            None if shares is None else host(shares),
            host(self.design.means) if self.fit_intercept else None,
        )

    @cached_property
    def rows_descent(self) -> _core.RowsDescent:
        """The same for several outputs, in blocks of one row of x."""
        host, shares = self.xp.to_host, self.weights.exact
        return _core.RowsDescent(
            self.design.matrix,
            self.shape[1],
            self.rows_loss,
            host(self.targets),
            None if shares is None else host(shares),
            host(self.design.means) if self.fit_intercept else None,
        )

    def _with(self, weights: SampleWeights, design: Operator) -> Any:
        """Return the same problem over these, without what was computed so far."""
        other = object.__new__(type(self))
        vars(other).update(self.without_caches(), weights=weights, design=design)
        vars(other).pop("gram", None)
        return other

    def loss_at(self, margins: Array) -> float:
        """Return the mean loss at margins that include the intercept."""
        return self._pointwise(margins)[0]

    def loss(self, x: Array, intercept: Array) -> float:
        """Return the mean loss at checked x and intercept, NaN where they are."""
        return self._pointwise(self.X @ x + intercept)[0]

    def batch(self, rows: Array, x: Array, intercept: Array) -> tuple[float, Array, Array]:
        """Return loss and gradients on some rows, unbiased for the whole under sampling."""
        chosen = self.X[rows]
        loss, residual = self._pointwise(chosen @ x + intercept, rows)
        return loss, chosen.T @ residual, residual.sum(axis=0, keepdims=residual.ndim == 1)
