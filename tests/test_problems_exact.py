"""A float32 X rounds nothing else: y and offset count in full where solutions are certified."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest

FAR = 3e4  # whose rounding in float32 is 2e-3


def far(kind: str):
    """Targets, or a known part of the margins, that float32 would round by a lot."""
    d = cases.data(kind, weighted=True)
    rng = np.random.default_rng(11)
    known = 0.3 * rng.standard_normal((len(d.X), *d.shape[1:])) + 0.2
    X = d.X.astype(np.float32).astype(np.float64)
    if d.name in ("LeastSquares", "Huber"):
        return replace(d, X=X, y=np.asarray(d.y) + FAR, offset=known)
    return replace(d, X=X, offset=known)


@pytest.mark.parametrize("kind", cases.KINDS)
@pytest.mark.parametrize("reweighted", [False, True])
def test_y_and_offset_are_not_rounded_to_the_dtype_of_X(kind, reweighted):
    d = far(kind)
    single, double = (cases.problem(d, dtype) for dtype in ("float32", "float64"))
    if reweighted:
        w = np.random.default_rng(5).uniform(0.1, 2.0, len(d.X))
        single, double = single.with_weights(w), double.with_weights(w)
    x = np.random.default_rng(6).normal(0.1, 0.4, d.shape)
    for point in (np.zeros(d.shape), x):
        got, want = single.double.evaluate_at(point), double.evaluate_at(point)
        assert got.loss == pytest.approx(want.loss, rel=1e-12)
        np.testing.assert_allclose(got.residual, want.residual, 1e-10, 1e-12)
        np.testing.assert_allclose(got.offset, want.offset, 1e-12)


@pytest.mark.parametrize("kind", cases.KINDS)
def test_the_float32_problem_computes_in_float32(kind):
    at = pickle.loads(pickle.dumps(cases.problem(far(kind), "float32"))).evaluate_at(
        np.zeros(cases.data(kind).shape)
    )
    assert at.residual.dtype == np.float32


def test_a_mean_far_from_zero_costs_a_float32_fit_no_digits():
    d = cases.data("LeastSquares")
    X = d.X.astype(np.float32)
    near = ps.solve(ps.LeastSquares(X, d.y), ps.L1(0.05), tol=1e-9)
    far_off = ps.solve(ps.LeastSquares(X, d.y + 1e6), ps.L1(0.05), tol=1e-9)
    assert far_off.converged
    np.testing.assert_allclose(far_off.x, near.x, 1e-6)
    assert far_off.intercept == pytest.approx(near.intercept + 1e6, rel=1e-12)


def test_what_float32_cannot_hold_is_refused():
    X = np.eye(3, dtype=np.float32)
    with pytest.raises(ValueError, match=r"y must be finite in float32, y\[1\] is inf"):
        ps.LeastSquares(X, [0.0, 1e39, 0.0])
    with pytest.raises(ValueError, match=r"offset must be finite in float32, offset\[2\] is -inf"):
        ps.Logistic(X, [0, 1, 0], offset=[0.0, 0.0, -1e39])
