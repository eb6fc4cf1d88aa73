"""Laws of ps.solve: it reaches the oracle's optimum, says so truthfully, and never diverges."""

from __future__ import annotations

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest
import reference_problems as ref

kinds = pytest.mark.parametrize("kind", cases.KINDS)


def centred(margins):
    return margins - margins.mean(axis=1, keepdims=True) if margins.ndim == 2 else margins


@kinds
@cases.each(cases.CONVEX)
def test_the_optimum_is_that_of_the_oracle(kind, case):
    """Half of the pairs with weights, half without an intercept, so that each meets each."""
    turn = cases.KINDS.index(kind) + cases.CONVEX.index(case)
    d, intercept = cases.data(kind, weighted=turn % 2 == 0), turn % 4 < 2
    x, b = ref.minimise(d, case.prox, intercept)
    penalty = case.make(d.shape)
    best = ref.loss(d, x, b) + penalty.value(x)
    problem = cases.problem(d, fit_intercept=intercept)
    result = ps.solve(problem, penalty, tol=1e-10)
    assert result.converged
    assert result.certificate == "duality gap"
    assert abs(result.objective - best) <= 1.01e-10 * problem.scale
    assert result.objective - best <= result.gap * problem.scale + 1e-14
    # Softmax does not change when a row of x, or b, is shifted for all classes.
    ours, oracles = (ref.margins(d, *v) for v in ((result.x, result.intercept), (x, b)))
    np.testing.assert_allclose(centred(ours), centred(oracles), rtol=0, atol=5e-4)
    exact = ref.loss(d, result.x, result.intercept) + penalty.value(result.x)
    assert result.objective == pytest.approx(exact, rel=1e-13)


@kinds
@pytest.mark.parametrize("order", ["C", "F"])
@cases.each(
    [c for c in cases.CONVEX if c.name in ("L1 weighted", "Group", "SparseGroup", "Simplex")]
)
def test_float32_stays_float32_and_is_certified_in_float64(kind, order, case):
    d = cases.data(kind, weighted=True)
    penalty = case.make(d.shape)
    single = ps.solve(cases.problem(d, "float32", order), penalty, tol=1e-6)
    double = ps.solve(cases.problem(d), penalty, tol=1e-10)
    assert single.x.dtype == np.float32
    assert np.asarray(single.intercept).dtype in (np.float32, np.float64)
    assert single.converged
    assert single.gap <= 1e-6
    scale = cases.problem(d).scale
    assert abs(single.objective - double.objective) <= 2e-6 * scale


@kinds
def test_without_a_penalty_it_is_the_plain_fit(kind):
    d = cases.data(kind)
    problem = cases.problem(d)
    result = ps.solve(problem, None, tol=1e-12)
    assert result.converged
    again = ps.solve(problem, ps.L1(0.0), tol=1e-12)
    np.testing.assert_array_equal(result.x, again.x)
    by_x, _ = ref.gradient(d, result.x, result.intercept)
    np.testing.assert_allclose(by_x, 0, atol=2e-6)
    if kind == "LeastSquares":
        X = np.column_stack([d.X, np.ones(len(d.X))])
        np.testing.assert_allclose(result.x, np.linalg.lstsq(X, d.y)[0][:-1], atol=1e-5)


NON_CONVEX = [
    ps.MCP(0.08),
    ps.SCAD(0.08),
    ps.L0(0.004),
    ps.L1_2(0.02),
    ps.L2_3(0.02),
    ps.Group(ps.MCP(0.08), 2),
    ps.Group(ps.L0(0.01), 2),
    ps.Box(0.0, np.inf),
    ps.Box(-0.1, 0.2, weights=[1, 0, 1, 1, np.inf, 1]),
]


@pytest.mark.parametrize("penalty", NON_CONVEX, ids=repr)
@pytest.mark.parametrize("kind", ["LeastSquares", "Logistic"])
def test_without_a_dual_the_prox_residual_is_the_certificate(penalty, kind):
    problem = cases.problem(cases.data(kind))
    result = ps.solve(problem, penalty, tol=1e-9)
    assert result.converged
    assert result.certificate == "optimality violation"
    gradient, _ = problem.gradient(result.x)
    s = 0.3 / problem.lipschitz()
    moved = penalty.prox(result.x - s * gradient, s)
    np.testing.assert_allclose(moved, result.x, rtol=0, atol=1e-7)
    assert (np.diff(result.history.objective) <= 1e-12).all()


def test_free_and_pinned_parameters():
    d = cases.data("Logistic")
    problem = cases.problem(d)
    weights = np.array([0.0, 1.3, np.inf, 0.8, 0.0, 2.0])
    result = ps.solve(problem, ps.L1(0.05, weights=weights), tol=1e-11)
    assert result.certificate == "duality gap"
    assert result.x[2] == 0
    gradient, _ = ref.gradient(d, result.x, result.intercept)
    np.testing.assert_allclose(gradient[weights == 0], 0, atol=1e-6)
    rest = np.isfinite(weights) & (weights > 0)
    assert (np.abs(gradient[rest]) <= 0.05 * weights[rest] + 1e-6).all()


def test_many_free_parameters_are_certified_by_the_violation():
    d = cases.data("LeastSquares", n=400, p=140)
    result = ps.solve(cases.problem(d), None, tol=1e-9)
    assert (result.certificate, result.converged) == ("optimality violation", True)
    X = np.column_stack([d.X, np.ones(len(d.X))])
    np.testing.assert_allclose(result.x, np.linalg.lstsq(X, d.y)[0][:-1], atol=1e-5)


def test_the_ball_is_the_other_form_of_the_lasso():
    problem = cases.problem(cases.data("LeastSquares"))
    lasso = ps.solve(problem, ps.L1(0.11), tol=1e-12)
    ball = ps.solve(problem, ps.L1Ball(float(np.abs(lasso.x).sum())), tol=1e-12)
    np.testing.assert_allclose(ball.x, lasso.x, atol=1e-5)
    assert np.abs(ball.x).sum() <= np.abs(lasso.x).sum() * (1 + 1e-12)


def test_rows_of_softmax_on_the_simplex():
    result = ps.solve(cases.problem(cases.data("Softmax")), ps.Simplex(0.7, "rows"), tol=1e-9)
    assert result.converged
    np.testing.assert_allclose(result.x.sum(axis=1), 0.7, rtol=1e-12)
    assert (result.x >= 0).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_penalties_of_users_are_solved(dtype):
    problem = cases.problem(cases.data("Logistic"), dtype)
    ours = ps.solve(problem, ps.SquaredL2(0.13), tol=1e-12)
    users = ps.solve(problem, cases.HalfSquares(), tol=1e-6)
    assert users.certificate == "optimality violation"
    assert users.x.dtype == np.dtype(dtype)
    np.testing.assert_allclose(users.x, ours.x, atol=1e-5)


def test_a_warm_start_is_shorter_and_left_alone():
    problem = cases.problem(cases.data("Softmax"))
    cold = ps.solve(problem, ps.L1(0.02), tol=1e-9)
    x0 = cold.x + 1e-7
    before = x0.copy()
    warm = ps.solve(problem, ps.L1(0.02), tol=1e-9, x0=x0)
    assert warm.n_iter < cold.n_iter / 2
    np.testing.assert_array_equal(x0, before)
    assert ps.solve(problem, ps.L1(0.02), tol=1e-9, x0=cold.x).n_iter == 0
    infeasible = ps.solve(
        cases.problem(cases.data("Logistic")), ps.Box(-0.1, 0.3), x0=np.full(6, 9.0)
    )
    assert infeasible.converged
