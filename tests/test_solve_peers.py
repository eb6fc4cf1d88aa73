"""ps.solve beside scikit-learn and on real data: bundled sets, and those of ../shared/data."""

from __future__ import annotations

import re

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest

sklearn = pytest.importorskip("sklearn")
datasets = pytest.importorskip("sklearn.datasets")
linear_model = pytest.importorskip("sklearn.linear_model")

VERSION = tuple(int(v) for v in re.findall(r"\d+", sklearn.__version__)[:2])
L1_SETTINGS = {"l1_ratio": 1.0} if VERSION >= (1, 8) else {"penalty": "l1"}


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
    return (X - X.mean(axis=0)) / X.std(axis=0), y


@pytest.fixture(scope="module")
def digits():
    X, y = datasets.load_digits(return_X_y=True)
    return X / 16, y


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("weighted", [False, True])
def test_lasso(diabetes, share, weighted):
    X, y = diabetes
    w = np.resize([0.4, 1.7, 0.9], len(y)) if weighted else None
    problem = ps.LeastSquares(X, y, w)
    lam = share * problem.lambda_max(ps.L1(1.0))
    peer = linear_model.Lasso(alpha=lam, tol=1e-12, max_iter=100_000).fit(X, y, sample_weight=w)
    ours = ps.solve(problem, ps.L1(lam), tol=1e-12)
    np.testing.assert_allclose(ours.x, peer.coef_, rtol=0, atol=1e-6)
    assert ours.intercept == pytest.approx(peer.intercept_, rel=1e-9)


def test_elastic_net_ridge_and_plain_least_squares(diabetes):
    X, y = diabetes
    problem = ps.LeastSquares(X, y)
    alpha, ratio = 0.13, 0.3
    pairs = [
        (linear_model.ElasticNet(alpha=alpha, l1_ratio=ratio, tol=1e-12, max_iter=100_000),
         ps.ElasticNet(alpha * ratio, alpha * (1 - ratio))),
        (linear_model.Ridge(alpha=alpha * len(y)), ps.SquaredL2(alpha)),
        (linear_model.LinearRegression(), None),
    ]  # fmt: skip
    for peer, penalty in pairs:
        coef = peer.fit(X, y).coef_
        ours = ps.solve(problem, penalty, tol=1e-14)
        np.testing.assert_allclose(ours.x, coef, rtol=2e-5)


@pytest.mark.parametrize("share", [0.1, 0.01])
def test_sparse_logistic_regression(cancer, share):
    X, y = cancer
    problem = ps.Logistic(X, y, fit_intercept=False)
    lam = share * problem.lambda_max(ps.L1(1.0))
    peer = linear_model.LogisticRegression(
        C=1 / (len(y) * lam), solver="liblinear", tol=1e-12, max_iter=100_000,
        fit_intercept=False, **L1_SETTINGS,
    ).fit(X, y)  # fmt: skip
    ours = ps.solve(problem, ps.L1(lam), tol=1e-11)
    np.testing.assert_allclose(ours.x, peer.coef_[0], rtol=0, atol=2e-6)
    np.testing.assert_array_equal(ours.x == 0, peer.coef_[0] == 0)


def test_sparse_logistic_regression_with_an_intercept(cancer):
    X, y = cancer
    problem = ps.Logistic(X, y)
    lam = 0.2 * problem.lambda_max(ps.L1(1.0))
    peer = linear_model.LogisticRegression(
        C=1 / (len(y) * lam), solver="saga", tol=1e-9, max_iter=100_000, **L1_SETTINGS
    ).fit(X, y)
    ours = ps.solve(problem, ps.L1(lam), tol=1e-11)
    np.testing.assert_allclose(ours.x, peer.coef_[0], rtol=0, atol=1e-5)
    assert ours.intercept == pytest.approx(peer.intercept_[0], abs=1e-5)


def test_multinomial_regression(digits):
    X, y = digits[0][::3], digits[1][::3]
    problem = ps.Softmax(X, y)
    lam = 0.003
    peer = linear_model.LogisticRegression(C=1 / (len(y) * lam), tol=1e-10, max_iter=10_000)
    peer.fit(X, y)
    ours = ps.solve(problem, ps.SquaredL2(lam), tol=1e-12)
    np.testing.assert_allclose(ours.x, peer.coef_.T, rtol=0, atol=3e-5)
    np.testing.assert_allclose(ours.intercept, peer.intercept_ - peer.intercept_.mean(), atol=3e-5)


def test_sparse_multinomial_regression(digits):
    """No worse than saga, and by no more than the gap better than the optimum can be."""
    X, y = digits[0][::4], digits[1][::4]
    problem = ps.Softmax(X, y)
    lam = 0.1 * problem.lambda_max(ps.L1(1.0))
    peer = linear_model.LogisticRegression(
        C=1 / (len(y) * lam), solver="saga", tol=1e-6, max_iter=20_000, **L1_SETTINGS
    ).fit(X, y)
    theirs = problem.value(peer.coef_.T, peer.intercept_) + lam * np.abs(peer.coef_).sum()
    ours = ps.solve(problem, ps.L1(lam), tol=1e-9)
    assert -1e-9 <= (theirs - ours.objective) / problem.scale <= 1e-5
    assert problem.duality_gap(peer.coef_.T, ps.L1(lam)) >= 0


@pytest.mark.parametrize("name", ["alon", "golub"])
def test_gene_expressions_in_raw_units(name):
    """p >> n, values up to 7e4, float32 as stored: a certified fit at a small lambda."""
    file = np.load(cases.shared(f"{name}.npz"))
    X, y = file["X"], np.unique(file["y"], return_inverse=True)[1]
    problem = ps.Logistic(X, y)
    lam = 0.01 * problem.lambda_max(ps.L1(1.0))
    result = ps.solve(problem, ps.L1(lam), tol=1e-6)
    assert result.converged
    assert result.x.dtype == np.float32
    assert 0 < np.count_nonzero(result.x) < len(y)
    np.testing.assert_array_equal(X @ result.x + result.intercept > 0, y == 1)


def test_adult_incomes_agree_with_their_float32_form():
    file = dict(np.load(cases.shared("a9a.npz")))
    X = np.zeros((3000, int(file["shape"][1])))
    for i, row in enumerate(X):
        span = slice(file["indptr"][i], file["indptr"][i + 1])
        row[file["indices"][span]] = file["data"][span]
    y = np.load(cases.shared("a9a_y.npy"))[:3000]
    double = ps.solve(ps.Logistic(X, y), ps.L1(0.002), tol=1e-8)
    single = ps.solve(ps.Logistic(X.astype(np.float32), y), ps.L1(0.002), tol=1e-6)
    assert single.objective == pytest.approx(double.objective, rel=2e-6)
    share = np.mean((X @ double.x + double.intercept > 0) == y)
    assert share > 0.82
