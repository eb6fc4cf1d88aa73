"""Laws of ps.path: every point is a certified solution at its strength, warm start or not."""

from __future__ import annotations

import numpy as np
import path_cases
import problem_cases as cases
import proxstep as ps
import pytest

TOL = 1e-9
kinds = pytest.mark.parametrize("kind", cases.KINDS)


def centred(margins):
    """Softmax does not change when the margins of all classes are shifted."""
    return margins - margins.mean(axis=1, keepdims=True) if margins.ndim == 2 else margins


@kinds
@path_cases.each
def test_each_point_is_what_a_cold_solve_gives(kind, family):
    turn = cases.KINDS.index(kind) + path_cases.FAMILIES.index(family)
    problem = cases.problem(cases.data(kind, weighted=turn % 2 == 0), fit_intercept=turn % 4 < 2)
    path = ps.path(problem, family.at(3.7, problem.shape), 7, lambda_ratio=0.03, tol=TOL)
    assert (path.reason, len(path), path.tol) == ("finished", 7, TOL)
    for i, lam in enumerate(path.lambdas):
        penalty = family.at(float(lam), problem.shape)
        cold = ps.solve(problem, penalty, tol=1e-11)
        value = problem.value(path.x[i]) + penalty.value(path.x[i])
        assert path.gaps[i] <= TOL
        assert abs(path.objectives[i] - cold.objective) <= 1.1 * TOL * problem.scale
        assert path.objectives[i] == pytest.approx(value, rel=1e-12)
        assert problem.value(path.x[i], path.intercepts[i]) == pytest.approx(path.losses[i])
        ours = centred(problem.X @ path.x[i] + path.intercepts[i])
        colds = centred(problem.X @ cold.x + cold.intercept)
        np.testing.assert_allclose(ours, colds, rtol=0, atol=1e-3)


@kinds
@path_cases.each
def test_the_grid_falls_geometrically_from_where_all_is_zero(kind, family):
    problem = cases.problem(cases.data(kind))
    path = ps.path(problem, family.at(0.2, problem.shape), 5, tol=1e-5)
    np.testing.assert_allclose(path.lambdas[1:] / path.lambdas[:-1], 1e-3**0.25)
    assert path.nonzeros[0] == 0
    assert not path.x[0].any()
    below = family.at(0.98 * float(path.lambdas[0]), problem.shape)
    assert ps.solve(problem, below, tol=1e-9).x.any()


@pytest.mark.parametrize(("p", "ratio"), [(36, 1e-3), (38, 1e-2)])
def test_paths_are_shorter_where_there_are_fewer_samples_than_parameters(p, ratio):
    problem = cases.problem(cases.data("LeastSquares", p=p))
    path = ps.path(problem, ps.L1(1.0), 3, tol=1e-3)
    assert path.lambdas[-1] / path.lambdas[0] == pytest.approx(ratio)


@pytest.mark.parametrize("kind", ["LeastSquares", "Softmax"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_float32_stays_float32_and_is_certified(kind, order):
    d = cases.data(kind, weighted=True)
    settings = {"n_lambdas": 6, "lambda_ratio": 0.02, "tol": 1e-6}
    single = ps.path(cases.problem(d, "float32", order), ps.L1(1.0), **settings)
    double = ps.path(cases.problem(d), ps.L1(1.0), **settings)
    assert single.x.dtype == np.float32
    assert (single.gaps <= 1e-6).all()
    scale = cases.problem(d).scale
    np.testing.assert_allclose(single.objectives, double.objectives, rtol=0, atol=3e-6 * scale)


@pytest.mark.parametrize("form", ["csr", "csc"])
def test_sparse_designs(form):
    sparse = pytest.importorskip("scipy.sparse")
    d = cases.data("Logistic")
    X = np.where(np.abs(d.X) > 0.6, d.X, 0.0)
    settings = {"n_lambdas": 6, "tol": 1e-10}
    ours = ps.path(ps.Logistic(sparse.csr_array(X).asformat(form), d.y), ps.L1(1.0), **settings)
    dense = ps.path(ps.Logistic(X, d.y), ps.L1(1.0), **settings)
    np.testing.assert_allclose(ours.x, dense.x, rtol=0, atol=1e-5)


@pytest.mark.torch
def test_tensors_give_a_path_of_numpy_arrays():
    torch = pytest.importorskip("torch")
    d = cases.data("Softmax")
    ours = ps.path(ps.Softmax(torch.from_numpy(d.X), d.y, classes=3), ps.L1(1.0), 5, tol=TOL)
    twin = ps.path(cases.problem(d), ps.L1(1.0), 5, tol=TOL)
    assert isinstance(ours.x, np.ndarray)
    assert isinstance(ours[2].intercept, np.ndarray)
    np.testing.assert_allclose(ours.x, twin.x, rtol=0, atol=1e-6)


def test_strengths_of_ones_own_may_end_without_a_penalty():
    d = cases.data("LeastSquares", weighted=True)
    problem = cases.problem(d)
    path = ps.path(problem, ps.L1(1.0), lambdas=[0.4, 0.1, 0.0], tol=1e-13)
    np.testing.assert_array_equal(path.lambdas, [0.4, 0.1, 0.0])
    X = np.column_stack([d.X, np.ones(len(d.X))]) * np.sqrt(d.w)[:, None]
    best = np.linalg.lstsq(X, d.y * np.sqrt(d.w))[0]
    np.testing.assert_allclose(path.x[-1], best[:-1], atol=1e-6)
    assert path.intercepts[-1] == pytest.approx(best[-1], abs=1e-6)


def test_ridge_has_a_path_over_given_strengths():
    problem = cases.problem(cases.data("LeastSquares"))
    path = ps.path(problem, ps.SquaredL2(1.0), lambdas=[0.8, 0.3], tol=1e-12)
    for point in path:
        cold = ps.solve(problem, ps.SquaredL2(point.lam), tol=1e-12)
        np.testing.assert_allclose(point.x, cold.x, atol=1e-6)


def test_unpenalised_and_pinned_parameters_keep_their_part():
    problem = cases.problem(cases.data("Logistic"))
    weights = np.array([0.0, 1.3, np.inf, 0.8, 1.1, 2.0])
    path = ps.path(problem, ps.L1(1.0, weights=weights), 6, tol=TOL)
    np.testing.assert_array_equal(path.x[0] != 0, weights == 0)
    assert not path.x[:, 2].any()
    gradients = np.array([problem.gradient(x)[0] for x in path.x])
    np.testing.assert_allclose(gradients[:, 0], 0, atol=1e-4)


@pytest.mark.parametrize("penalty", [ps.MCP(1.0), ps.SCAD(1.0), ps.Group(ps.MCP(1.0), 2)], ids=repr)
def test_a_path_that_is_not_convex_has_local_optima(penalty):
    problem = cases.problem(cases.data("LeastSquares"))
    path = ps.path(problem, penalty, 6, lambda_ratio=0.05, tol=TOL)
    assert path.nonzeros[0] == 0
    assert path.nonzeros[-1] > 0
    s = 0.3 / problem.lipschitz()
    for point in path:
        gradient, _ = problem.gradient(point.x)
        inner = ps.MCP(point.lam) if isinstance(penalty, ps.Group) else None
        there = ps.Group(inner, 2) if inner else type(penalty)(point.lam)
        np.testing.assert_allclose(
            there.prox(point.x - s * gradient, s), point.x, rtol=0, atol=1e-6
        )


def test_warm_starts_save_iterations():
    problem = cases.problem(cases.data("Softmax"))
    path = ps.path(problem, ps.L1(1.0), 40, tol=1e-6)
    cold = [ps.solve(problem, ps.L1(float(lam)), tol=1e-6).n_iter for lam in path.lambdas]
    assert path.n_iter.sum() < 0.8 * sum(cold)


@pytest.mark.parametrize("last", [0, 3])
def test_a_path_ends_where_its_caller_has_seen_enough(last):
    problem = cases.problem(cases.data("Logistic"))
    whole = ps.path(problem, ps.L1(1.0), 7, tol=1e-7)
    seen = []

    def enough(point):
        seen.append(point)
        return len(seen) > last

    path = ps.path(problem, ps.L1(1.0), 7, tol=1e-7, until=enough)
    assert path.reason == "stopped"
    assert list(path) == seen
    np.testing.assert_array_equal(path.x, whole.x[: last + 1])
    np.testing.assert_array_equal(path.lambdas, whole.lambdas[: last + 1])
