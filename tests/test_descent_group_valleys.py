"""Laws of descent on groups along valleys: weak penalties do not exhaust its epochs.

Each column is nearly the one before it, or all have scales of their own: epochs hardly move along
such valleys, Newton's steps on the groups that are not zero do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
from loss_cases import on_every_path
from refusals import assert_same_bits

SIZE = 5
WEIGHTS = np.resize([0.5, 0.0, 2.0, 1.0, np.inf], 60 // SIZE)
LOSSES = ["LeastSquares", "Logistic", "Poisson"]


def chained(rng: np.random.Generator) -> Any:
    X = rng.normal(0.0, 1.0, (150, 60))
    for j in range(1, 60):
        X[:, j] = 0.97 * X[:, j - 1] + 0.24 * X[:, j]
    return X


def scaled(rng: np.random.Generator) -> Any:
    return rng.normal(0.0, 1.0, (150, 60)) * 10.0 ** rng.uniform(-1.5, 1.5, 60)


def valley(loss: str, kind: str) -> Any:
    rng = np.random.default_rng(23)
    X = {"chained": chained, "scaled": scaled}[kind](rng)
    in_model = np.repeat(rng.random(60 // SIZE) < 0.5, SIZE)
    u = X @ (in_model * rng.normal(0.0, 1.0, 60) / X.std(axis=0))
    u = u / u.std() + rng.normal(0.0, 0.7, 150)
    targets = {
        "LeastSquares": u,
        "Logistic": (u > 0).astype(float),
        "Poisson": rng.poisson(np.exp(0.8 * u)).astype(float),
    }
    return getattr(ps, loss)(X, targets[loss])


def penalties(lam: float) -> list[Any]:
    return [
        ps.Group(ps.L1(lam), SIZE),
        ps.Group(ps.L1(lam), [3, 7] * 6),
        ps.Group(ps.L1(lam), SIZE, group_weights=WEIGHTS),
        ps.Group(ps.ElasticNet(lam, 0.1 * lam), SIZE),
        ps.Group(ps.MCP(lam, 3.0), SIZE),
        ps.SparseGroup(0.5 * lam, lam, SIZE),
    ]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", ["chained", "scaled"])
@pytest.mark.parametrize("share", [1e-2, 1e-4, 1e-6])
def test_it_converges_within_the_usual_epochs(loss: str, kind: str, share: float) -> None:
    problem = valley(loss, kind)
    for h in penalties(share * problem.lambda_max(ps.Group(ps.L1(1.0), SIZE))):
        result = ps.solve(problem, h, tol=1e-8, max_iter=4000, solver="cd")
        assert result.converged, (h, result)


def residual(problem: Any, x: Any, lam: float) -> float:
    """How far zero is from the subdifferential, in NumPy."""
    X = problem.X - problem.X.mean(axis=0)
    g = (X.T @ (X @ x - (problem.targets - problem.targets.mean())) / len(X)).reshape(-1, SIZE)
    groups, norms = x.reshape(-1, SIZE), np.linalg.norm(x.reshape(-1, SIZE), axis=1)
    moved = g + lam * groups / np.where(norms > 0, norms, 1.0)[:, None]
    still = np.maximum(np.linalg.norm(g, axis=1) - lam, 0.0)
    return float(np.where(norms > 0, np.linalg.norm(moved, axis=1), still).max())


@pytest.mark.parametrize("kind", ["chained", "scaled"])
def test_its_end_is_exact(kind: str) -> None:
    problem = valley("LeastSquares", kind)
    largest = problem.lambda_max(ps.Group(ps.L1(1.0), SIZE))
    for lam in largest * np.array([1e-2, 1e-4, 1e-6]):
        result = ps.solve(problem, ps.Group(ps.L1(lam), SIZE), tol=1e-11, solver="cd")
        assert residual(problem, result.x, lam) <= 1e-8 * largest


def test_a_ball_for_each_group_is_met() -> None:
    """The step bends along the ball's surface."""
    problem = valley("LeastSquares", "chained")
    result = ps.solve(problem, ps.Group(ps.Box(-0.2, 0.2), SIZE), tol=1e-9, solver="cd")
    assert result.converged
    norms = np.linalg.norm(result.x.reshape(-1, SIZE), axis=1)
    assert norms.max() <= 0.2 * (1 + 1e-12)
    assert np.count_nonzero(norms > 0.2 * (1 - 1e-9)) > 0


def test_more_columns_than_samples_do_not_lead_astray() -> None:
    """Along some directions the model is a straight line, which no step may follow for long."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = 0.1 * rng.normal(0.0, 1.0, (20, 40)) + rng.normal(0.0, 1.0, (20, 1))
        problem = ps.LeastSquares(X, X[:, :4] @ [1.0, -2.0, 1.0, 3.0] + rng.normal(0.0, 1.0, 20))
        h = ps.Group(ps.L1(1e-9 * problem.lambda_max(ps.Group(ps.L1(1.0), 2))), 2)
        result = ps.solve(problem, h, tol=1e-6, solver="cd")
        assert result.converged, (seed, result)
        assert np.abs(result.x).max() < 1e3


@pytest.mark.parametrize("loss", ["LeastSquares", "Logistic"])
def test_threads_and_instruction_sets_change_no_bit(loss: str) -> None:
    def fitted() -> Any:
        problem = valley(loss, "scaled")
        lam = 1e-4 * problem.lambda_max(ps.Group(ps.L1(1.0), SIZE))
        return ps.solve(problem, ps.SparseGroup(0.5 * lam, lam, SIZE), tol=1e-9, solver="cd").x

    found = on_every_path(fitted)
    for x in found[1:]:
        assert_same_bits(x, found[0])
