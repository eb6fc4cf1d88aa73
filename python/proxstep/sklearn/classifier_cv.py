"""What cross-validated classifiers share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array
from ..checks import nearest
from ..paths.grid import Grid, Names
from ..problems import Problem
from .classifier import LinearClassifier
from .cross_validation import CrossValidated, falling, listed
from .penalties import inverse_strength

_NAMES = Names(count="Cs", ratio="eps", given="Cs")
_SCORES = ("neg_log_loss", "accuracy")


@dataclass(kw_only=True, repr=False, eq=False)
class ClassifierCV(CrossValidated, LinearClassifier):
    """A classifier that chooses its strength, and its ratio if there are several."""

    Cs: Any = 10
    eps: float | None = None
    l1_ratios: Any = 1.0
    scoring: str | None = None

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit all samples at each strength, and each fold; keep the chosen fit.

        Parameters, errors and warnings are those of the estimator of one strength. Besides,
        TypeError and ValueError are raised for a grid or folds that are not possible.
        """
        problem = self._problem(X, y, sample_weight)
        ratios = self.l1_ratios if isinstance(self.l1_ratios, Iterable) else [self.l1_ratios]
        runs = self._validate(problem, lambda r: self._penalty_at(1.0, r, problem.shape), ratios)
        self.C_ = 1.0 / (self._adopt(problem, runs) * self._total)
        best = next(run for run in runs if run.validation is self.validation_)
        self.Cs_ = 1.0 / (best.alphas * self._total)
        return self

    def _grid(self, unit: float) -> Grid:
        given = listed("Cs", self.Cs)
        if given is None:
            return Grid(self.Cs, self.eps, names=_NAMES)
        total = self._total
        strengths = [inverse_strength(C, total, f"Cs[{i}]") for i, C in enumerate(given)]
        return Grid(lambdas=falling(strengths, unit))

    def _score(self, problem: Problem) -> Errors | None:
        if self.scoring in (None, "neg_log_loss"):
            return None
        if self.scoring != "accuracy":
            raise ValueError(f"scoring is {self.scoring!r}; {nearest(str(self.scoring), _SCORES)}")
        return Errors(problem.targets, problem.weights.exact)


@dataclass(frozen=True)
class Errors:
    """The weighted share of samples whose most probable class is another than theirs."""

    codes: Array
    weights: Array | None

    def __call__(self, margins: Array, rows: Array) -> float:
        """Return it for the margins of these rows."""
        found = margins > 0 if margins.ndim == 1 else margins.argmax(axis=1)
        of_row = None if self.weights is None else self.weights[rows]
        return float(np.average(found != self.codes[rows], weights=of_row))
