"""Laws of descent with concave penalties beside losses that are nearly straight lines.

Where a class is almost certain the model of the loss is flat, and its least value with MCP or SCAD
may lie at zero, where the loss is not what the model says: descent goes downhill all the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
from refusals import assert_same_bits


def separable(seed: int, n: int, p: int, intercept: bool) -> ps.Logistic:
    rng = np.random.default_rng(seed)
    X = rng.normal(0.0, 1.0, (n, p)) + rng.normal(0.0, 1.0, (n, 1))
    u = X @ rng.normal(0.0, 1.0, p)
    return ps.Logistic(X, u > np.median(u), fit_intercept=intercept)


def penalties(lam: float, size: int) -> list[Any]:
    weights = np.resize([0.7, 1.0, 1.9, np.inf, 1.3], 20)
    return [
        ps.MCP(lam, 3.0),
        ps.MCP(lam, 25.0, weights=weights),
        ps.SCAD(lam, 3.7),
        ps.Group(ps.MCP(lam, 3.0), size),
        ps.Group(ps.SCAD(lam, 3.7), size, group_weights=weights[: 20 // size]),
    ]


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("share", [0.3, 0.03, 0.003])
@pytest.mark.parametrize("n", [12, 80])
def test_separable_classes_do_not_stall_it(n: int, share: float, intercept: bool) -> None:
    for seed in range(4):
        problem = separable(seed, n, 20, intercept)
        lam = share * problem.lambda_max(ps.L1(1.0))
        for h in penalties(lam, 2):
            result = ps.solve(problem, h, tol=1e-6, solver="cd")
            assert result.converged, (seed, h, result)


def violation(problem: ps.Logistic, x: Any, lam: float, gamma: float) -> float:
    """How far zero is from the limiting subdifferential with MCP, in NumPy; no intercept."""
    y = problem.targets
    g = problem.X.T @ (0.5 + 0.5 * np.tanh(0.5 * problem.X @ x) - y) / len(y)
    slope = np.maximum(lam - np.abs(x) / gamma, 0.0)
    return float(np.abs(np.where(x, g + slope * np.sign(x), np.maximum(np.abs(g) - lam, 0))).max())


@pytest.mark.parametrize("share", [0.3, 0.03])
def test_where_it_ends_is_stationary(share: float) -> None:
    for seed in range(6):
        problem = separable(seed, 80, 20, False)
        largest = problem.lambda_max(ps.L1(1.0))
        result = ps.solve(problem, ps.MCP(share * largest, 3.0), tol=1e-7, solver="cd")
        assert violation(problem, result.x, share * largest, 3.0) <= 1e-5 * largest


def test_a_convex_penalty_of_the_same_slope_is_its_limit() -> None:
    """MCP of an endless gamma is L1."""
    problem = separable(1, 80, 20, True)
    lam = 0.05 * problem.lambda_max(ps.L1(1.0))
    near, exact = (ps.solve(problem, h, tol=1e-9) for h in (ps.MCP(lam, 1e9), ps.L1(lam)))
    np.testing.assert_allclose(near.x, exact.x, atol=1e-5)
    assert_same_bits(near.x != 0, exact.x != 0)
