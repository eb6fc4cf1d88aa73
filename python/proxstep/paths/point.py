"""The solution at one strength of a path, on the host."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ..arrays import Array
from ..margins import Margins
from .coefficients import Nonzeros


@dataclass(frozen=True, eq=False)
class Point(Margins):
    """The solution at one strength; what is not said here is as in `Result`.

    Attributes
    ----------
    lam : float
        Strength of the penalty.
    intercept : float or array of shape (classes,)
        Intercept for the X that was given.
    objective, loss : float
        Loss plus penalty, and the loss alone.
    gap : float
        The certificate, relative to the null model.
    reason, n_iter, seconds, certificate, solver
        As in `Result`.
    parameters : Nonzeros
        What is kept of x: the places and values of those that are not zero.
    """

    lam: float
    parameters: Nonzeros = field(repr=False)
    intercept: Any
    objective: float
    loss: float
    gap: float
    reason: str
    n_iter: int
    seconds: float
    certificate: str
    solver: str

    def among(self, rows: Array, shape: tuple[int, ...]) -> Point:
        """Return the point in the whole x, of which this one knows some rows."""
        return replace(self, parameters=self.parameters.among(rows, shape))

    @property
    def x(self) -> Array:
        """Parameters as a new array on the host, shape (p,) or (p, classes)."""
        return self.parameters.dense()

    @property
    def nonzeros(self) -> int:
        """How many parameters are not zero."""
        return int(self.parameters.index.size)

    @property
    def converged(self) -> bool:
        """Whether the certificate reached the tolerance."""
        return self.reason == "converged"
