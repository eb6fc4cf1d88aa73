"""Strengths below the rounding of gradients: fits converge, and to those without a penalty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest

RATIOS = [1e-300, 1e-20, 1e-15, 1e-13]
PENALTIES = {
    "L1": lambda lam, _: ps.L1(lam),
    "L1 weighted": lambda lam, shape: ps.L1(lam, weights=np.resize([0.7, 1.9, 0.4], shape)),
    "ElasticNet": lambda lam, _: ps.ElasticNet(lam, lam),
    "SquaredL2": lambda lam, _: ps.SquaredL2(lam),
    "NonNegativeL1": lambda lam, _: ps.NonNegativeL1(lam),
    "Group": lambda lam, shape: ps.Group(ps.L1(lam), "rows" if len(shape) == 2 else 2),
    "SparseGroup": lambda lam, shape: ps.SparseGroup(
        0.6 * lam, lam, "rows" if len(shape) == 2 else 2
    ),
}


@pytest.mark.parametrize("kind", cases.KINDS)
@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("solver", ["auto", "fista"])
def test_a_weak_strength_is_as_good_as_none(kind, name, solver):
    d = cases.data(kind, weighted=True)
    problem = cases.problem(d)
    free = ps.solve(problem, PENALTIES[name](0.0, d.shape), tol=1e-10)
    for ratio in RATIOS:
        strength = ratio * problem.lambda_max(ps.L1(1.0))
        got = ps.solve(problem, PENALTIES[name](strength, d.shape), solver=solver)
        assert got.converged, (ratio, got)
        assert got.certificate == free.certificate
        assert got.objective <= free.objective + 1e-6 * problem.scale


@pytest.mark.parametrize(("n", "p"), [(400, 150), (60, 150)])
@pytest.mark.parametrize("ratio", RATIOS)
def test_with_many_parameters_it_converges_as_without_a_penalty(n, p, ratio):
    d = cases.data("LeastSquares", n=n, p=p)
    problem = cases.problem(d)
    result = ps.solve(problem, ps.L1(ratio * problem.lambda_max(ps.L1(1.0))))
    assert result.converged
    assert result.objective <= ps.solve(problem, None).objective + 1e-6 * problem.scale


def test_the_gap_of_a_weak_strength_bounds_the_suboptimality():
    d = cases.data("LeastSquares")
    problem = cases.problem(d)
    best = ps.solve(problem, None, tol=1e-13)
    for x in (np.zeros(6), best.x, best.x + 0.1):
        above = (problem.value(x) - best.objective) / problem.scale
        gap = problem.duality_gap(x, ps.L1(1e-20))
        assert above - 1e-12 <= gap <= above + 1e-9


def test_units_make_no_strength_weak():
    """Strengths scale with X and y: what decides is the rounding beside them."""
    d = cases.data("LeastSquares")
    small = replace(d, X=d.X * 1e-60, y=d.y * 1e-60)
    lam = 0.3 * cases.problem(d).lambda_max(ps.L1(1.0))
    want = ps.solve(cases.problem(d), ps.L1(lam), tol=1e-9)
    got = ps.solve(cases.problem(small), ps.L1(lam * 1e-120), tol=1e-9)
    np.testing.assert_allclose(got.x, want.x, 1e-6, 1e-9)
