"""The losses beside SciPy's minimisers and scikit-learn's estimators."""

from __future__ import annotations

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest
import reference_problems as ref

optimize = pytest.importorskip("scipy.optimize")


@pytest.mark.parametrize("kind", cases.KINDS)
@pytest.mark.parametrize("intercept", [False, True])
def test_ridge_fits_are_those_of_scipy(kind, intercept):
    """A minimiser that knows only the definition, offset and weights included."""
    d, lam = cases.data(kind, weighted=True), 0.13
    rows = d.shape[0] + intercept

    def objective(z):
        z = z.reshape(rows, *d.shape[1:])
        x, b = z[: d.shape[0]], z[-1] if intercept else 0.0
        r = d.shares.astype(float).reshape(-1, *[1] * len(d.shape[1:])) * ref.residual(
            d, ref.margins(d, x, b).astype(float)
        )
        slope = np.concatenate([d.X.T @ r + lam * x, r.sum(axis=0)[None]][: 1 + intercept])
        return ref.loss(d, x, b) + lam * float((x * x).sum()) / 2, slope.ravel()

    start = np.zeros(rows * int(np.prod(d.shape[1:])))
    settings = {"gtol": 1e-9, "ftol": 1e-15, "maxiter": 10_000}
    peer = optimize.minimize(objective, start, jac=True, method="L-BFGS-B", options=settings)
    problem = cases.problem(d, fit_intercept=intercept)
    ours = ps.solve(problem, ps.SquaredL2(lam), tol=1e-13)
    assert ours.objective <= peer.fun + 1e-13 * problem.scale
    np.testing.assert_allclose(ours.x.ravel(), peer.x[: ours.x.size], atol=2e-5)


@pytest.fixture
def linear_model():
    return pytest.importorskip("sklearn.linear_model")


@pytest.mark.parametrize("alpha", [0.0, 0.2])
@pytest.mark.parametrize("intercept", [False, True])
def test_poisson_regressor(linear_model, alpha, intercept):
    d = cases.data("Poisson", weighted=True)
    peer = linear_model.PoissonRegressor(
        alpha=alpha, fit_intercept=intercept, solver="newton-cholesky", tol=1e-10
    ).fit(d.X, d.y, d.w)
    problem = cases.problem(d, fit_intercept=intercept)
    ours = ps.solve(problem, ps.SquaredL2(alpha) if alpha else None, tol=1e-13)
    np.testing.assert_allclose(ours.x, peer.coef_, atol=1e-5)
    assert ours.intercept == pytest.approx(peer.intercept_, abs=1e-5)
    deviance = pytest.importorskip("sklearn.metrics").mean_poisson_deviance
    means = peer.predict(d.X)
    assert problem.value(peer.coef_, peer.intercept_) == pytest.approx(
        deviance(d.y, means, sample_weight=d.w) / 2, rel=1e-12
    )


@pytest.mark.parametrize("share", [0.7, 0.1])
def test_multi_task_lasso(linear_model, share):
    d = cases.data("LeastSquares tasks")
    problem = ps.LeastSquares(d.X, d.y)
    lam = share * problem.lambda_max(ps.Group(ps.L1(1.0), "rows"))
    peer = linear_model.MultiTaskLasso(alpha=lam, tol=1e-12, max_iter=100_000).fit(d.X, d.y)
    ours = ps.solve(problem, ps.Group(ps.L1(lam), "rows"), tol=1e-13)
    np.testing.assert_allclose(ours.x, peer.coef_.T, atol=1e-6)
    np.testing.assert_allclose(ours.intercept, peer.intercept_, atol=1e-6)


def test_huber_regressor_at_its_own_scale(linear_model):
    """Its loss is sigma + sum H(e / sigma) sigma with twice our H: delta = epsilon sigma."""
    d = cases.data("LeastSquares")
    peer = linear_model.HuberRegressor(epsilon=1.4, alpha=0.3, tol=1e-10, max_iter=10_000)
    peer.fit(d.X, d.y)
    problem = ps.Huber(d.X, d.y, delta=1.4 * peer.scale_)
    penalty = ps.SquaredL2(0.3 * peer.scale_ / len(d.y))
    ours = ps.solve(problem, penalty, tol=1e-13)
    np.testing.assert_allclose(ours.x, peer.coef_, atol=5e-4)
    assert ours.intercept == pytest.approx(peer.intercept_, abs=5e-4)
    assert ours.objective <= problem.value(peer.coef_) + penalty.value(peer.coef_)
