"""ps.path and ps.cross_validate beside scikit-learn's, on its bundled data and the same folds."""

from __future__ import annotations

import re

import numpy as np
import proxstep as ps
import pytest

sklearn = pytest.importorskip("sklearn")
datasets = pytest.importorskip("sklearn.datasets")
linear_model = pytest.importorskip("sklearn.linear_model")
selection = pytest.importorskip("sklearn.model_selection")

VERSION = tuple(int(v) for v in re.findall(r"\d+", sklearn.__version__)[:2])
L1_SETTINGS = {"l1_ratio": 1.0} if VERSION >= (1, 8) else {"penalty": "l1"}
PRECISE = {"tol": 1e-10, "max_iter": 100_000}


@pytest.fixture(autouse=True)
def one_blas_thread():
    """Small products in many threads crawl on a busy machine."""
    with pytest.importorskip("threadpoolctl").threadpool_limits(1, "blas"):
        yield


@pytest.fixture(scope="module")
def diabetes():
    return datasets.load_diabetes(return_X_y=True)


@pytest.fixture(scope="module")
def cancer():
    X, y = datasets.load_breast_cancer(return_X_y=True)
    return ((X - X.mean(axis=0)) / X.std(axis=0))[:560, ::3], y[:560]


@pytest.mark.parametrize("ratio", [1.0, 0.4])
def test_paths(diabetes, ratio):
    X, y = diabetes[0] - diabetes[0].mean(axis=0), diabetes[1] - diabetes[1].mean()
    lambdas, coefs, _ = linear_model.enet_path(X, y, l1_ratio=ratio, eps=1e-2, alphas=25, **PRECISE)
    penalty = ps.ElasticNet(5 * ratio, 5 * (1 - ratio))
    ours = ps.path(ps.LeastSquares(*diabetes), penalty, 25, lambda_ratio=1e-2, tol=1e-11)
    np.testing.assert_allclose(ours.lambdas, lambdas * ratio, rtol=1e-9)
    np.testing.assert_allclose(ours.x, coefs.T, rtol=0, atol=2e-2)
    np.testing.assert_allclose(ours.intercepts, diabetes[1].mean(), rtol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_lasso_chosen_by_folds(diabetes, weighted):
    X, y = diabetes
    w = np.resize([0.4, 1.7, 0.9], len(y)) if weighted else None
    pairs = list(selection.KFold(6, shuffle=True, random_state=4).split(X))
    ours = ps.cross_validate(
        ps.LeastSquares(X, y, w), ps.L1(1.0), pairs, n_lambdas=30, lambda_ratio=1e-2, tol=1e-9
    )
    peer = linear_model.LassoCV(alphas=ours.lambdas, cv=pairs, **PRECISE).fit(X, y, sample_weight=w)
    np.testing.assert_allclose(2 * ours.scores.T, peer.mse_path_, rtol=1e-5)
    assert ours.best.lam == peer.alpha_
    np.testing.assert_allclose(ours.best.x, peer.coef_, rtol=0, atol=0.1)
    assert ours.best.intercept == pytest.approx(peer.intercept_, rel=1e-6)


def test_the_elastic_net_chosen_by_folds(diabetes):
    X, y = diabetes
    ours = ps.cross_validate(
        ps.LeastSquares(X, y),
        ps.ElasticNet(0.3, 0.7),
        np.arange(len(y)) % 5,
        n_lambdas=20,
        tol=1e-9,
    )
    pairs = list(selection.PredefinedSplit(np.arange(len(y)) % 5).split())
    peer = linear_model.ElasticNetCV(l1_ratio=0.3, alphas=ours.lambdas / 0.3, cv=pairs, **PRECISE)
    peer.fit(X, y)
    np.testing.assert_allclose(2 * ours.scores.T, peer.mse_path_, rtol=1e-4)
    assert ours.best.lam == pytest.approx(peer.alpha_ * 0.3)


def test_logistic_regression_chosen_by_folds(cancer):
    """Equal folds, in which C = 1 / (n lambda) is the same."""
    X, y = cancer
    pairs = list(selection.StratifiedKFold(5, shuffle=True, random_state=1).split(X, y))
    assert {len(train) for train, _ in pairs} == {448}
    problem = ps.Logistic(X, y)
    lambdas = problem.lambda_max(ps.L1(1.0)) * np.array([0.5, 0.2, 0.1, 0.05])
    ours = ps.cross_validate(problem, ps.L1(1.0), pairs, lambdas=lambdas, tol=1e-9)
    losses = np.empty((5, 4))
    for i, lam in enumerate(lambdas):
        peer = linear_model.LogisticRegression(
            C=1 / (448 * lam), solver="saga", tol=1e-7, max_iter=20_000, **L1_SETTINGS
        )
        losses[:, i] = -selection.cross_val_score(peer, X, y, cv=pairs, scoring="neg_log_loss")
    np.testing.assert_allclose(ours.scores, losses, rtol=1e-4)
