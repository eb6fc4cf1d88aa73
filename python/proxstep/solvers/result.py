"""What a solver returns: the solution, its certificate, and how it got there."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import Array, on_host
from ..margins import Margins
from ..plotting import pyplot


class ConvergenceWarning(UserWarning):
    """A solver stopped before its certificate reached the tolerance."""


@dataclass(frozen=True, eq=False)
class Trace:
    """The checks of a run, one entry each: arrays of equal length."""

    n_iter: Array
    objective: Array
    gap: Array
    seconds: Array


@dataclass(frozen=True, eq=False)
class Result(Margins):
    """Result of `proxstep.solve`.

    Attributes
    ----------
    x : array, shape (p,) or (p, classes)
        Solution, of the library and dtype of X, where X lies; zeros are exact.
    intercept : float or array of shape (classes,)
        Intercept for the X that was given (0 without ``fit_intercept``).
    objective : float
        Loss plus penalty.
    gap : float
        The certificate, relative to the null model; see ``certificate``.
    converged : bool
        Whether ``gap <= tol``.
    reason : str
        "converged", "max_iter", "max_time", "stalled" or "interrupted".
    n_iter : int
        Iterations.
    seconds : float
        Wall-clock time.
    tol : float
        The tolerance asked for.
    certificate : str
        "duality gap" or "optimality violation".
    solver : str
        Name of the solver that ran.
    history : Trace
        Iteration, objective, gap and seconds of every check.
    """

    x: Array
    intercept: Any
    objective: float
    gap: float
    converged: bool
    reason: str
    n_iter: int
    seconds: float
    tol: float
    certificate: str
    solver: str
    history: Trace = field(repr=False)

    @property
    def nonzeros(self) -> int:
        """How many parameters are not zero."""
        return int(np.count_nonzero(on_host(self.x)))

    def __repr__(self) -> str:
        sign = "<=" if self.converged else ">"
        return (
            f"Result({self.reason} after {self.n_iter} iterations of {self.solver} in "
            f"{self.seconds:.3g} s: objective {self.objective:.6g}, "
            f"{self.certificate} {self.gap:.2g} {sign} {self.tol:g}, "
            f"{self.nonzeros} of {math.prod(self.x.shape)} parameters are not zero)"
        )

    def plot(self, ax: Any = None) -> Any:
        """Plot the certificate over iterations; return the axes.

        Parameters
        ----------
        ax : matplotlib axes or None
            Where to draw; by default a new figure.

        Raises
        ------
        ImportError
            If matplotlib is not installed; the message says what to install.
        """
        ax = pyplot().subplots()[1] if ax is None else ax
        shown = np.isfinite(self.history.gap) & (self.history.gap > 0)
        ax.semilogy(self.history.n_iter[shown], self.history.gap[shown])
        ax.axhline(self.tol, color="gray", linestyle="--")
        ax.set(xlabel="iteration", ylabel=self.certificate)
        return ax
