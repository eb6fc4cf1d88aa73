"""Least squares with several targets that share their features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array
from ..problems import LeastSquares, Problem
from .base import sample_weights
from .forms import TaskForm
from .regressor import FittedRegressor, LinearRegressor


@dataclass(kw_only=True, repr=False, eq=False)
class MultiTaskRegressor(TaskForm, LinearRegressor):
    """Least squares with targets of shape (n, k)."""

    copy_X: bool = True
    random_state: Any = None
    selection: str = "cyclic"

    def _problem(self, X: Any, y: Any, sample_weight: Any) -> Problem:
        X, y = self._samples(X, y, y_numeric=True, multi_output=True)
        if y.ndim == 1:
            raise ValueError(f"For mono-task outputs, use Lasso: y has shape {y.shape}, not (n, k)")
        weights = sample_weights(sample_weight, X)
        return LeastSquares(X, y, weights, self.fit_intercept, standardize=self.standardize)

    def _keep(self, x: Array, intercept: Any) -> None:
        self.coef_ = np.ascontiguousarray(x.T)
        self.intercept_ = np.asarray(intercept)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags

    def _more_tags(self) -> dict[str, Any]:  # scikit-learn 1.5
        return {"multioutput": True, "multioutput_only": True}


@dataclass(repr=False, eq=False)
class MultiTaskLasso(MultiTaskRegressor, FittedRegressor):
    """Several targets, and one L2 norm for each feature: it serves all targets or none.

    ``sum_i w_i ||X_i x + b - y_i||^2 / (2 sum_i w_i) + alpha sum_j v_j ||x_j||``, as in
    scikit-learn's MultiTaskLasso, with a certificate, weights and sparse X.

    Parameters
    ----------
    alpha : float
        Strength, not negative.
    weights : array_like or None, shape (p,)
        Factors v of the penalty, one for each feature: 0 leaves it unpenalised, infinity excludes
        it. Not in scikit-learn.
    fit_intercept, standardize, tol, max_iter, max_time, warm_start
        As in `Lasso`.
    copy_X, random_state, selection
        Without effect, as in `Lasso`.

    Attributes
    ----------
    coef_ : ndarray, shape (k, p)
        Coefficients, of X's dtype; zeros are exact.
    intercept_ : ndarray, shape (k,)
        Intercepts.
    sparse_coef_, dual_gap_, converged_, n_iter_, result_
        As in `Lasso`, and so are ``n_features_in_`` and ``feature_names_in_``.

    References
    ----------
    Obozinski, Taskar, Jordan, *Joint covariate selection and joint subspace selection for multiple
    classification problems*, Statistics and Computing 20 (2010).

    Examples
    --------
    >>> import numpy as np
    >>> from proxstep.sklearn import MultiTaskLasso
    >>> X = np.random.default_rng(0).standard_normal((50, 3))
    >>> model = MultiTaskLasso(alpha=0.3).fit(X, X[:, :1] @ [[1.0, -2.0]])
    >>> (model.coef_ != 0).tolist()
    [[True, False, False], [True, False, False]]
    """

    alpha: float = 1.0
