"""AIC and BIC of a path, from likelihoods written out."""

from __future__ import annotations

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest
import reference_problems as ref

SETTINGS = {"n_lambdas": 8, "tol": 1e-9}


def up_to_a_constant(ours, expected):
    np.testing.assert_allclose(ours - ours[0], expected - expected[0], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", [kind for kind in cases.KINDS if kind != "Huber"])
@pytest.mark.parametrize("weighted", [False, True])
def test_criteria_are_those_of_the_likelihood(kind, weighted):
    d = cases.data(kind, weighted)
    n = len(d.X)
    path = ps.path(cases.problem(d), ps.L1(1.0), **SETTINGS)
    losses = np.array([ref.loss(d, p.x, p.intercept) for p in path])
    log_likelihood = -n * losses
    if d.name == "LeastSquares":
        numbers = n * max(1, d.outputs)
        variance = 2 * n * losses / numbers  # mean squared residual
        log_likelihood = -numbers / 2 * (np.log(2 * np.pi * variance) + 1)
    df = np.count_nonzero(path.x.reshape(8, -1), axis=1)
    np.testing.assert_array_equal(path.degrees_of_freedom, df)
    up_to_a_constant(path.aic(), -2 * log_likelihood + 2 * df)
    up_to_a_constant(path.bic(), -2 * log_likelihood + np.log(n) * df)


def test_samples_without_weight_are_none():
    d = cases.data("Logistic")
    w = np.where(np.arange(len(d.X)) < 30, 1.7, 0.0)
    some = ps.path(ps.Logistic(d.X, d.y, w), ps.L1(1.0), **SETTINGS)
    fewer = ps.path(ps.Logistic(d.X[:30], d.y[:30]), ps.L1(1.0), **SETTINGS)
    np.testing.assert_allclose(some.bic(), fewer.bic(), rtol=1e-6)


def test_a_known_variance_gives_mallows_criterion():
    """RSS / variance + price * df, with the fits of scikit-learn."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    X, y = pytest.importorskip("sklearn.datasets").load_diabetes(return_X_y=True)
    path = ps.path(ps.LeastSquares(X, y), ps.L1(1.0), 12, tol=1e-12)
    peers = [
        linear_model.Lasso(alpha=lam, tol=1e-10, max_iter=100_000).fit(X, y) for lam in path.lambdas
    ]
    rss = np.array([np.square(y - peer.predict(X)).sum() for peer in peers])
    df = np.array([np.count_nonzero(peer.coef_) for peer in peers])
    up_to_a_constant(path.aic(noise_variance=2900.0), rss / 2900.0 + 2 * df)
    up_to_a_constant(path.bic(noise_variance=2900.0), rss / 2900.0 + np.log(len(y)) * df)


def test_refusals():
    path = ps.path(cases.problem(cases.data("Huber")), ps.L1(1.0), 3, tol=1e-4)
    with pytest.raises(TypeError, match="Huber is not a likelihood; AIC and BIC need one"):
        path.aic()
    path = ps.path(cases.problem(cases.data("Softmax")), ps.L1(1.0), 3, tol=1e-4)
    with pytest.raises(ValueError, match=r"noise_variance is for least squares, .* Softmax"):
        path.aic(noise_variance=2.0)
    path = ps.path(cases.problem(cases.data("LeastSquares")), ps.L1(1.0), 3, tol=1e-4)
    with pytest.raises(ValueError, match="noise_variance is 0"):
        path.bic(noise_variance=0)
