"""A sparse X is the operator that its dense form is, and is never made dense."""

from __future__ import annotations

from typing import Any

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest

sparse = pytest.importorskip("scipy.sparse")
kinds = pytest.mark.parametrize("kind", cases.KINDS)
FORMATS = ["csr_array", "csc_array", "csr_matrix", "csc_matrix"]


def on_both(kind: str, form: str, dtype: str = "float64", **settings: Any) -> tuple[Any, Any]:
    """The problem of a dense X with a third of its elements, and of the same X sparse."""
    d = cases.data(kind, weighted=settings.pop("weighted", True))
    settings |= d.settings
    X = np.where(np.random.default_rng(7).random(d.X.shape) < 0.35, d.X, 0).astype(dtype)
    make = getattr(ps, d.name)
    X_there = getattr(sparse, form)(X)
    return make(X, d.y, d.w, **settings), make(X_there, d.y, d.w, **settings)


@kinds
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_the_solution_is_that_of_a_dense_x(kind: str, form: str, fit_intercept: bool) -> None:
    dense, stored = on_both(kind, form, fit_intercept=fit_intercept)
    free = np.resize([0.7, 0.0, 1.9, 0.4], dense.shape)
    for h in (ps.L1(0.02, weights=free), ps.Group(ps.L1(0.03), 2), ps.MCP(0.04), ps.L1Ball(0.8)):
        want, got = ps.solve(dense, h, tol=1e-10), ps.solve(stored, h, tol=1e-10)
        assert (got.reason, got.certificate) == (want.reason, want.certificate)
        if not (isinstance(h, ps.MCP) and kind.startswith("Softmax")):  # centred if dense alone
            np.testing.assert_allclose(got.objective, want.objective, 2e-10)
        if not isinstance(h, ps.MCP):  # several optima
            np.testing.assert_allclose(got.x, want.x, 0, 1e-5)


@kinds
@pytest.mark.parametrize("form", FORMATS)
def test_float32_is_certified_in_float64(kind: str, form: str) -> None:
    dense, stored = on_both(kind, form, "float32")
    want, got = ps.solve(dense, ps.L1(0.02), tol=1e-6), ps.solve(stored, ps.L1(0.02), tol=1e-6)
    assert got.x.dtype == np.float32
    assert got.gap <= 1e-6
    np.testing.assert_allclose(got.objective, want.objective, 2e-6)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_means_scales_and_bounds(form: str, weighted: bool, fit_intercept: bool) -> None:
    settings = {"weighted": weighted, "fit_intercept": fit_intercept}
    dense, stored = on_both("Logistic", form, "float32", **settings)
    np.testing.assert_allclose(stored.design.means, dense.design.means, 1e-12, 1e-15)
    np.testing.assert_allclose(stored.design.scales, dense.design.scales, 1e-12)
    np.testing.assert_allclose(stored.lipschitz(), dense.lipschitz(), 1e-12)
    np.testing.assert_allclose(stored.lambda_max(ps.L1(1.0)), dense.lambda_max(ps.L1(1.0)), 1e-10)


@pytest.mark.parametrize("form", FORMATS)
def test_a_far_mean_costs_no_digits(form: str) -> None:
    X = np.random.default_rng(1).standard_normal((60, 3)) + 1e6
    y = X[:, 0] - 1e6
    dense, stored = ps.LeastSquares(X, y), ps.LeastSquares(getattr(sparse, form)(X), y)
    np.testing.assert_allclose(stored.design.scales, dense.design.scales, 1e-8)


def test_nothing_of_the_size_of_a_dense_x_is_made() -> None:
    """A hundred thousand columns: the dense form would take 40 GB."""
    rng = np.random.default_rng(2)
    X = sparse.random_array((50_000, 100_000), density=2e-6, rng=rng, format="csr")
    result = ps.solve(ps.LeastSquares(X, rng.standard_normal(50_000)), ps.L1(1e-5), tol=1e-3)
    assert result.converged
    assert np.count_nonzero(result.x) > 0


def test_the_callers_matrix_stays_as_it_is() -> None:
    data, columns, starts = np.array([1.5, 2.5, -1.0]), np.array([1, 1, 0]), np.array([0, 2, 3])
    twice = sparse.csr_array((data, columns, starts), shape=(2, 2))
    problem = ps.LeastSquares(twice, [1, 2])
    np.testing.assert_array_equal(problem.X.toarray(), [[0, 4], [-1, 0]])
    assert twice.nnz == 3
    tidy = sparse.csc_array(np.eye(3))
    assert ps.LeastSquares(tidy, [1, 2, 3]).X is tidy


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (sparse.coo_array(np.eye(3)), TypeError, r"format coo; pass X.tocsr\(\)"),
        (sparse.csr_array(np.eye(3, dtype=int)), TypeError, "must be float32 or float64, got int"),
        (sparse.csr_array((0, 3)), ValueError, r"n > 0, got \(0, 3\)"),
        (sparse.csr_array(np.diag([1, np.nan, 2])), ValueError, r"X.data\[1\] is nan"),
    ],
)
def test_bad_matrices_are_refused(X: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        ps.LeastSquares(X, [1, 2, 3])


def test_train_says_that_it_needs_numpy() -> None:
    problem = ps.LeastSquares(sparse.csr_array(np.eye(3)), [1, 2, 3])
    with pytest.raises(TypeError, match="X is a csr_array"):
        ps.train(problem, ps.SGD(lr=0.1), None, batch_size=1, epochs=1)
