"""Laws of `solve_many`: each fit is what `solve` makes of it alone, however the fits are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
from loss_cases import on_every_path
from proxstep.solvers.certificate import Violation
from refusals import assert_same_bits

FITS = 5
SHAPES = [(41, 9), (13, 22), (300, 6)]
FORMS = [("shared", "C"), ("shared", "F"), ("own", "C"), ("own", "F"), ("own", "columns")]


def penalties(p: int) -> dict[str, Any]:
    weights = np.resize([0.8, 1.7, np.inf, 1.2, 0.6], p)
    return {
        "l1": ps.L1(0.11),
        "weighted": ps.L1(0.07, weights=weights),
        "some free": ps.L1(0.1, weights=np.resize([1.3, 0.0, 0.7, 2.0, 1.1, 0.9], p)),
        "elastic": ps.ElasticNet(0.06, 0.13, weights=weights),
        "not negative": ps.NonNegativeL1(0.04),
        "least squares, not negative": ps.NonNegativeL1(0.0),
        "ridge": ps.SquaredL2(0.17),
        "box": ps.Box(-0.15, 0.4),
        "box without zero": ps.Box(0.1, 0.7),
        "half line": ps.Box(0.05, np.inf),
    }


def data(kind: str, shape: tuple[int, int], dtype: str = "float64") -> tuple[Any, Any, Any]:
    """X, Y with the fits as rows, and weights; means are not 0, one column is constant."""
    n, p = shape
    rng = np.random.default_rng(n)
    X = rng.normal(0.4, 1.0, (FITS, n, p)) * rng.uniform(0.4, 2.2, p)
    X[:, :, 3] = 1.3
    X = X[0] if kind == "shared" else X
    u = X[..., :4] @ [0.9, -0.8, 0.6, 0.3] + 0.7
    Y = u * np.array([1.0, -0.6, 0.3, 2.1, 0.8])[:, None] + rng.normal(0, 0.4, (FITS, n))
    return X.astype(dtype), Y, np.resize([0.6, 1.9, 1.1, 0.0, 0.7], n)


def stored(X: Any, order: str) -> Any:
    if order == "columns":
        return np.ascontiguousarray(X.transpose(0, 2, 1)).transpose(0, 2, 1)
    return np.array(X, order=order)


def many(kind: str, order: str, X: Any, Y: Any, *args: Any, **settings: Any) -> Any:
    return ps.solve_many(stored(X, order), Y.T if kind == "shared" else Y, *args, **settings)


def one_by_one(kind: str, X: Any, Y: Any, penalty: Any, *args: Any) -> list[Any]:
    each = [X] * len(Y) if kind == "shared" else X
    problems = [ps.LeastSquares(A, y, *args) for A, y in zip(each, Y, strict=True)]
    return [(p, ps.solve(p, penalty, 1e-9)) for p in problems]


@pytest.mark.parametrize("name", penalties(9))
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["shared", "own"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_fits_are_those_of_solve(
    name: str, shape: Any, kind: str, fit_intercept: bool, weighted: bool
) -> None:
    X, Y, w = data(kind, shape)
    w = w if weighted else None
    penalty = penalties(shape[1])[name]
    found = many(
        kind, "C", X, Y, penalty, 1e-9, fit_intercept=fit_intercept, sample_weight=w
    )  # fmt: skip
    assert found.converged.all()
    for k, (problem, alone) in enumerate(one_by_one(kind, X, Y, penalty, w, fit_intercept)):
        unit = 1e-7 * problem.scale if "violation" in found.certificate[k] else 3e-9 * problem.scale
        at_ours = problem.value(found.x[k], found.intercept[k]) + penalty.value(found.x[k])
        terms = np.mean((abs(X if kind == "shared" else X[k]) @ abs(found.x[k])) ** 2)  # of x'Gx
        rounding = 1e-13 * problem.scale + 1e-15 * terms
        assert abs(found.objective[k] - at_ours) <= rounding
        assert abs(found.objective[k] - alone.objective) <= unit
        if found.certificate[k] == "duality gap":
            assert abs(problem.duality_gap(found.x[k], penalty) - found.gap[k]) <= 1e-12
        if shape[1] < shape[0]:
            np.testing.assert_allclose(found.x[k], alone.x, atol=2e-4)


@pytest.mark.parametrize("name", ["some free", "least squares, not negative", "half line"])
@pytest.mark.filterwarnings("ignore::proxstep.ConvergenceWarning")
def test_where_there_is_no_dual_the_violation_certifies(name: str) -> None:
    X, Y, w = data("own", (41, 9))
    penalty = penalties(9)[name]
    found = ps.solve_many(X, Y, penalty, sample_weight=w, max_iter=2)
    for k, A in enumerate(X):
        problem = ps.LeastSquares(A, Y[k], w)
        wanted = Violation(problem, penalty).measure(
            problem.evaluate_at(found.x[k]), 0.0, 1.0 / problem.design.scales.max()
        )
        assert wanted > 1e-6
        assert found.gap[k] == pytest.approx(wanted, rel=1e-7)


@pytest.mark.parametrize("name", ["l1", "elastic", "box", "least squares, not negative"])
@pytest.mark.parametrize(("kind", "order"), FORMS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_order_and_dtype_of_X_matter_by_rounding_only(
    name: str, kind: str, order: str, dtype: str
) -> None:
    X, Y, w = data(kind, (41, 9), dtype)
    penalty = penalties(9)[name]
    found = many(kind, order, X, Y, penalty, 1e-6, sample_weight=w)
    assert found.converged.all()
    assert found.x.dtype == dtype
    assert_same_bits(found.x, many(kind, "C", X, Y, penalty, 1e-6, sample_weight=w).x)
    double = X.astype(np.float64)
    for k, (problem, alone) in enumerate(one_by_one(kind, double, Y, penalty, w)):
        np.testing.assert_allclose(found.x[k], alone.x, atol=3e-3)
        assert abs(found.objective[k] - alone.objective) <= 3e-6 * problem.scale


@pytest.mark.parametrize("kind", ["shared", "own"])
def test_a_fit_depends_on_nothing_else(kind: str) -> None:
    X, Y, w = data(kind, (41, 9))
    order = np.array([3, 0, 4])
    part = X if kind == "shared" else X[order]
    every = many(kind, "C", X, Y, ps.L1(0.03), 1e-11, sample_weight=w)
    some = many(kind, "C", part, Y[order], ps.L1(0.03), 1e-11, sample_weight=w)
    for name in ("x", "intercept", "objective", "gap", "n_iter"):
        assert_same_bits(getattr(every, name)[order], getattr(some, name))


@pytest.mark.parametrize("kind", ["shared", "own"])
def test_threads_and_processors_matter_to_no_bit(kind: str) -> None:
    X, Y, w = data(kind, (41, 9))
    X, Y = (np.tile(X, (30, 1, 1)) if kind == "own" else X), np.tile(Y, (30, 1))

    def solved() -> Any:
        return many(kind, "C", X, Y, ps.ElasticNet(0.03, 0.1), sample_weight=w).x

    first, *rest = on_every_path(solved)
    for other in rest:
        assert_same_bits(other, first)


def test_zeros_are_exact_from_the_largest_strength_on() -> None:
    X, Y, _ = data("shared", (41, 9))
    top = max(ps.LeastSquares(X, y).lambda_max(ps.L1(1.0)) for y in Y)
    found = ps.solve_many(X, Y.T, ps.L1(top))
    assert found.converged.all()
    assert not found.x.any()
    np.testing.assert_allclose(found.intercept, Y.mean(axis=1), rtol=1e-13)
    assert ps.solve_many(X, Y.T, ps.L1(0.999 * top)).x.any()


def test_without_a_penalty_fits_are_those_of_lapack() -> None:
    X, Y, _ = data("own", (41, 9))
    X = np.delete(X, 3, axis=2)
    found = ps.solve_many(X, Y, ps.L1(0.0), 1e-10)
    full = np.concatenate([X, np.ones((FITS, 41, 1))], axis=2)
    wanted = [np.linalg.lstsq(A, y, rcond=None)[0] for A, y in zip(full, Y, strict=True)]
    both = np.column_stack([found.x, found.intercept])
    np.testing.assert_allclose(both, wanted, atol=1e-7)
