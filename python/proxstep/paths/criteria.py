"""Information criteria along a path: minus twice the log-likelihood, plus a price per parameter.

Terms that are the same at every strength are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..arrays import Array
from ..checks import positive
from ..problems import LeastSquares, Logistic, Poisson, Problem, Softmax

_LOG_LIKELIHOODS = (Logistic, Softmax, Poisson)  # whose loss is half the mean deviance


@dataclass(frozen=True)
class Likelihood:
    """What the criteria need of a problem; samples without weight do not count."""

    name: str
    gaussian: bool
    known: bool
    samples: int
    outputs: int

    @classmethod
    def of(cls, problem: Problem) -> Likelihood:
        """Note it for later, so that a path does not hold X."""
        shares = problem.weights.exact
        n = problem.X.shape[0] if shares is None else np.count_nonzero(problem.xp.to_host(shares))
        gaussian = isinstance(problem, LeastSquares)
        known = gaussian or isinstance(problem, _LOG_LIKELIHOODS)
        return cls(type(problem).__name__, gaussian, known, int(n), math.prod(problem.shape[1:]))

    def deviance(self, losses: Array, noise_variance: float | None) -> Array:
        """Return minus twice the log-likelihood at each mean loss."""
        if not self.known:
            raise TypeError(f"{self.name} is not a likelihood; AIC and BIC need one")
        if not self.gaussian:
            if noise_variance is not None:
                raise ValueError(f"noise_variance is for least squares, the problem is {self.name}")
            return 2.0 * self.samples * losses
        if noise_variance is not None:
            positive("noise_variance", noise_variance)
            return 2.0 * self.samples * losses / noise_variance
        with np.errstate(divide="ignore"):
            return self.samples * self.outputs * np.log(2.0 * losses / self.outputs)
