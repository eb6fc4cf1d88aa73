"""What classifiers share: labels, the loss of two or more classes, and what they predict."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import special
from sklearn.base import ClassifierMixin

from ..arrays import Array
from ..checks import nearest
from ..problems import Logistic, Problem, Softmax
from .base import LinearEstimator, SingleFit, sample_weights
from .labels import encoded, weighted
from .penalties import elastic, inverse_strength, per_feature, rows, split

_RATIOS = {"l1": 1.0, "l2": 0.0}
_PENALTIES = ("l1", "l2", "elasticnet", "rows")


@dataclass(kw_only=True, repr=False, eq=False)
class Ignored:
    """Settings of scikit-learn's solvers, which are taken so that scripts run, without effect."""

    dual: bool = False
    intercept_scaling: float = 1.0
    random_state: Any = None
    solver: str = "auto"
    verbose: int = 0
    n_jobs: Any = None


@dataclass(repr=False, eq=False)
class LinearClassifier(Ignored, ClassifierMixin, LinearEstimator):  # type: ignore[misc]
    """Two classes by `Logistic`, more by `Softmax`, with a penalty."""

    penalty: str | None = "elasticnet"
    _: KW_ONLY
    weights: Any = None
    class_weight: Any = None

    penalties: ClassVar[tuple[str, ...]] = _PENALTIES

    def _problem(self, X: Any, y: Any, sample_weight: Any) -> Problem:
        X, y = self._samples(X, y)
        self.classes_, codes = self._encoded(y)
        given = sample_weights(sample_weight, X)
        weights = weighted(given, self.class_weight, self.classes_, codes)
        self._total = float(len(codes) if weights is None else weights.sum())
        if len(self.classes_) == 2:
            return Logistic(X, codes, weights, self.fit_intercept, standardize=self.standardize)
        count = len(self.classes_)
        return Softmax(X, codes, weights, self.fit_intercept, count, standardize=self.standardize)

    def _encoded(self, y: Any) -> tuple[Array, Array]:
        return encoded(y)

    def _penalty_at(self, lam: float, l1_ratio: Any, shape: tuple[int, ...]) -> Any:
        if self.penalty is None:
            return None
        if self.penalty not in self.penalties:
            known = nearest(str(self.penalty), self.penalties)
            raise ValueError(f"penalty is {self.penalty!r}; {known}")
        weights = per_feature("weights", self.weights, shape[0])
        if self.penalty == "rows":
            return rows(lam, weights, shape)
        if weights is not None and len(shape) == 2:
            weights = np.broadcast_to(weights[:, None], shape)
        return elastic(*split(lam, _RATIOS.get(self.penalty, l1_ratio)), weights)

    def _keep(self, x: Array, intercept: Any) -> None:
        self.coef_ = np.ascontiguousarray(x.reshape(len(x), -1).T)
        self.intercept_ = np.atleast_1d(np.asarray(intercept))

    def decision_function(self, X: Any) -> Array:
        """Return the margins, shape (n,) for two classes (positive: the second), else (n, k)."""
        margins = self._margins(X)
        return margins[:, 0] if margins.shape[1] == 1 else margins

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each sample."""
        margins = self.decision_function(X)
        index = margins > 0 if margins.ndim == 1 else margins.argmax(axis=1)
        return self.classes_[index.astype(np.intp)]

    def predict_proba(self, X: Any) -> Array:
        """Return the probabilities of the classes in the order of ``classes_``, shape (n, k)."""
        return special.softmax(self._class_margins(X), axis=1)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of the probabilities, finite where these round to 0."""
        return special.log_softmax(self._class_margins(X), axis=1)

    def _class_margins(self, X: Any) -> Array:
        """Return margins whose softmax are the probabilities, shape (n, k)."""
        margins = self._margins(X)
        if margins.shape[1] > 1:
            return margins
        return np.column_stack([np.zeros_like(margins), margins])


@dataclass(kw_only=True, repr=False, eq=False)
class FittedClassifier(SingleFit, LinearClassifier):
    """A classifier of one strength, ``C * sum of losses + penalty``."""

    C: float = 1.0
    l1_ratio: float = 1.0

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit the model.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, p)
            Features. float32 and float64, in C or F order, CSR and CSC are used as they are.
        y : array_like, shape (n,)
            Labels: numbers, strings or booleans.
        sample_weight : array_like or None, shape (n,)
            Non-negative weights, times those of the classes; their sum counts, as C does.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a setting is out of range, X, y or the weights do not fit or are not finite, or
            there are fewer than two classes.

        Warns
        -----
        ConvergenceWarning
            Once, if the certificate did not reach ``tol``.
        """
        problem = self._problem(X, y, sample_weight)
        lam = inverse_strength(self.C, self._total)
        x = self._solve(problem, self._penalty_at(lam, self.l1_ratio, problem.shape))
        self._keep(x, self.result_.intercept)
        return self
