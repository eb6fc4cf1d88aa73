"""Laws of the problems: value, gradient, intercept, curvature bound, weights, input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest
import reference_problems as ref

kinds = pytest.mark.parametrize("kind", cases.KINDS)
weighted = pytest.mark.parametrize("weighted", [False, True])


def point(d: ref.Data, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.normal(0.1, 0.6, d.shape), rng.normal(-0.3, 0.8, d.shape[1:])


@kinds
@weighted
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_value_and_gradient_are_those_of_the_definition(kind, weighted, dtype, order):
    d = cases.data(kind, weighted)
    x, b = point(d)
    problem = cases.problem(d, dtype, order)
    eps = float(np.finfo(dtype).eps)
    assert problem.value(x, b) == pytest.approx(ref.loss(d, x, b), rel=30 * eps)
    by_x, by_b = problem.gradient(x, b)
    want_x, want_b = ref.gradient(d, x, b)
    assert (by_x.dtype, by_x.shape) == (np.dtype(dtype), d.shape)
    size = max(1.0, np.abs(want_x).max())
    np.testing.assert_allclose(by_x, want_x, rtol=0, atol=(60 * eps + 2e-12) * size)
    np.testing.assert_allclose(by_b, want_b, rtol=0, atol=(60 * eps + 2e-12) * size)


@kinds
@weighted
def test_without_an_intercept_given_the_best_one_is_taken(kind, weighted):
    d = cases.data(kind, weighted)
    x, _ = point(d)
    problem = cases.problem(d)
    by_x, by_b = problem.gradient(x)
    np.testing.assert_allclose(by_b, 0, atol=1e-14)
    b = problem.intercept(problem.evaluate_at(x))
    assert problem.value(x) == pytest.approx(ref.loss(d, x, b), rel=1e-13)
    for shift in (-0.01, 0.01):
        other = b + shift * (1 + np.arange(b.size).reshape(b.shape))
        assert ref.loss(d, x, other) > problem.value(x)
    np.testing.assert_allclose(by_x, ref.gradient(d, x, b)[0], atol=3e-12)
    assert cases.problem(d, fit_intercept=False).value(x) == pytest.approx(ref.loss(d, x))


@pytest.mark.parametrize("kind", [k for k in cases.KINDS if not k.startswith("Poisson")])
def test_huge_margins_stay_finite_and_right(kind):
    d = cases.data(kind)
    x, b = (1e4 * v for v in point(d))
    problem = cases.problem(d)
    assert np.abs(ref.margins(d, x, b)).max() > 1e4
    assert problem.value(x, b) == pytest.approx(ref.loss(d, x, b), rel=1e-13)
    assert all(np.isfinite(g).all() for g in problem.gradient(x, b))


@kinds
@weighted
@pytest.mark.parametrize("intercept", [False, True])
def test_the_gradient_is_lipschitz_with_the_bound(kind, weighted, intercept):
    problem = cases.problem(cases.data(kind, weighted), fit_intercept=intercept)
    bound = problem.lipschitz()
    for seed in range(20):
        x, y = (point(cases.data(kind), 2 * seed + i)[0] for i in range(2))
        slope = np.linalg.norm(problem.gradient(x)[0] - problem.gradient(y)[0])
        assert slope <= bound * np.linalg.norm(x - y)


@weighted
@pytest.mark.parametrize("shape", [(50, 20), (20, 50)])
def test_the_bound_of_least_squares_is_exact_and_certain_when_x_is_large(
    weighted, shape, monkeypatch
):
    d = cases.data("LeastSquares", weighted, *shape)
    problem = cases.problem(d)
    centred = d.X - d.shares.astype(float) @ d.X
    exact = np.linalg.norm(centred * np.sqrt(d.shares.astype(float))[:, None], 2) ** 2
    assert problem.lipschitz() == pytest.approx(exact, rel=1e-12)
    assert problem.lipschitz() >= exact
    monkeypatch.setattr("proxstep.problems.spectrum._EXACT_WORK", 0)
    assert exact <= problem.lipschitz() <= 1.3 * exact


@kinds
@weighted
def test_fenchel_young_holds_with_equality_at_the_residual(kind, weighted):
    """F(u) + F*(r) >= <u, r>, equal for r = F'(u)."""
    d = cases.data(kind, weighted)
    problem = cases.problem(d)
    one, two = (problem.evaluate_at(point(d, seed)[0]) for seed in (1, 2))
    for at in (one, two):
        margins = at.linear + at.offset
        for factor in (0.0, 0.4, 0.9):
            below = factor * np.vdot(margins, one.residual)
            assert at.loss + problem.conjugate(one.residual, factor) >= below - 1e-12
    inner = np.vdot(one.linear + one.offset, one.residual)
    assert one.loss + problem.conjugate(one.residual, 1.0) == pytest.approx(inner, abs=1e-12)


@kinds
@weighted
def test_the_second_derivative_is_that_of_the_residual(kind, weighted):
    d = cases.data(kind, weighted)
    problem = cases.problem(d)
    x, v = (point(d, seed)[0] for seed in (1, 2))
    b = np.zeros(d.shape[1:])
    direction = d.X @ v
    up, down = (problem.evaluate_at(x + h * v, b).residual for h in (1e-5, -1e-5))
    bend = problem.hessian_product(problem.evaluate_at(x, b).residual, direction)
    np.testing.assert_allclose(bend, (up - down) / 2e-5, rtol=1e-6, atol=1e-9)


@kinds
def test_weights_are_repetitions_and_their_scale_is_nothing(kind):
    d = cases.data(kind)
    counts = np.resize([2, 0, 1, 3], len(d.X))
    rows = np.repeat(np.arange(len(d.X)), counts)
    x, b = point(d)
    repeated = cases.problem(d.rows(rows))
    for w in (counts, counts * 1e-200, counts * 1e200):
        problem = cases.problem(replace(d, w=w))
        assert problem.value(x, b) == pytest.approx(repeated.value(x, b), rel=1e-13)
        assert problem.value(x) == pytest.approx(repeated.value(x), rel=1e-13)


@pytest.mark.parametrize("labels", [(0, 1), (-1, 1), (False, True), (0.0, 1.0)])
def test_logistic_labels_of_every_kind_are_one_problem(labels):
    d = cases.data("Logistic")
    y = [labels[int(v)] for v in d.y]
    assert ps.Logistic(d.X, y).value(point(d)[0]) == cases.problem(d).value(point(d)[0])


def test_softmax_labels_are_one_hot_probabilities_and_two_classes_are_logistic():
    d = cases.data("Softmax")
    x, _ = point(d)
    soft = ps.Softmax(d.X, np.eye(3)[d.y])
    assert soft.value(x) == pytest.approx(cases.problem(d).value(x), rel=1e-14)
    assert ps.Softmax(d.X, d.y.astype(float)).value(x) == cases.problem(d).value(x)
    two = cases.data("Logistic")
    pair = np.column_stack([np.zeros_like(x[:, 0]), x[:, 0]])
    ours = ps.Softmax(two.X, two.y.astype(int)).value(pair)
    assert ours == pytest.approx(cases.problem(two).value(x[:, 0]), rel=1e-13)


@pytest.mark.parametrize("shift", [0.0, 30.0, -700.0, 1e4])
def test_an_unbalanced_saturated_intercept_is_found(shift):
    """One positive in 1000, and margins far off: the start is no help, and nothing stalls."""
    y = np.zeros(1000)
    y[17] = 1
    linear = np.random.default_rng(1).normal(shift, 5.0, 1000)
    problem = ps.Logistic(linear[:, None], y)
    at = problem.evaluate_at([1.0])
    assert abs(at.residual.sum()) < 1e-12
    classes = ps.Softmax(
        np.column_stack([linear, -linear]), np.where(y == 1, 2, y + (linear > shift))
    )
    at = classes.evaluate_at(np.array([[1.0, 0, 0.3], [0, 2.0, 0]]))
    assert np.abs(at.residual.sum(axis=0)).max() < 1e-12


@kinds
@weighted
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_other_weights_make_the_problem_that_they_would_make_from_the_start(kind, weighted, dtype):
    """Nothing computed for the first weights survives, in either precision, and X is shared."""
    d = cases.data(kind, weighted)
    x, _ = point(d)
    first = cases.problem(d, dtype)
    first.null, first.scale, first.lipschitz(), first.double.scale
    w = np.resize([0.3, 0.0, 1.7, 0.9], len(d.X))
    for weights in (w, None):
        changed = first.with_weights(weights)
        fresh = cases.problem(replace(d, w=weights), dtype)
        assert changed.X is first.X
        for got, want in ((changed, fresh), (changed.double, fresh.double)):
            assert (got.value(x), got.scale) == (want.value(x), want.scale)
            assert got.lipschitz() == want.lipschitz()
            assert got.duality_gap(x, ps.L1(0.1)) == want.duality_gap(x, ps.L1(0.1))
        np.testing.assert_array_equal(changed.gradient(x)[0], fresh.gradient(x)[0])
    with pytest.raises(ValueError, match=r"sample_weight has shape \(2,\), expected \(37,\)"):
        first.with_weights([1, 2])
