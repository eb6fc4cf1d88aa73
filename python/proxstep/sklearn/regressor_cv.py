"""What cross-validated regressors share."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..paths.grid import Grid, Names
from .cross_validation import CrossValidated, Run, falling, listed
from .penalties import strength
from .regressor import LinearRegressor

_NAMES = Names(count="alphas", ratio="eps", given="alphas")


@dataclass(kw_only=True, repr=False, eq=False)
class RegressorCV(CrossValidated, LinearRegressor):
    """A regressor that chooses its strength; a form with an ``l1_ratio`` may have several."""

    eps: float = 1e-3
    alphas: Any = 100

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit all samples at each strength, and each fold; keep the chosen fit.

        Parameters, errors and warnings are those of the estimator of one strength. Besides,
        TypeError and ValueError are raised for a grid or folds that are not possible.
        """
        problem = self._problem(X, y, sample_weight)
        ratios = getattr(self, "l1_ratio", None)
        several = ratios if isinstance(ratios, Iterable) else [ratios]
        penalty_at = partial(self._penalty_at, 1.0, features=self.n_features_in_)
        runs = self._validate(problem, penalty_at, several)
        self.alpha_ = self._adopt(problem, runs)
        self._note(runs if several is ratios else runs[0], math.prod(problem.shape[1:]))
        return self

    def _note(self, runs: list[Run] | Run, targets: int) -> None:
        """Keep strengths and mean squared errors as scikit-learn shapes them."""
        if isinstance(runs, Run):
            self.alphas_ = runs.alphas
            self.mse_path_ = 2.0 * runs.validation.scores.T / targets
        else:
            self.alphas_ = np.array([run.alphas for run in runs])
            self.mse_path_ = np.array([2.0 * run.validation.scores.T / targets for run in runs])

    def _grid(self, unit: float) -> Grid:
        given = listed("alphas", self.alphas)
        if given is None:
            return Grid(100 if self.alphas is None else self.alphas, self.eps, names=_NAMES)
        checked = [strength(alpha, f"alphas[{i}]") for i, alpha in enumerate(given)]
        return Grid(lambdas=falling(checked, unit))
