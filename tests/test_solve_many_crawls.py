"""Fits of `solve_many` whose epochs crawl, which `solve` ends; and strengths that are weak."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest

FITS = 6


def alike(n: int, p: int, apart: float, dtype: str = "float64") -> tuple[Any, Any]:
    """Columns that are nearly one another."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((n, 1)) + apart * rng.standard_normal((n, p))
    w = rng.standard_normal((p, FITS)) * (rng.random((p, FITS)) < 0.2)
    return X.astype(dtype), X @ w + 0.3 * X.std() * rng.standard_normal((n, FITS))


@pytest.mark.parametrize(("n", "p", "apart"), [(100, 50, 0.1), (50, 120, 0.1), (200, 50, 1e-3)])
@pytest.mark.parametrize("make", [ps.L1, ps.NonNegativeL1, lambda lam: ps.ElasticNet(lam, 1e-3)])
@pytest.mark.parametrize("intercept", [False, True])
def test_it_converges_where_solve_does(n: int, p: int, apart: float, make: Any, intercept: bool):
    X, Y = alike(n, p, apart)
    problems = [ps.LeastSquares(X, y, fit_intercept=intercept) for y in Y.T]
    penalty = make(1e-3 * problems[0].lambda_max(ps.L1(1.0)))
    wanted = [ps.solve(problem, penalty) for problem in problems]
    assert all(one.converged for one in wanted)
    for given, targets in ((X, Y), (np.stack([X] * FITS), Y.T)):
        found = ps.solve_many(given, targets, penalty, fit_intercept=intercept)
        assert found.converged.all(), found
        scales = [problem.scale for problem in problems]
        for k, one in enumerate(wanted):
            assert abs(found.objective[k] - one.objective) <= 2e-6 * scales[k]
            loss = problems[k].value(found.x[k], found.intercept[k])
            assert found.objective[k] == pytest.approx(loss + penalty.value(found.x[k]), rel=1e-9)


def test_weights_float32_and_samples_are_those_of_the_fits() -> None:
    X, Y = alike(100, 50, 0.1, "float32")
    rng = np.random.default_rng(2)
    shares, weights = rng.uniform(0.2, 2.0, 100), rng.uniform(0.5, 2.0, 50)
    lam = 1e-3 * ps.LeastSquares(X, Y[:, 0]).lambda_max(ps.L1(1.0))
    penalty = ps.L1(lam, weights=weights)
    found = ps.solve_many(X, Y, penalty, 1e-5, sample_weight=shares)
    assert found.x.dtype == np.float32
    assert found.converged.all()
    for k in range(FITS):
        problem = ps.LeastSquares(X, Y[:, k], shares)
        assert problem.double.duality_gap(found.x[k].astype(float), penalty) <= 2e-5


@pytest.mark.filterwarnings("ignore::proxstep.ConvergenceWarning")
def test_the_budget_counts_both() -> None:
    X, Y = alike(50, 120, 0.1)
    found = ps.solve_many(X, Y, ps.L1(1e-9), 1e-13, max_iter=1200)
    assert (found.n_iter <= 1200).all()
    assert (found.n_iter[found.reason == "max_iter"] == 1200).all()


@pytest.mark.filterwarnings("ignore::proxstep.ConvergenceWarning")
@pytest.mark.parametrize("max_time", [1e-9, 0.01])
def test_a_spent_budget_is_not_called_time(max_time: float) -> None:
    X, Y = alike(50, 120, 0.1)
    found = ps.solve_many(X, Y, ps.L1(1e-9), 1e-13, max_iter=20, max_time=max_time)
    assert (found.reason[found.n_iter == 20] == "max_iter").all()
    assert (found.reason[found.n_iter < 20] == "max_time").all()


RATIOS = [1e-300, 1e-20, 1e-15, 1e-13]


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize(
    "make", [ps.L1, ps.NonNegativeL1, ps.SquaredL2, lambda lam: ps.ElasticNet(lam, lam)]
)
def test_a_weak_strength_is_as_good_as_none(ratio: float, make: Any) -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((60, 5)), rng.standard_normal((60, FITS))
    found, free = ps.solve_many(X, Y, make(ratio)), ps.solve_many(X, Y, make(0.0), 1e-10)
    assert found.converged.all(), found
    np.testing.assert_allclose(found.objective, free.objective, rtol=1e-6)


@pytest.mark.parametrize("penalty", [ps.L1(0.0), ps.SquaredL2(0.0), ps.L1(1e-20)], ids=repr)
@pytest.mark.parametrize("tol", [1e-6, 1e-8])
def test_fits_without_a_strength_end_as_alone(penalty: Any, tol: float) -> None:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((60, 30)) + 100 * rng.standard_normal((60, 1))
    Y = X @ rng.standard_normal((30, 4)) / 100 + 0.1 * rng.standard_normal((60, 4))
    found = ps.solve_many(X, Y, penalty, tol, max_iter=20_000)
    assert (found.n_iter >= 1000).any()
    assert found.converged.all(), found
    for k in np.flatnonzero(found.n_iter > 1000):
        assert found.certificate[k] == ps.solve(ps.LeastSquares(X, Y[:, k]), penalty).certificate


def test_a_certificate_depends_on_no_other_fit() -> None:
    X, Y = alike(100, 5, 1.0)
    alone = ps.solve_many(X, Y[:, :1], ps.L1(0.01))
    beside = ps.solve_many(X, np.stack([Y[:, 0], 1e14 * Y[:, 1]], axis=1), ps.L1(0.01))
    assert beside.certificate.tolist() == ["duality gap", "optimality violation"]
    assert (beside.gap[0], beside.n_iter[0]) == (alone.gap[0], alone.n_iter[0])


def test_a_strength_beside_a_weak_one_has_a_gap() -> None:
    X, Y = alike(100, 5, 1.0)
    found = ps.solve_many(X, Y, ps.ElasticNet(1e-20, 0.1))
    assert found.converged.all()
    assert set(found.certificate) == {"duality gap"}
