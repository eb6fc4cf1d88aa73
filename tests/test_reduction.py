"""Columns of a sparse X that are known to be zero leave the problem; nothing else changes."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np
import proxstep as ps
import pytest
from proxstep.solvers.certificate import certificate_for
from proxstep.solvers.reduction import Reduction, reduction_of

sparse = pytest.importorskip("scipy.sparse")
LOSSES = ["Logistic", "Softmax", "Huber", "LeastSquares"]
losses = pytest.mark.parametrize("loss", LOSSES)
TINY = 1e-11


def words(n: int = 90, p: int = 2500, used: int = 700) -> Any:
    """Zipf's law: few columns have most of the entries, most have none."""
    generator = np.random.default_rng(3)
    X = np.zeros((n, p))
    present = generator.random((n, used)) < 1.5 / (1 + np.arange(used)) ** 0.9
    X[:, :used] = np.where(present, generator.random((n, used)) - 0.2, 0.0)
    return sparse.csc_array(X[:, generator.permutation(p)])


def problem(loss: str, X: Any = None, **settings: Any) -> Any:
    X = words() if X is None else X
    generator = np.random.default_rng(5)
    u = X @ generator.standard_normal((X.shape[1], 3))
    targets = {"Softmax": u.argmax(axis=1), "Logistic": u[:, 0] > 0}
    if loss == "Huber":
        settings.setdefault("delta", 0.3)
    return getattr(ps, loss)(X, targets.get(loss, u[:, 1]).astype(float), **settings)


def penalties(P: Any) -> list[Any]:
    lam, p = 0.2 * P.lambda_max(ps.L1(1.0)), P.shape[0]
    generator = np.random.default_rng(8)
    weights = generator.uniform(0.5, 2.0, P.shape)
    weights[3], weights[5] = np.inf, 0.0
    rows = ps.Group(ps.L1(lam), "rows", group_weights=generator.uniform(0.5, 2.0, p))
    return [
        ps.L1(lam),
        ps.L1(lam, weights=weights),
        ps.ElasticNet(lam, 0.3),
        ps.NonNegativeL1(lam, weights=np.maximum(weights, 0.1)),
        *([rows] if len(P.shape) == 2 else []),
    ]


def without_reduction(P: Any, h: Any, **settings: Any) -> Any:
    with patch("proxstep.solvers.dispatch.reduction_of", lambda *_: None):
        return ps.solve(P, h, **settings)


def reduced(P: Any, h: Any, start: Any = None) -> Reduction:
    found = reduction_of(P, h, start)
    assert found is not None
    return found


@losses
@pytest.mark.parametrize("standardize", [False, True])
def test_the_solution_is_that_of_the_whole(loss: str, standardize: bool) -> None:
    w = np.random.default_rng(1).uniform(0.0, 2.0, 90)
    P = problem(loss, sample_weight=w, standardize=standardize)
    for h in penalties(P):
        assert len(reduced(P, h).columns) < P.shape[0]
        want, got = without_reduction(P, h, tol=TINY), ps.solve(P, h, tol=TINY)
        assert (got.reason, got.certificate) == (want.reason, want.certificate)
        assert got.x.shape == P.shape
        np.testing.assert_allclose(got.objective, want.objective, 1e-10)
        if loss == "Huber":  # linear far out: more than one optimum
            continue
        np.testing.assert_allclose(got.x, want.x, 1e-4, 1e-5)
        np.testing.assert_allclose(got.intercept, want.intercept, 1e-4, 1e-5)


@losses
def test_the_certificate_is_that_of_the_whole(loss: str) -> None:
    P = problem(loss)
    for h in penalties(P):
        short = reduced(P, h)
        x = np.random.default_rng(2).uniform(0, 0.1, short.problem.shape)
        x[P.X[:, short.columns].sum(axis=0) == 0] = 0
        whole = np.zeros(P.shape)
        whole[short.columns] = x
        if getattr(h, "weights", None) is not None:
            whole[3] = x[short.columns == 3] = 0.0  # where the penalty is infinite
        gaps = []
        for Q, g, point in ((P, h, whole), (short.problem, short.penalty, x)):
            at = Q.evaluate(point)
            gaps.append(certificate_for(Q, g).measure(at, at.loss + g.value(at.x), 1.0))
        np.testing.assert_allclose(*gaps, 1e-9)
        assert np.isfinite(gaps).all()


def test_bounded_residuals_leave_few_columns_of_many() -> None:
    P = problem("Softmax")
    empty = np.diff(P.X.indptr) == 0
    lam = 0.2 * P.lambda_max(ps.L1(1.0))
    left = np.isin(np.arange(P.shape[0]), reduced(P, ps.L1(lam)).columns)
    assert empty.any()
    assert not left[empty].any()
    assert np.count_nonzero(left) < 0.4 * np.count_nonzero(~empty)
    unbounded = problem("LeastSquares")
    columns = reduced(unbounded, ps.L1(lam)).columns
    np.testing.assert_array_equal(columns, np.flatnonzero(~empty))


def test_what_a_start_or_a_weight_asks_for_stays() -> None:
    P = problem("Softmax")
    empty = np.flatnonzero(np.diff(P.X.indptr) == 0)
    start, weights = np.zeros(P.shape), np.ones(P.shape)
    start[empty[0], 1] = 0.7
    weights[empty[1], 2] = 0.0
    assert empty[0] in reduced(P, ps.L1(0.1), start).columns
    assert empty[1] in reduced(P, ps.L1(0.1, weights=weights)).columns
    weights[empty[0], 1] = 0.0
    free = ps.solve(P, ps.L1(0.01, weights=weights), x0=start, tol=1e-8)
    assert free.converged
    assert np.isclose(free.x[empty[0], 1], 0.7)  # nothing pulls at it
    with pytest.warns(ps.ConvergenceWarning, match="max_iter"):
        first = ps.solve(P, ps.L1(0.01), x0=start, max_iter=0)
    np.testing.assert_array_equal(first.x, start)


@pytest.mark.parametrize("penalty", [ps.Box(0.1, 0.2), ps.MCP(0.1), ps.SquaredL2(0.1), ps.L1(0.0)])
def test_other_penalties_keep_all_columns(penalty: Any) -> None:
    P = problem("Logistic")
    assert reduction_of(P, penalty, None) is None
    box = ps.solve(P, ps.Box(0.1, 0.2), tol=1e-6)
    assert (box.x >= 0.1).all()


def test_a_copy_larger_than_what_it_saves_is_not_made() -> None:
    X = words()
    used = X[:, np.diff(X.indptr) > 40]
    assert reduction_of(problem("Logistic", used), ps.L1(1e-4), None) is None
    assert reduction_of(ps.Logistic(X.toarray(), np.arange(90) % 2), ps.L1(0.1), None) is None


def test_a_path_is_that_of_the_whole() -> None:
    P = problem("Softmax", sparse.csr_array(words()))
    weights = np.random.default_rng(9).uniform(0.5, 2.0, P.shape)
    seen = []
    penalty = ps.ElasticNet(1.0, 0.1, weights=weights)
    settings = {"n_lambdas": 8, "lambda_ratio": 0.2, "tol": 1e-10}
    got = ps.path(P, penalty, until=lambda point: seen.append(point.x.shape), **settings)
    with patch("proxstep.paths.follow.reduction_of", lambda *_: None):
        want = ps.path(P, penalty, **settings)
    assert seen == [P.shape] * 8
    np.testing.assert_allclose(got.x, want.x, 0, 1e-5)
    np.testing.assert_allclose([p.loss for p in got.points], [p.loss for p in want.points], 1e-7)


def test_float32_and_strengths_above_the_largest() -> None:
    P = problem("Logistic", words().astype(np.float32))
    got = ps.solve(P, ps.L1(0.3 * P.lambda_max(ps.L1(1.0))), tol=1e-6)
    assert got.converged
    assert got.x.dtype == np.float32
    assert not ps.solve(P, ps.L1(10.0)).x.any()
