"""Laws of descent along valleys: columns that are nearly one another do not exhaust its epochs.

The columns' means are 30 deviations and there is no intercept, so that single elements hardly move;
Newton's steps on the support do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
from loss_cases import on_every_path
from refusals import assert_same_bits

WEIGHTS = np.resize([0.8, 1.7, 1.0, 0.0, 1.2, np.inf, 0.6, 2.1], 50)


def valley(loss: str) -> Any:
    rng = np.random.default_rng(11)
    X = rng.normal(30.0, 1.0, (200, 50))
    y = X[:, :5] @ [1.0, -1.0, 2.0, -2.0, 1.0] + rng.normal(0, 1.0, 200)
    u = (y - y.mean()) / y.std()
    targets = {
        "LeastSquares": y,
        "Logistic": (u > 0).astype(float),
        "Huber": y + 9.0 * (rng.random(200) < 0.1),
        "Poisson": rng.poisson(np.exp(0.4 * u)).astype(float),
    }
    X = X / 30.0 if loss == "Poisson" else X
    return getattr(ps, loss)(X, targets[loss], fit_intercept=False)


def penalties(lam: float) -> list[Any]:
    return [
        ps.L1(lam),
        ps.L1(lam, weights=WEIGHTS),
        ps.ElasticNet(lam, 0.02 * lam),
        ps.NonNegativeL1(lam),
        ps.SquaredL2(lam),
        ps.Box(-0.9, 1.2),
        ps.MCP(lam, 3.0),
        ps.SCAD(lam, 3.7),
    ]


@pytest.mark.parametrize("loss", ["LeastSquares", "Logistic", "Huber", "Poisson"])
@pytest.mark.parametrize("share", [1e-2, 1e-5])
def test_it_converges_within_the_usual_epochs(loss: str, share: float) -> None:
    problem = valley(loss)
    for h in penalties(share * problem.lambda_max(ps.L1(1.0))):
        result = ps.solve(problem, h, tol=1e-7, solver="cd")
        assert result.converged, (h, result)


def residual(problem: Any, x: Any, lam: float, l2: float) -> float:
    """How far zero is from the subdifferential, in NumPy."""
    g = problem.X.T @ (problem.X @ x - problem.targets) / len(problem.targets) + l2 * x
    return float(np.abs(np.where(x, g + lam * np.sign(x), np.maximum(np.abs(g) - lam, 0))).max())


@pytest.mark.parametrize("l2", [0.0, 1e-6])
def test_its_end_is_exact(l2: float) -> None:
    problem = valley("LeastSquares")
    largest = problem.lambda_max(ps.L1(1.0))
    for lam in largest * np.array([1e-3, 1e-4, 1e-5]):
        h = ps.ElasticNet(lam, l2) if l2 else ps.L1(lam)
        result = ps.solve(problem, h, tol=1e-13, solver="cd")
        assert residual(problem, result.x, lam, l2) <= 1e-11 * largest


def test_a_step_on_the_support_saves_epochs() -> None:
    """Half of it takes three times as many, one blind to the penalty's own curvature half more."""
    rng = np.random.default_rng(14)
    X = rng.normal(100.0, 1.0, (200, 8))
    y = X[:, :4] @ [4.0, -1.0, 2.0, -2.0] + rng.normal(0, 1.0, 200)
    problem = ps.LeastSquares(X, y, fit_intercept=False)
    lam = 1e-6 * problem.lambda_max(ps.L1(1.0))
    curved = [ps.ElasticNet(lam, l2) for l2 in (0.3, 3.0)] + [ps.SquaredL2(s) for s in (0.03, 0.3)]
    results = [ps.solve(problem, h, tol=1e-8, solver="cd") for h in (ps.L1(lam), *curved)]
    assert sum(result.n_iter for result in results) <= 700


def test_columns_that_are_one_another_share_what_they_are_given() -> None:
    """The Hessian on the support is singular."""
    rng = np.random.default_rng(12)
    X = rng.normal(0.0, 1.0, (80, 20))
    X += 20.0 * X[:, :1]
    y = X[:, 1] - X[:, 3] + rng.normal(0, 0.2, 80)
    twice = ps.LeastSquares(np.asfortranarray(np.hstack([X, X, -X])), y)
    once = ps.LeastSquares(np.asfortranarray(X), y)
    lam = 1e-4 * once.lambda_max(ps.L1(1.0))
    ours, exact = (ps.solve(P, ps.L1(lam), tol=1e-10) for P in (twice, once))
    assert ours.converged
    assert ours.objective == pytest.approx(exact.objective, rel=1e-7)


@pytest.mark.parametrize("loss", ["LeastSquares", "Logistic"])
def test_threads_and_instruction_sets_change_no_bit(loss: str) -> None:
    lam = 1e-4 * valley(loss).lambda_max(ps.L1(1.0))
    found = on_every_path(lambda: ps.solve(valley(loss), ps.L1(lam), tol=1e-9, solver="cd").x)
    for x in found[1:]:
        assert_same_bits(x, found[0])


@pytest.mark.parametrize("box", [(-2.0, 2.0), (-1.0, 1.0), (-np.inf, 0.5), (0.1, 1.0)])
def test_a_step_on_the_support_meets_bounds(box: Any) -> None:
    """Columns of unequal scales: elements pass 0 on their way, and leave bounds for others."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X = rng.normal(0.0, 1.0, (40, 30)) * np.exp(rng.uniform(-3.0, 3.0, 30)) + 10.0
        y = X @ (rng.normal(0.0, 1.0, 30) * (rng.random(30) < 0.5)) + rng.normal(0.0, 1.0, 40)
        problem = ps.LeastSquares(X, y, fit_intercept=False)
        result = ps.solve(problem, ps.Box(*box), tol=1e-9, max_iter=1000, solver="cd")
        assert result.converged, (seed, result)
        step = X.T @ (X @ result.x - y) / np.sum(X * X, axis=0)
        assert np.abs(np.clip(result.x - step, *box) - result.x).max() <= 1e-6
