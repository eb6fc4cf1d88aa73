"""Descent on rows of x for several outputs: FISTA's solution, certified, on every kind of X."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
from loss_cases import on_every_path
from proxstep import _core
from refusals import refused

sp = pytest.importorskip("scipy.sparse")

N, P = 90, 14
PENALTIES = {
    "L1": ps.L1(0.013),
    "weighted": ps.L1(0.02, weights=np.linspace(0.0, 2.1, P * 5).reshape(P, 5)),
    "ElasticNet": ps.ElasticNet(0.012, 0.03),
    "NonNegativeL1": ps.NonNegativeL1(0.007),
    "Box": ps.Box(-0.31, 0.17),
    "rows": ps.Group(ps.L1(0.03), "rows"),
    "weighted rows": ps.Group(ps.L1(0.02), "rows", group_weights=np.linspace(0.3, 2.2, P)),
    "SparseGroup": ps.SparseGroup(0.009, 0.017, "rows"),
}
LAYOUTS = ("C", "F", "csr", "csc")


def data(kind: str, k: int = 5, seed: int = 5) -> tuple[Any, Any]:
    """Correlated features of unequal scale and mean, some of them 0; targets that need few."""
    rng = np.random.default_rng(seed)
    X = rng.normal(0.4, 1.0, (N, P)) @ (np.eye(P) + 0.3 * rng.standard_normal((P, P)))
    X *= rng.uniform(0.3, 2.4, P) * (rng.random((N, P)) < 0.6)
    signal = X[:, :3] @ rng.normal(0, 1.1, (3, k)) + rng.gumbel(0, 0.7, (N, k))
    if kind == "square":
        return X, signal + 3.1
    if kind == "soft":
        return X, rng.dirichlet(np.full(k, 0.6), N)
    labels = signal.argmax(axis=1)
    labels[:k] = np.arange(k)
    return X, labels


def problem(kind: str, layout: str = "F", dtype: str = "float64", **settings: Any) -> Any:
    X, y = data(kind)
    given: Any = np.array(X, dtype, order=layout) if len(layout) == 1 else None  # type: ignore[call-overload]
    if given is None:
        given = sp.csr_array(X.astype(dtype)).asformat(layout)
    return (ps.LeastSquares if kind == "square" else ps.Softmax)(given, y, **settings)


def weights() -> Any:
    w = np.random.default_rng(8).uniform(0.1, 2.3, N)
    w[11] = 0.0
    return w


def agree(given: Any, penalty: Any, tol: float = 1e-9) -> Any:
    """Descent reaches FISTA's objective, and says so by the same certificate."""
    found = ps.solve(given, penalty, tol=tol, solver="cd")
    exact = ps.solve(given, penalty, tol=tol, solver="fista", max_iter=200_000)
    assert (found.reason, found.solver) == ("converged", "cd")
    assert found.gap <= tol
    unit = given.double.scale
    assert abs(found.objective - exact.objective) <= 2 * tol * unit
    return found


@pytest.mark.parametrize("kind", ["labels", "soft", "square"])
@pytest.mark.parametrize("name", PENALTIES)
def test_every_penalty_of_elements_and_rows(name: str, kind: str) -> None:
    tol = 1e-7 if name == "weighted" else 1e-9  # with a free element the gap ends at rounding
    agree(problem(kind, sample_weight=weights()), PENALTIES[name], tol)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["labels", "square"])
def test_every_kind_of_matrix(kind: str, layout: str, dtype: str, intercept: bool) -> None:
    given = problem(kind, layout, dtype, fit_intercept=intercept)
    agree(given, PENALTIES["L1"], 1e-9 if dtype == "float64" else 2e-7)


@pytest.mark.parametrize("tol", [1e-9, 1e-7])  # margins computed anew, and those that follow x
@pytest.mark.parametrize("index", ["int32", "int64"])
def test_the_offset_is_part_of_the_margins(index: str, tol: float) -> None:
    X, y = data("labels")
    S = sp.csc_array(X)
    S.indices, S.indptr = S.indices.astype(index), S.indptr.astype(index)
    known = np.random.default_rng(3).normal(0, 1.2, (N, 5))
    agree(ps.Softmax(S, y, offset=known), PENALTIES["rows"], tol)


@pytest.mark.parametrize("k", [2, 3, 4, 11, 20, 33, 41])
def test_any_number_of_outputs(k: int) -> None:
    X, y = data("labels", k)
    agree(ps.Softmax(X, y, classes=k), ps.L1(0.01))


def hard_cases() -> dict[str, tuple[Any, Any]]:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((120, 8))
    y = (X[:, :4] + 0.05 * rng.standard_normal((120, 4))).argmax(axis=1)
    rare = np.r_[np.arange(4), np.zeros(116, int)]
    return {
        "nearly separable": (X, y),
        "badly scaled": (X * 10.0 ** np.arange(-4, 4), y),
        "far from 0": (X + 1e3, y),
        "rare classes": (X, rare),
    }


@pytest.mark.parametrize("name", hard_cases())
@pytest.mark.parametrize("part", [0.1, 0.001])
def test_hard_cases_converge(name: str, part: float) -> None:
    given = ps.Softmax(*hard_cases()[name])
    penalty = ps.L1(part * given.lambda_max(ps.L1(1.0)))
    result = ps.solve(given, penalty, tol=1e-7, solver="cd", max_iter=20_000)
    assert (result.reason, result.gap <= 1e-7) == ("converged", True)


def long(order: str, kind: str) -> Any:
    """More samples than one chunk of the pool; most rows move."""
    rng = np.random.default_rng(2)
    X = np.array(rng.normal(0.2, 1.0, (14_007, 11)), order=order)  # type: ignore[call-overload]
    signal = X @ rng.normal(0, 0.6, (11, 5)) + rng.gumbel(0, 0.7, (14_007, 5))
    return ps.LeastSquares(X, signal) if kind == "square" else ps.Softmax(X, signal.argmax(axis=1))


@pytest.mark.parametrize("kind", ["labels", "square"])
@pytest.mark.parametrize("layout", ["F", "csc"])
def test_bits_do_not_depend_on_threads_or_instruction_set(layout: str, kind: str) -> None:
    dense = layout == "F"
    given = long("F", kind) if dense else problem(kind, layout, sample_weight=weights())
    n, p = given.X.shape

    def run() -> bytes:
        x, margins = np.zeros((p, 5)), np.zeros((n, 5))
        given.rows_descent.run(PENALTIES["L1"].spec, np.arange(1, p), x, margins, 1e-9, 30)
        return x.tobytes() + margins.tobytes()

    assert len(set(on_every_path(run))) == 1


def test_descent_gives_way_where_columns_would_be_a_second_copy_of_x() -> None:
    rows = ps.Group(ps.L1(1e-4), "rows")
    by_rows, by_columns = (ps.solve(long(order, "labels"), rows) for order in "CF")
    assert (by_rows.solver, by_columns.solver) == ("cd, then fista", "cd")
    assert by_rows.objective == pytest.approx(by_columns.objective, rel=1e-5)


def test_softmax_gives_way_where_most_rows_have_moved_element_by_element() -> None:
    given = long("F", "labels")
    both = ps.solve(given, ps.L1(1e-4)), ps.solve(given, ps.L1(1e-4), solver="cd")
    assert [result.solver for result in both] == ["cd, then fista", "cd"]
    assert both[0].objective == pytest.approx(both[1].objective, rel=1e-5)


@pytest.mark.parametrize("layout", ["F", "csr"])
def test_rows_that_are_not_chosen_stay_and_margins_follow(layout: str) -> None:
    given = problem("labels", layout)
    start = np.random.default_rng(4).normal(0, 0.2, (P, 5))
    x, b = start.copy(), np.linspace(-0.3, 0.4, 5)
    X, rows = data("labels")[0], np.array([1, 4, 9])
    margins = X @ x + b
    given.rows_descent.run(PENALTIES["rows"].spec, rows, x, margins, 1e-10, 1000)
    others = np.setdiff1d(np.arange(P), rows)
    assert (x[others] == start[others]).all()
    shift = margins - X @ x
    np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=1e-12)
    gradient = X[:, rows].T @ given._pointwise(margins)[1]
    moved = PENALTIES["rows"].prox(np.r_[x[rows] - gradient, x[others]], 1.0)[: len(rows)]
    np.testing.assert_allclose(moved, x[rows], atol=1e-6)


def test_few_epochs_stop_early() -> None:
    with pytest.warns(ps.ConvergenceWarning, match="max_iter"):
        result = ps.solve(problem("labels"), ps.L1(1e-4), tol=1e-12, max_iter=3)
    assert (result.reason, result.n_iter <= 4) == ("max_iter", True)


def test_bad_arguments_are_refused() -> None:
    held = problem("labels").rows_descent
    x, margins, spec = np.zeros((P, 5)), np.zeros((N, 5)), PENALTIES["L1"].spec
    calls: list[tuple[Any, Any, Any, Any, Any, str]] = [
        (spec, [3, 1], x, margins, ValueError, r"rows\[1\] is 1; they increase within 0 to 13"),
        (spec, [3, P], x, margins, ValueError, r"rows\[1\] is 14"),
        (spec, [0], x[1:], margins, ValueError, r"x has shape \(13, 5\); \(14, 5\) in C order"),
        (spec, [0], x, np.zeros((N, 4)), ValueError, r"margins has shape .*\(90, 5\)"),
        (spec, [0], x.astype("float32"), margins, TypeError, "x has dtype float32; float64"),
        (ps.Group(ps.L1(1.0), "columns").spec, [0], x, margins, TypeError, "elements and of rows"),
        (ps.Group(ps.L1(1.0), 7).spec, [0], x, margins, TypeError, "elements and of rows"),
    ]
    for penalty, rows, point, at, error, message in calls:
        with refused(error, message, keep=[x, margins]):
            held.run(penalty, np.array(rows), point, at, 1e-6, 10)
    with refused(ValueError, r"targets\[2\] is 5; there are 5 classes"):
        _core.RowsDescent(problem("labels").design.matrix, 5, "softmax", np.arange(N) + 3)


@pytest.mark.parametrize("name", ["Softmax", "LeastSquares"])
@pytest.mark.parametrize("make", [ps.L1, lambda lam: ps.Group(ps.L1(lam), "rows")])
@pytest.mark.parametrize("share", [1e-5, 1e-6])
def test_where_epochs_crawl_auto_goes_on_with_fista(name, make, share):
    """Weak penalties leave valleys; half of the budget is kept for who gets along there."""
    rng = np.random.default_rng(0)
    n, p, k = (200, 30, 3) if name == "Softmax" else (60, 200, 4)
    X, x = rng.standard_normal((n, p)), np.zeros((p, k))
    x[:5] = 2 * rng.standard_normal((5, k))
    U = X @ x + rng.gumbel(size=(n, k))
    problem = getattr(ps, name)(X, U.argmax(axis=1) if name == "Softmax" else U)
    result = ps.solve(problem, make(share * problem.lambda_max(make(1.0))))
    assert result.converged, result


@pytest.mark.parametrize("classes", [3, 4])
@pytest.mark.parametrize("share", [1e-6, 1e-8, 1e-10])
def test_shifts_to_which_a_softmax_is_blind_are_not_left_to_a_weak_penalty(classes, share):
    """A median of each row is 0 at the optimum."""
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((200, 5)), rng.integers(0, classes, 200)
    problem = ps.Softmax(X, y)
    h = ps.L1(share * problem.lambda_max(ps.L1(1.0)))
    result = ps.solve(problem, h)
    assert result.converged, result
    ordered, half = np.sort(result.x, axis=1), (classes - 1) // 2
    assert (ordered[:, half] <= 1e-6).all()
    assert (ordered[:, classes - 1 - half] >= -1e-6).all()
