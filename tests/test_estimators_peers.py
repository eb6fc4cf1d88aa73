"""The same numbers as scikit-learn's, on its data sets and in the same script."""

from __future__ import annotations

import numpy as np
import pytest
from estimator_cases import L1_RATIO, VERSION, datasets, estimators
from scipy import sparse
from sklearn import linear_model


@pytest.fixture(autouse=True)
def one_blas_thread():
    """Small products in many threads crawl on a busy machine."""
    with pytest.importorskip("threadpoolctl").threadpool_limits(1, "blas"):
        yield


@pytest.fixture(scope="module")
def diabetes():
    X, y = datasets.load_diabetes(return_X_y=True)
    return X * 20 + 0.3, y


@pytest.fixture(scope="module")
def cancer():
    X, y = datasets.load_breast_cancer(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), np.array(["malign", "benign"])[y]


@pytest.fixture(scope="module")
def digits():
    X, y = datasets.load_digits(return_X_y=True)
    return X[::4] / 16, y[::4]


def shares(n):
    return np.resize([0.4, 1.7, 0.9, 2.2, 0.0], n)


REGRESSORS = [
    ("Lasso", {"alpha": 1.3}),
    ("Lasso", {"alpha": 0.4, "fit_intercept": False}),
    ("Lasso", {"alpha": 0.7, "positive": True}),
    ("ElasticNet", {"alpha": 0.3, "l1_ratio": 0.7}),
    ("ElasticNet", {"alpha": 0.3, "l1_ratio": 0.4, "positive": True}),
]


@pytest.mark.parametrize(("name", "settings"), REGRESSORS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("lay", [np.ascontiguousarray, sparse.csc_matrix])
def test_regressors(diabetes, name, settings, weighted, lay):
    X, y = diabetes
    X, w = lay(np.where(X < 0.2, 0.0, X)), shares(len(y)) if weighted else None
    ours = getattr(estimators, name)(tol=1e-13, **settings).fit(X, y, w)
    settings = settings | {"tol": 1e-12, "max_iter": 200_000}
    peer = getattr(linear_model, name)(**settings).fit(X, y, sample_weight=w)
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=0, atol=2e-4)
    assert ours.intercept_ == pytest.approx(peer.intercept_, abs=2e-4)
    assert ours.score(X, y, w) == pytest.approx(peer.score(X, y, w), abs=1e-7)
    assert ours.coef_.shape == peer.coef_.shape
    assert (ours.sparse_coef_ != sparse.csr_matrix(ours.coef_)).nnz == 0


@pytest.mark.parametrize("intercept", [True, False])
def test_many_targets(diabetes, intercept):
    X = diabetes[0][:, :7]
    y = np.column_stack([diabetes[1] / 50, diabetes[0][:, 7:]])
    ours = estimators.MultiTaskLasso(0.1, tol=1e-13, fit_intercept=intercept).fit(X, y)
    peer = linear_model.MultiTaskLasso(
        0.1, tol=1e-12, max_iter=200_000, fit_intercept=intercept
    ).fit(X, y)
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=0, atol=2e-5)
    np.testing.assert_allclose(ours.intercept_, peer.intercept_, rtol=0, atol=2e-5)
    np.testing.assert_allclose(ours.predict(X), peer.predict(X), rtol=0, atol=1e-4)
    assert ours.coef_.shape == (4, 7)
    w = shares(len(y))
    weighted = estimators.MultiTaskLasso(0.1, tol=1e-12).fit(sparse.csr_array(X), y, w)
    repeated = np.repeat(np.arange(len(y)), (10 * w).round().astype(int))
    again = estimators.MultiTaskLasso(0.1, tol=1e-12).fit(X[repeated], y[repeated])
    np.testing.assert_allclose(weighted.coef_, again.coef_, rtol=0, atol=2e-5)


def test_the_gap_is_in_units_of_the_objective(diabetes):
    X, y = diabetes
    ours = estimators.Lasso(0.7, tol=1e-3).fit(X, y)
    best = estimators.Lasso(0.7, tol=1e-12).fit(X, y)
    excess = ours.result_.objective - best.result_.objective
    assert 0 < excess <= ours.dual_gap_ <= 1e-3 * np.var(y) / 2


RATIOS = [{"l1_ratio": 1.0}, {"penalty": "l1"}, {"penalty": "l2"}, {"l1_ratio": 0.35},
          {"penalty": "elasticnet", "l1_ratio": 0.35}]  # fmt: skip


def logistic_peer(settings, **more):
    """scikit-learn's for these settings, under the names of its version."""
    ratio = {"l1": 1.0, "l2": 0.0}.get(settings.get("penalty"), settings.get("l1_ratio"))
    kind = {"l1_ratio": ratio}
    if VERSION < (1, 8):
        kind["penalty"] = "elasticnet"
    return linear_model.LogisticRegression(
        solver="saga", tol=1e-9, max_iter=100_000, random_state=0, **kind, **more
    )


@pytest.mark.parametrize("settings", RATIOS, ids=str)
@pytest.mark.parametrize("name", ["SparseLogisticRegression", "SoftmaxRegression"])
def test_two_classes(cancer, settings, name):
    X, y = cancer
    w = shares(len(y))
    more = {"C": 0.05, "class_weight": {"benign": 0.6, "malign": 2.3}}
    ours = getattr(estimators, name)(tol=1e-12, **settings, **more).fit(X, y, w)
    peer = logistic_peer(settings, **more).fit(X, y, w)
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=0, atol=2e-5)
    np.testing.assert_allclose(ours.intercept_, peer.intercept_, rtol=0, atol=2e-5)
    np.testing.assert_array_equal(ours.classes_, peer.classes_)
    same_answers(ours, peer, X)


def same_answers(ours, peer, X):
    np.testing.assert_array_equal(ours.predict(X), peer.predict(X))
    for method in ("decision_function", "predict_proba", "predict_log_proba"):
        mine, theirs = getattr(ours, method)(X), getattr(peer, method)(X)
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=3e-3)


def test_balanced_classes(cancer):
    X, y = cancer[0][150:], cancer[1][150:]
    settings = {"C": 0.02, "class_weight": "balanced"}
    ours = estimators.SparseLogisticRegression(tol=1e-12, **settings).fit(X, y)
    peer = logistic_peer({"l1_ratio": 1.0}, **settings).fit(X, y)
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=0, atol=2e-5)
    plain = estimators.SparseLogisticRegression(tol=1e-12, C=0.02).fit(X, y)
    assert np.abs(plain.coef_ - ours.coef_).max() > 1e-3


@pytest.mark.filterwarnings("ignore:.*L-BFGS-B:DeprecationWarning")  # of scikit-learn before 1.7
def test_many_classes(digits):
    """scikit-learn's optimum by lbfgs; under L1 no worse than saga's, for less time."""
    X, y = digits
    ours = estimators.SoftmaxRegression("l2", C=0.7, tol=1e-12).fit(X, y)
    peer = linear_model.LogisticRegression(C=0.7, tol=1e-10, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=0, atol=3e-5)
    assert ours.coef_.shape == (10, 64)
    same_answers(ours, peer, X)
    ours = estimators.SoftmaxRegression(C=0.7, tol=1e-9).fit(sparse.csr_matrix(X), y)
    saga = linear_model.LogisticRegression(
        C=0.7, solver="saga", tol=1e-6, max_iter=20_000, random_state=0, **L1_RATIO
    ).fit(X, y)
    assert -1e-9 <= loss(saga, X, y) - loss(ours, X, y) <= 1e-5


def loss(model, X, y):
    log_p = model.predict_log_proba(X)[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    return -log_p.mean() + np.abs(model.coef_).sum() / (0.7 * len(y))


def test_rows_serve_all_classes_or_none(digits):
    X, y = digits
    model = estimators.SoftmaxRegression("rows", C=0.05).fit(X, y)
    used = (model.coef_ != 0).any(axis=0)
    assert 3 < used.sum() < 40
    assert ((model.coef_ != 0).all(axis=0) == used).all()


SCRIPT = """
from {package} import Lasso, ElasticNet, {logistic} as LogisticRegression
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X, y = load_diabetes(return_X_y=True)
lasso = Lasso(alpha=0.1, max_iter=5000, random_state=0, selection="random", copy_X=False)
numbers = [lasso.fit(X, y).predict(X)]
net = ElasticNet(alpha=0.01, l1_ratio=0.8, precompute=True, fit_intercept=True)
numbers.append(cross_val_predict(make_pipeline(StandardScaler(), net), X, y, cv=4))
X, y = load_breast_cancer(return_X_y=True)
few = LogisticRegression(C=0.1, solver="saga", tol=1e-6, class_weight="balanced", max_iter=99_000,
                         random_state=0, **L1)
labels = [cross_val_predict(make_pipeline(StandardScaler(), few), X, y, cv=4)]
"""


@pytest.mark.parametrize("logistic", ["SparseLogisticRegression", "SoftmaxRegression"])
def test_a_script_runs_with_its_import_changed(logistic):
    theirs, ours = {"L1": L1_RATIO}, {"L1": L1_RATIO}
    exec(SCRIPT.format(package="sklearn.linear_model", logistic="LogisticRegression"), theirs)
    exec(SCRIPT.format(package="proxstep.sklearn", logistic=logistic), ours)
    np.testing.assert_allclose(ours["numbers"], theirs["numbers"], rtol=0, atol=0.5)
    np.testing.assert_array_equal(ours["labels"], theirs["labels"])
