"""What a cross-validation returns: held-out scores over the strengths, and two choices."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..arrays import Array
from .figures import draw_validation
from .point import Point
from .result import Path
from .scoring import Score


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Result of `proxstep.cross_validate`.

    Attributes
    ----------
    scores : array, shape (folds, L)
        Held-out mean loss, or score, of each fold at each strength; smaller is better.
    weights : array, shape (folds,)
        Weight of each fold's held-out samples, with the sum 1.
    folds : array of int, shape (folds,)
        Numbers of the folds; some are missing only where the run was cut short.
    path : Path
        The fits to all samples, at the same L strengths.
    seconds : float
        Wall-clock time.
    score : callable or None
        The score that was asked for.
    """

    scores: Array
    weights: Array
    folds: Array = field(repr=False)
    path: Path
    seconds: float
    score: Score | None = field(default=None, repr=False)

    @property
    def lambdas(self) -> Array:
        """Strengths, shape (L,)."""
        return self.path.lambdas

    @property
    def reason(self) -> str:
        """As in `Path`: "finished", "interrupted" or "max_time"."""
        return self.path.reason

    @cached_property
    def mean(self) -> Array:
        """Mean score over the folds at each strength, each fold by its weight."""
        return self.weights @ self.scores

    @cached_property
    def standard_error(self) -> Array:
        """Standard error of `mean`, from the spread of the folds; NaN for a single fold.

        With equal folds it is their standard deviation over the root of their number.
        """
        apart = self.scores - self.mean
        unit = abs(apart).max(initial=0.0) or 1.0  # whose square may overflow
        spread = self.weights @ (apart / unit) ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            return unit * np.sqrt(spread / np.float64(len(self.scores) - 1))

    @property
    def best_index(self) -> int:
        """Index of the strength with the smallest mean score, the largest of equals."""
        return int(np.argmin(self.mean))

    @property
    def one_standard_error_index(self) -> int:
        """Index of the largest strength within one standard error of the best mean score.

        Raises
        ------
        ValueError
            If there is one fold only.

        References
        ----------
        Hastie, Tibshirani and Friedman, *The Elements of Statistical Learning* (2009), 7.10.
        """
        if len(self.scores) < 2:
            raise ValueError(f"one fold ({self.reason}) gives no standard error; two or more do")
        best = self.best_index
        return int(np.argmax(self.mean <= self.mean[best] + self.standard_error[best]))

    @property
    def best(self) -> Point:
        """The fit to all samples at the best strength."""
        return self.path[self.best_index]

    @property
    def one_standard_error(self) -> Point:
        """The fit to all samples at the strength of the one-standard-error rule."""
        return self.path[self.one_standard_error_index]

    def __repr__(self) -> str:
        i = self.best_index
        text = (
            f"CrossValidation({len(self.scores)} folds, {len(self.lambdas)} strengths, "
            f"{self.reason} in {self.seconds:.3g} s: best at {self.best.lam:.4g} with "
            f"{self.mean[i]:.5g} ± {self.standard_error[i]:.2g} and {self.path.nonzeros[i]} "
            f"nonzeros"
        )
        if len(self.scores) < 2:
            return text + ")"
        one = self.one_standard_error_index
        nonzeros = self.path.nonzeros[one]
        return text + f"; one standard error at {self.lambdas[one]:.4g}, {nonzeros} nonzeros)"

    def plot(self, ax: Any = None) -> Any:
        """Plot mean score and standard error over the strength, and both choices; return the axes.

        Parameters
        ----------
        ax : matplotlib axes or None
            Where to draw; by default a new figure.

        Raises
        ------
        ImportError
            If matplotlib is not installed; the message says what to install.
        """
        return draw_validation(self, ax)
