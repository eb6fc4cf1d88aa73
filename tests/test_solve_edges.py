"""Hard, degenerate and tiny problems: ps.solve converges, and the objective never rises."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest

kinds = pytest.mark.parametrize("kind", cases.KINDS)

SCALES = [1e-150, 1e-8, 1e8, 1e150]


@pytest.mark.parametrize(
    ("of_x", "of_y"), [*itertools.product(SCALES, [1.0]), (1.0, 1e-150), (1.0, 1e150)]
)
def test_units_do_not_matter(of_x, of_y):
    """The iterates scale with the units of X and y, to huge ones, and so does the result."""
    d = cases.data("LeastSquares")
    plain = ps.solve(cases.problem(d), ps.L1(0.07), tol=1e-9)
    problem = ps.LeastSquares(d.X * of_x, d.y * of_y)
    result = ps.solve(problem, ps.L1(0.07 * of_x * of_y), tol=1e-9)
    assert result.converged
    np.testing.assert_allclose(result.x * of_x / of_y, plain.x, rtol=1e-6, atol=1e-9)


@kinds
def test_columns_in_unequal_units_do_not_slow_it_down(kind):
    """The penalty in the units of each column gives the same fit in about as many steps."""
    d = cases.data(kind)
    units = np.array([1e-4, 30.0, 1.0, 1e3, 0.02, 1e5])
    column = units[:, None] if d.outputs else units
    weights = np.broadcast_to(column, d.shape)
    plain = ps.solve(cases.problem(d), ps.L1(0.03), tol=1e-9)
    scaled = replace(d, X=d.X * units)
    result = ps.solve(cases.problem(scaled), ps.L1(0.03, weights=weights), tol=1e-9)
    assert result.converged
    assert result.n_iter <= 3 * plain.n_iter + 20
    np.testing.assert_allclose(result.x * column, plain.x, atol=1e-5)


@kinds
@pytest.mark.parametrize("penalty", [ps.L1(0.01), ps.SquaredL2(0.02), None], ids=repr)
def test_hard_columns_do_no_harm(kind, penalty):
    """Twins, a constant, zeros and a far mean: it converges, and the objective never rises."""
    d = cases.data(kind)
    hard = [d.X[:, :3], d.X[:, :1], np.full((37, 1), 0.1), np.zeros((37, 1)), d.X[:, 3:4] + 1e5]
    problem = cases.problem(replace(d, X=np.hstack(hard)))
    result = ps.solve(problem, penalty, tol=1e-6)
    assert result.converged
    assert np.isfinite(result.x).all()
    assert (np.diff(result.history.objective) <= 1e-12 * problem.scale).all()


@pytest.mark.parametrize(("n", "p"), [(1, 1), (1, 3), (3, 0), (5, 1), (2, 50)])
@pytest.mark.parametrize("intercept", [False, True])
def test_tiny_problems(n, p, intercept):
    rng = np.random.default_rng(8)
    X, y = rng.normal(0.4, 1.0, (n, p)), rng.normal(0.7, 1.0, n)
    result = ps.solve(ps.LeastSquares(X, y, fit_intercept=intercept), ps.L1(0.05), tol=1e-9)
    assert result.converged
    assert result.x.shape == (p,)


def test_empty_groups_take_their_weights_and_nothing_else():
    problem = cases.problem(cases.data("Logistic"))
    with_empty = ps.Group(ps.L1(0.04), [2, 0, 4, 0], group_weights=[0.7, 9.0, 1.3, 5.0])
    plain = ps.Group(ps.L1(0.04), [2, 4], group_weights=[0.7, 1.3])
    np.testing.assert_array_equal(ps.solve(problem, with_empty).x, ps.solve(problem, plain).x)
    assert problem.lambda_max(with_empty) == problem.lambda_max(plain)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7e8])
def test_a_constant_y_is_its_own_fit(value):
    d = cases.data("LeastSquares")
    for penalty in (None, ps.L1(0.1), ps.SquaredL2(0.1)):
        result = ps.solve(ps.LeastSquares(d.X, np.full(len(d.X), value)), penalty)
        assert result.converged
        assert result.intercept == pytest.approx(value)


def test_separable_classes_without_a_penalty_stop_at_a_loss_of_almost_nothing():
    X = np.array([[-2.0, 0.3], [-1.0, 0.1], [1.0, -0.2], [3.0, 0.4]])
    result = ps.solve(ps.Logistic(X, [0, 0, 1, 1]), None, tol=1e-4)
    assert result.converged
    assert result.objective <= 1e-4


def test_every_run_gives_the_same_bits():
    problem = cases.problem(cases.data("Softmax"))
    one, two = (ps.solve(problem, ps.Group(ps.L1(0.02), "rows")) for _ in range(2))
    np.testing.assert_array_equal(one.x, two.x)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("solver", ["auto", "fista"])
@pytest.mark.parametrize("penalty", [None, ps.L1(0.1), ps.SquaredL2(0.2), ps.MCP(0.1)], ids=repr)
def test_columns_that_are_all_constant_take_no_steps(dtype, solver, penalty):
    d = cases.data("LeastSquares", weighted=True)
    X = np.full((37, 3), 1 / 3) * (1 + 2e-16 * np.arange(37)[:, None])
    result = ps.solve(ps.LeastSquares(X.astype(dtype), d.y, d.w), penalty, solver=solver)
    assert result.converged
    assert not result.x.any()


@pytest.mark.parametrize("penalty", [ps.MCP(0.1), ps.Box(-np.inf, np.inf)], ids=repr)
@pytest.mark.parametrize("value", [0.1, 1 / 3, -3.7e8])
def test_a_constant_y_leaves_no_violation(penalty, value):
    d = cases.data("LeastSquares", weighted=True)
    result = ps.solve(ps.LeastSquares(d.X, np.full(len(d.X), value), d.w), penalty)
    assert result.certificate == "optimality violation"
    assert result.converged
    assert abs(result.x).max() <= 1e-9 * abs(value)


@pytest.mark.parametrize("solver", ["auto", "fista"])
def test_a_large_column_hides_no_violation_of_small_ones(solver):
    """Each column's gradient counts in its own units."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 3)) * [1.0, 1.0, 1e6]
    y = X[:, 0] + X[:, 2] + 0.1 * rng.standard_normal(60)
    h = ps.NonNegativeL1(0.0)  # certified by the violation
    result = ps.solve(ps.LeastSquares(X, y), h, solver=solver)
    assert result.converged
    assert result.x[0] == pytest.approx(1.0, abs=0.1)
