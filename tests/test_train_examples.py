"""The first examples of every textbook, by ps.train, ps.solve and ps.step."""

from __future__ import annotations

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest


def test_y_is_two_x():
    """A line through the points (x, 2x), by single samples and by all at once."""
    X = np.array([[-1.5], [0.5], [1.0], [2.0]])
    line = ps.LeastSquares(X, 2 * X[:, 0])
    for batch_size in (1, 4):
        history = ps.train(line, ps.SGD(0.1), None, batch_size=batch_size, epochs=300)
        np.testing.assert_allclose(history.x, [2.0], atol=1e-6)
        assert history.intercept == pytest.approx(0.0, abs=1e-6)
    exact = ps.solve(line, None, tol=1e-14)
    np.testing.assert_allclose([exact.x[0], exact.intercept], [2.0, 0.0], atol=1e-7)


def test_a_two_point_logistic_separates_without_end():
    """Labels 0 at -1 and 1 at +1: x grows like log t, the loss falls like 1 / t; L2 ends it."""
    two = ps.Logistic(np.array([[-1.0], [1.0]]), [0, 1])
    history = ps.train(two, ps.SGD(1.0), None, batch_size=2, epochs=400)
    assert history.loss[-1] < 0.01
    assert (np.diff(history.loss) < 0).all()
    assert history.x[0] == pytest.approx(np.log(400), rel=0.1)
    ended = ps.train(two, ps.SGD(1.0), ps.SquaredL2(0.1), batch_size=2, epochs=400).x[0]
    assert 1 / (1 + np.exp(ended)) == pytest.approx(0.1 * ended, rel=1e-6)  # the stationary point
    assert ps.solve(two, ps.SquaredL2(0.1), tol=1e-13).x[0] == pytest.approx(ended, rel=1e-5)


def test_a_softmax_classifier_learns_three_clouds():
    rng = np.random.default_rng(2)
    y = np.repeat([0, 1, 2], 40)
    X = rng.normal(0, 0.5, (120, 2)) + np.array([[0, 2], [2, -1], [-2, -1]])[y]
    clouds = ps.Softmax(X, y)
    history = ps.train(clouds, ps.Adam(0.1), ps.L1(1e-3), batch_size=16, epochs=40)
    assert np.mean((X @ history.x + history.intercept).argmax(axis=1) == y) == 1.0
    assert history.objective[-1] <= ps.solve(clouds, ps.L1(1e-3)).objective + 0.01


def test_a_proximal_step_is_solved_by_its_parts():
    """argmin <g, x> + |x - x0|^2 / 2s + h(x) falls apart into blocks, each solved on its own."""
    rng = np.random.default_rng(3)
    x0, g, s = rng.normal(0, 1, 12), rng.normal(0, 1, 12), 0.37
    whole = x0.copy()
    ps.step(whole, g, ps.SGD(s), ps.Group(ps.L1(0.9), 3))
    for k in range(0, 12, 3):
        part = x0[k : k + 3].copy()
        ps.step(part, g[k : k + 3].copy(), ps.SGD(s), ps.Group(ps.L1(0.9), 3))
        np.testing.assert_array_equal(whole[k : k + 3], part)
    identity = ps.LeastSquares(np.eye(12) * np.sqrt(12 / s), (x0 - s * g) * np.sqrt(12 / s),
                               fit_intercept=False)  # fmt: skip
    solved = ps.solve(identity, ps.Group(ps.L1(0.9), 3), tol=1e-14)
    np.testing.assert_allclose(whole, solved.x, atol=1e-7)


def test_training_by_proximal_points_splits_a_hard_fit_into_easy_ones():
    """x+ = argmin f(x) + |x - x0|^2 / 2s: each part is well conditioned, their chain fits f."""
    d = cases.data("LeastSquares")
    X = np.column_stack([d.X[:, :3], d.X[:, 0] + 0.05 * d.X[:, 3]])
    n, s, x = len(X), 1e3, np.zeros(4)
    for _ in range(60):
        anchored = np.vstack([X - X.mean(axis=0), np.eye(4) * np.sqrt(n / s)])
        target = np.concatenate([d.y - d.y.mean(), x * np.sqrt(n / s)])
        part = ps.LeastSquares(anchored, target, fit_intercept=False)
        x = ps.solve(part, None, tol=1e-13, x0=x).x
    plain = np.linalg.lstsq(np.column_stack([X, np.ones(n)]), d.y)[0][:-1]
    np.testing.assert_allclose(x, plain, atol=1e-3)
