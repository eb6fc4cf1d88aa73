"""What every estimator shares: its settings, the checks of X, one run of the solver, its report.

Letters of scikit-learn: coef_ has shape (p,) or (outputs, p), where x of `ps.solve` has
(p,) or (p, outputs).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import exceptions
from sklearn.base import BaseEstimator
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ..arrays import Array
from ..paths import Point
from ..problems import Problem
from ..solvers.adapter import as_penalty
from ..solvers.arguments import checked_limits
from ..solvers.dispatch import solve_checked
from ..solvers.report import advice
from ..solvers.result import ConvergenceWarning as SolverWarning
from ..solvers.result import Result
from .compat import validate_data
from .settings import check_switches

_X_CHECKS: dict[str, Any] = {
    "accept_sparse": ("csr", "csc"),
    "dtype": (np.float64, np.float32),
}


class ConvergenceWarning(SolverWarning, exceptions.ConvergenceWarning):  # type: ignore[misc]
    """A fit stopped before its certificate reached ``tol``.

    It is both `proxstep.ConvergenceWarning` and scikit-learn's, so that a filter for either
    serves.
    """


@dataclass(kw_only=True, repr=False, eq=False)
class LinearEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn's types are not looked at
    """Settings of the solver, and what a fit leaves behind.

    The fields are the settings; scikit-learn reads them from the generated ``__init__``.
    """

    fit_intercept: bool = True
    standardize: bool = False
    tol: float = 1e-6
    max_iter: int = 10_000
    max_time: float | None = None

    def _samples(self, X: Any, y: Any, **settings: Any) -> Any:
        """Return what `fit` is given as `_checked` does, if the switches are switches."""
        check_switches(self)
        return self._checked(X, y, **settings)

    def _checked(self, X: Any, *y: Any, **settings: Any) -> Any:
        """Return X (and y) as arrays; X keeps its dtype, order and memory where it can."""
        return validate_data(self, X, *y, **_X_CHECKS, **settings)

    def _record(self, problem: Problem, run: Result | Point) -> None:
        self.n_iter_ = max(1, run.n_iter)  # the check of the start is one
        self.converged_ = run.converged
        is_gap = run.certificate == "duality gap"
        self.dual_gap_ = run.gap * problem.double.scale if is_gap else np.nan

    def _margins(self, X: Any) -> Array:
        """Return ``X coef_' + intercept_``."""
        check_is_fitted(self)
        X = self._checked(X, reset=False)
        products = safe_sparse_dot(X, self.coef_.T, dense_output=True)
        return np.asarray(products + self.intercept_, products.dtype)  # the intercept is float64

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@dataclass(kw_only=True, repr=False, eq=False)
class SingleFit(LinearEstimator):
    """One run of `proxstep.solve` a fit."""

    warm_start: bool = False

    def _solve(self, problem: Problem, penalty: Any) -> Array:
        """Return x, and warn whoever called the method that calls this one."""
        limits = checked_limits(self.tol, self.max_iter, self.max_time)
        last = self._start(problem.shape)
        start = None if last is None else problem.start(last)
        result = solve_checked(problem, as_penalty(penalty), limits, start, "auto")
        self.result_ = result
        self._record(problem, result)
        if not result.converged and result.reason != "interrupted":
            words = f"{type(self).__name__}: {advice(result)}"
            warnings.warn(words, ConvergenceWarning, stacklevel=3)
        return result.x

    def _start(self, shape: tuple[int, ...]) -> Array | None:
        """Return the last solution, if it is wanted and has the shape."""
        coef = getattr(self, "coef_", None) if self.warm_start else None
        if coef is None or coef.T.shape not in (shape, (*shape, 1)):
            return None
        return coef.T.reshape(shape)


def sample_weights(given: Any, X: Any) -> Array | None:
    """Return one weight for each sample in float64; a number stands for all."""
    return None if given is None else _check_sample_weight(given, X, dtype=np.float64)
