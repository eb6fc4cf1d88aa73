"""Every estimator of proxstep.sklearn with settings that are not neutral, and data for each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")
datasets = pytest.importorskip("sklearn.datasets")
estimators = pytest.importorskip("proxstep.sklearn")

VERSION = tuple(int(v) for v in re.findall(r"\d+", sklearn.__version__)[:2])
L1_RATIO = {"l1_ratio": 1.0} if VERSION >= (1, 8) else {"penalty": "l1"}  # of LogisticRegression


@dataclass(frozen=True)
class Case:
    """An estimator for 6 features, and what it predicts."""

    make: Callable[[], Any]
    kind: str

    @property
    def name(self) -> str:
        return type(self.make()).__name__


WEIGHTS = (0.7, 1.9, 0.4, 1.2, 2.1, 0.9)

CASES = [
    Case(lambda: estimators.Lasso(0.07, weights=WEIGHTS), "number"),
    Case(lambda: estimators.Lasso(0.05, positive=True, weights=WEIGHTS), "number"),
    Case(lambda: estimators.ElasticNet(0.09, l1_ratio=0.3, weights=WEIGHTS), "number"),
    Case(lambda: estimators.ElasticNet(0.05, l1_ratio=0.6, positive=True), "number"),
    Case(lambda: estimators.GroupLasso([1, 2, 3], 0.08, group_weights="sqrt"), "number"),
    Case(lambda: estimators.GroupLasso([[4, 0], [1, 5, 2], [3]], 0.08), "number"),
    Case(
        lambda: estimators.SparseGroupLasso(
            [[5, 1], [0, 3], [2, 4]], 0.1, l1_ratio=0.4, weights=WEIGHTS, group_weights=[2, 0.7, 1]
        ),
        "number",
    ),
    Case(lambda: estimators.MultiTaskLasso(0.2, weights=WEIGHTS), "numbers"),
    Case(lambda: estimators.SparseLogisticRegression(C=0.6, weights=WEIGHTS), "two"),
    Case(lambda: estimators.SoftmaxRegression(C=0.7, l1_ratio=0.6, weights=WEIGHTS), "many"),
    Case(lambda: estimators.SoftmaxRegression("rows", C=0.4, weights=WEIGHTS), "many"),
    Case(lambda: estimators.SoftmaxRegression("rows", C=0.4, weights=WEIGHTS), "two"),
]

CV_CASES = [
    Case(lambda: estimators.LassoCV(alphas=30, weights=WEIGHTS), "number"),
    Case(lambda: estimators.LassoCV(alphas=[0.3, 0.01, 0.1], positive=True, cv=3), "number"),
    Case(lambda: estimators.ElasticNetCV(l1_ratio=[0.4, 0.9], alphas=9, cv=4), "number"),
    Case(lambda: estimators.GroupLassoCV([[4, 0], [1, 5, 2], [3]], alphas=20), "number"),
    Case(
        lambda: estimators.SparseGroupLassoCV(
            [[5, 1], [0, 3], [2, 4]], l1_ratio=0.3, alphas=9, weights=WEIGHTS
        ),
        "number",
    ),
    Case(lambda: estimators.MultiTaskLassoCV(alphas=9, weights=WEIGHTS, cv=3), "numbers"),
    Case(lambda: estimators.SparseLogisticRegressionCV(weights=WEIGHTS), "two"),
    Case(
        lambda: estimators.SoftmaxRegressionCV(
            Cs=3, eps=0.1, l1_ratios=(0.5, 1.0), scoring="accuracy", class_weight="balanced", cv=3
        ),
        "many",
    ),
    Case(lambda: estimators.SoftmaxRegressionCV("rows", Cs=[0.1, 1, 9], cv=3), "many"),
]


def named(case: Case) -> str:
    return f"{case.name}-{case.kind}"


each_cv = pytest.mark.parametrize("case", CV_CASES, ids=named)
each = pytest.mark.parametrize("case", CASES, ids=named)


@cache
def data(kind: str, n: int = 60) -> tuple[Any, Any, Any]:
    """Correlated columns of unequal scale, y of this kind, and weights of the samples."""
    rng = np.random.default_rng(5)
    mixed = rng.standard_normal((n, 6)) @ (np.eye(6) + 0.3 * rng.standard_normal((6, 6)))
    X = mixed * rng.uniform(0.4, 1.7, 6) + rng.normal(0, 0.7, 6)
    noise, w = rng.normal(0, 0.8, (n, 3)), rng.uniform(0.2, 2.3, n)
    scores = (X - X.mean(axis=0))[:, :3] * [1.3, -0.9, 0.7] + noise
    if kind == "number":
        return X, 2.1 + scores.sum(axis=1), w
    if kind == "numbers":
        return X, scores[:, :2] @ [[1.0, 0.4], [-0.3, 1.2]] - [0.4, 1.3], w
    if kind == "two":
        return X, np.where(scores[:, 0] > 0.3, "yes", "no"), w
    return X, np.array(["ash", "elm", "oak"])[scores.argmax(axis=1)], w


def margins(model: Any, X: Any) -> Any:
    """What the model predicts before any label."""
    return getattr(model, "decision_function", model.predict)(X)
