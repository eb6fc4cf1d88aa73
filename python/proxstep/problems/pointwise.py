"""What a new loss has to give: formulas in the margins of the samples, and nothing about X.

Letters: u margins, F(u) the mean loss, r = dF/du the residual, b intercept.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from ..arrays import Array
from ..namespace import Namespace


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The loss at one point x, with everything that a solver reuses."""

    x: Array
    linear: Array  # X_c x
    offset: Any  # intercept in centred coordinates, float64, shape () or (k,), on the host
    loss: float
    residual: Array  # dF/du, shape of linear
    design: Any

    @cached_property
    def gradient(self) -> Array:
        """``X_c' residual``, of x's shape."""
        return self.design.adjoint(self.residual)


class Pointwise(ABC):
    """The formulas of a loss."""

    curvature: ClassVar[float]  # bound on the second derivative of one sample's loss, or inf
    least_loss: ClassVar[float] = 0.0  # no margins have a smaller loss
    rows_loss: ClassVar[str] = ""  # the core's name of it with several outputs
    exact_targets: Array  # float64, or labels
    targets: Array
    xp: Namespace

    @property
    def loss_spec(self) -> tuple[str, list[float]] | None:
        """Name in the core's list of losses of one margin, and its settings; else None."""
        return None

    @abstractmethod
    def _fit_offset(self, linear: Array, start: Any) -> tuple[Any, float, Array]:
        """Return the best offset, and loss and residual there."""

    @cached_property
    @abstractmethod
    def _null_offset(self) -> Any:
        """Intercept of the null model, on the host; ValueError where it is infinite."""

    @abstractmethod
    def _pointwise(self, margins: Array, rows: Array | None = None) -> tuple[float, Array]:
        """Return F and dF/du at these margins, of all samples or of some."""

    @property
    def largest_residuals(self) -> tuple[float, float]:
        """Bounds on a residual over its share, in the domain of F*: on an element, on the norm."""
        return math.inf, math.inf

    @property
    def first_curvature(self) -> float:
        """A second derivative to expect of one sample's loss: for the length of a first step."""
        return self.curvature

    @property
    def fit_units(self) -> tuple[float, float]:
        """What counts as 1 of a margin, and of the residual's sum, in the fit of an intercept."""
        return 1.0, 1.0

    @abstractmethod
    def hessian_product(self, residual: Array, direction: Array) -> Array:
        """Return ``F''(u) direction`` at the margins that gave this residual."""

    def domain_factor(self, residual: Array) -> float:
        """Return the largest c <= 1 for which ``F*(c residual)`` is finite, 0 for none.

        The residual is ``r - F''(u) direction`` of a true one, r. Rounding does not lead out.
        """
        return 1.0

    def into_domain(self, residual: Array) -> Array:
        """Return a residual nearby whose F* is finite, where `domain_factor` has none."""
        return residual

    @abstractmethod
    def conjugate(self, residual: Array, factor: float) -> float:
        """Return the conjugate ``F*(factor * residual)``, factor in [0, 1]."""

    def conjugate_at(self, at: Evaluation, factor: float) -> float:
        """Return the conjugate at a multiple of an evaluation's residual."""
        return self.conjugate(at.residual, factor)
