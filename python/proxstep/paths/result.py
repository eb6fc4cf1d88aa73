"""What a path returns: the points that were solved, and what can be read off them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..arrays import Array
from .criteria import Likelihood
from .figures import draw_path
from .point import Point

_SAME = 1e-9  # relative difference of two strengths that are meant to be the same


@dataclass(frozen=True, eq=False)
class Path:
    """Result of `proxstep.path`; a sequence of `Point`, on the host.

    All arrays have one entry a strength, L of them, the largest strength first. Of the parameters
    only the nonzeros are stored.

    Attributes
    ----------
    points : tuple of Point
        The solutions; ``path[i]`` is ``path.points[i]``.
    reason : str
        "finished", "stopped" (by ``until``), "interrupted" or "max_time"; later strengths are
        missing in the last three.
    tol : float
        The tolerance asked for.
    shape : tuple of int
        Shape of the parameters.
    """

    points: tuple[Point, ...]
    reason: str
    tol: float
    shape: tuple[int, ...]
    likelihood: Likelihood

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, i: int) -> Point:
        return self.points[i]

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)

    def __repr__(self) -> str:
        if not self.points:
            return f"Path(no strengths, {self.reason})"
        short = sum(not point.converged for point in self.points)
        return (
            f"Path({len(self)} strengths from {self[0].lam:.4g} to {self[-1].lam:.4g}, "
            f"{self.reason} in {self.seconds.sum():.3g} s: {self.nonzeros[0]} to "
            f"{self.nonzeros[-1]} nonzeros, {f'{short} not' if short else 'all'} converged)"
        )

    @cached_property
    def x(self) -> Array:
        """Parameters of all strengths, shape (L, p) or (L, p, classes).

        It is made when it is first asked for; where that is too large, ask a point for its x.
        """
        rows = [point.x for point in self.points]
        return np.stack(rows) if rows else np.zeros((0, *self.shape))

    @cached_property
    def lambdas(self) -> Array:
        """Strengths."""
        return self._column("lam")

    @cached_property
    def intercepts(self) -> Array:
        """Intercepts, shape (L,) or (L, classes)."""
        return self._column("intercept").reshape(len(self), *self.shape[1:])

    @cached_property
    def objectives(self) -> Array:
        """Losses plus penalties."""
        return self._column("objective")

    @cached_property
    def losses(self) -> Array:
        """Losses without the penalty."""
        return self._column("loss")

    @cached_property
    def gaps(self) -> Array:
        """Certificates relative to the null model."""
        return self._column("gap")

    @cached_property
    def n_iter(self) -> Array:
        """Iterations."""
        return np.array([point.n_iter for point in self.points], np.int64)

    @cached_property
    def seconds(self) -> Array:
        """Time of each solve."""
        return self._column("seconds")

    @cached_property
    def nonzeros(self) -> Array:
        """Number of parameters that are not zero."""
        return np.array([point.nonzeros for point in self.points], np.int64)

    @cached_property
    def reasons(self) -> tuple[str, ...]:
        """Why each solve stopped, as in `Result`."""
        return tuple(point.reason for point in self.points)

    def _column(self, name: str) -> Array:
        return np.array([getattr(point, name) for point in self.points], np.float64)

    def at(self, lam: float) -> Point:
        """Return the solved point whose strength is nearest to lam, by ratio.

        Nothing is interpolated: between two strengths no certificate would hold.

        Raises
        ------
        ValueError
            If lam lies outside the path.
        """
        if not self.points:
            raise ValueError(f"the path has no strengths: {self.reason}")
        high, low = self.lambdas[0], self.lambdas[-1]
        if not low * (1 - _SAME) <= lam <= high * (1 + _SAME):
            raise ValueError(f"lam is {lam}; the path has strengths from {high:g} to {low:g}")
        tiny = np.finfo(np.float64).tiny
        distance = np.abs(np.log(np.maximum(self.lambdas, tiny)) - np.log(max(lam, tiny)))
        return self[int(distance.argmin())]

    @property
    def degrees_of_freedom(self) -> Array:
        """The nonzeros: an unbiased estimate for the lasso (Zou, Hastie and Tibshirani 2007).

        For all other penalties and losses it is an approximation, too large where parameters are
        shrunk beyond the L1 norm's doing (an elastic net's l2, groups).
        """
        return self.nonzeros

    def aic(self, noise_variance: float | None = None) -> Array:
        """Return Akaike's criterion, up to a constant: ``-2 log L + 2 df``.

        L is the likelihood of the fitted mean: Gaussian for LeastSquares, the model's own for
        Logistic, Softmax and Poisson. The Gaussian's variance is its estimate at each strength
        unless it is given; estimated, it must not be trusted where the fit nears the data. df is
        `degrees_of_freedom`. Sample weights count relative to their mean.

        Parameters
        ----------
        noise_variance : float or None
            Variance of the noise, for LeastSquares.

        Raises
        ------
        TypeError
            If the loss is no likelihood.
        ValueError
            If a noise variance is not positive, or has no meaning for the loss.
        """
        return self._criterion(2.0, noise_variance)

    def bic(self, noise_variance: float | None = None) -> Array:
        """Return the Bayesian criterion, up to a constant: ``-2 log L + log(n) df``.

        n is the number of samples (of a positive weight); all else is as for `aic`.
        """
        return self._criterion(float(np.log(self.likelihood.samples)), noise_variance)

    def _criterion(self, price: float, noise_variance: float | None) -> Array:
        deviance = self.likelihood.deviance(self.losses, noise_variance)
        return deviance + price * self.degrees_of_freedom

    def plot(self, ax: Any = None, labels: Any = None) -> Any:
        """Plot the parameters over the strength, on a logarithmic axis; return the axes.

        The strength falls to the right; above stands the number of nonzeros. A strength of 0 has
        no place there and is left out.

        Parameters
        ----------
        ax : matplotlib axes or None
            Where to draw; by default a new figure.
        labels : sequence of str or None
            Names of the p parameters, written at the ends of their lines.

        Raises
        ------
        ImportError
            If matplotlib is not installed; the message says what to install.
        """
        return draw_path(self, ax, labels)
