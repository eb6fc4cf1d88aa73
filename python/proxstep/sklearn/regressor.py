"""What regressors share: least squares for the penalty of a form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scipy import sparse
from sklearn.base import RegressorMixin

from ..arrays import Array
from ..problems import LeastSquares, Problem
from .base import LinearEstimator, SingleFit, sample_weights
from .layout import Layout
from .penalties import strength


@dataclass(kw_only=True, repr=False, eq=False)
class Ignored:
    """Settings of scikit-learn's coordinate descent: taken so that scripts run, without effect."""

    precompute: Any = False
    copy_X: bool = True
    random_state: Any = None
    selection: str = "cyclic"


@dataclass(kw_only=True, repr=False, eq=False)
class LinearRegressor(RegressorMixin, LinearEstimator):  # type: ignore[misc]
    """Least squares with the penalty of a form; one target."""

    def _problem(self, X: Any, y: Any, sample_weight: Any) -> Problem:
        X, y = self._samples(X, y, y_numeric=True)
        weights = sample_weights(sample_weight, X)
        X = self._columns().arrange(X)
        return LeastSquares(X, y, weights, self.fit_intercept, standardize=self.standardize)

    def _columns(self) -> Layout:
        return self._layout(self.n_features_in_)

    def _layout(self, features: int) -> Layout:
        return Layout((1,) * features)

    def _keep(self, x: Array, intercept: Any) -> None:
        self.coef_ = self._columns().restore(x)
        self.intercept_ = intercept

    def predict(self, X: Any) -> Array:
        """Return ``X @ coef_.T + intercept_``, shape (n,) or (n, k)."""
        return self._margins(X)

    @property
    def sparse_coef_(self) -> Any:
        """The coefficients as a sparse matrix, shape (1, p) or (k, p)."""
        return sparse.csr_matrix(self.coef_)


@dataclass(kw_only=True, repr=False, eq=False)
class FittedRegressor(SingleFit, LinearRegressor):
    """A regressor of one strength, ``alpha``."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit the model.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, p)
            Features. float32 and float64, in C or F order, CSR and CSC are used as they are.
        y : array_like, shape (n,)
            Targets.
        sample_weight : array_like or None, shape (n,)
            Non-negative weights; only their ratios matter.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a setting is out of range, or X, y or the weights do not fit or are not finite.

        Warns
        -----
        ConvergenceWarning
            Once, if the certificate did not reach ``tol``.
        """
        problem = self._problem(X, y, sample_weight)
        ratio = getattr(self, "l1_ratio", None)
        penalty = self._penalty_at(strength(self.alpha), ratio, self.n_features_in_)
        x = self._solve(problem, penalty)
        self._keep(x, self.result_.intercept)
        return self

    def _start(self, shape: tuple[int, ...]) -> Array | None:
        start = super()._start(shape)
        return start if start is None else self._columns().arrange(start)
