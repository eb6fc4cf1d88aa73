"""Laws of margins: they are the products with X, the intercept and the offset, wherever X lies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest

sp = pytest.importorskip("scipy.sparse")
LAYOUTS = (np.ascontiguousarray, np.asfortranarray, sp.csr_array, sp.csc_array)
kinds = pytest.mark.parametrize("kind", cases.KINDS)


def fits(problem: Any) -> list[Any]:
    """What a solver, a path and a mini-batch run leave behind."""
    history = ps.train(problem, ps.SGD(0.02), ps.L1(0.01), batch_size=9, epochs=3)
    return [ps.solve(problem, ps.L1(0.03)), ps.path(problem, ps.L1(1.0), n_lambdas=4)[-1], history]


def by_hand(fit: Any, X: Any, offset: Any) -> Any:
    return X @ np.asarray(fit.x, np.float64) + np.asarray(fit.intercept) + offset


@kinds
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_they_are_the_products_the_intercept_and_the_offset(kind: str, dtype: str) -> None:
    X = cases.data(kind, seed=8).X.astype(dtype)
    known = np.random.default_rng(2).normal(0.3, 0.7, (37, 3)[: 1 + bool(cases.OUTPUTS.get(kind))])
    for fit in fits(cases.problem(cases.data(kind), dtype)):
        for store in LAYOUTS:
            for offset in (None, known):
                found = fit.margins(store(X), offset)
                assert found.dtype == dtype
                want = by_hand(fit, X, 0.0 if offset is None else offset)
                np.testing.assert_allclose(found, want, rtol=0, atol=200 * np.finfo(dtype).eps)


@pytest.mark.torch
@kinds
def test_what_was_found_on_the_host_is_brought_to_x(kind: str) -> None:
    torch = pytest.importorskip("torch")
    X = cases.data(kind, seed=8).X
    for fit in fits(cases.problem(cases.data(kind))):
        found = fit.margins(torch.tensor(X))
        assert isinstance(found, torch.Tensor)
        np.testing.assert_allclose(found.numpy(), by_hand(fit, X, 0.0), rtol=0, atol=1e-13)


def test_those_of_tensors_are_tensors() -> None:
    torch = pytest.importorskip("torch")
    d = cases.data("Softmax")
    fit = ps.solve(ps.Softmax(torch.tensor(d.X), d.y), ps.L1(0.03))
    for X in (torch.tensor(d.X), d.X):
        found = fit.margins(X)
        assert type(found) is type(X)
        np.testing.assert_allclose(np.asarray(found), by_hand(fit, d.X, 0.0), rtol=0, atol=1e-13)


@pytest.mark.parametrize("shared", [True, False])
def test_many_fits_have_theirs_in_the_shape_of_y(shared: bool) -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(0.5, 1.0, (30, 4) if shared else (5, 30, 4))
    Y = rng.normal(0.7, 1.0, (30, 5) if shared else (5, 30))
    many = ps.solve_many(X, Y, ps.L1(0.02))
    alone = [replace_fit(many, k).margins(X if shared else X[k]) for k in range(5)]
    want = np.stack(alone, axis=1 if shared else 0)
    np.testing.assert_allclose(many.margins(X), want, rtol=0, atol=1e-13)
    np.testing.assert_allclose(many.margins(X, Y), want + Y, rtol=0, atol=1e-13)
    none = ps.solve_many(X if shared else X[:0], Y[:, :0] if shared else Y[:0], ps.L1(0.02))
    assert none.margins(X if shared else X[:0]).shape == ((30, 0) if shared else (0, 30))


def replace_fit(many: Any, k: int) -> Any:
    line = ps.solve(ps.LeastSquares(np.ones((2, 1)), [1, 2]), None)
    return replace(line, x=many.x[k], intercept=float(many.intercept[k]))


def test_what_does_not_fit_is_refused() -> None:
    fit = ps.solve(ps.LeastSquares(np.eye(3), [1, 2, 4]), ps.L1(0.01))
    many = ps.solve_many(np.ones((2, 3, 1)), np.ones((2, 3)), ps.L1(0.01))
    with pytest.raises(ValueError, match="X has 2 columns, the fit 3 features"):
        fit.margins(np.ones((4, 2)))
    with pytest.raises(TypeError, match="X must be float32 or float64, got int64"):
        fit.margins(np.ones((4, 3), int))
    with pytest.raises(ValueError, match=r"offset has shape \(3,\), expected \(4,\)"):
        fit.margins(np.ones((4, 3)), np.ones(3))
    with pytest.raises(ValueError, match="offset must be finite"):
        fit.margins(np.ones((2, 3)), [1.0, np.nan])
    with pytest.raises(ValueError, match="X has 3 parts of 1 columns, the 2 fits 1 features each"):
        many.margins(np.ones((3, 3, 1)))
    with pytest.raises(ValueError, match="X has 2 parts of 4 columns, the 2 fits 1 features each"):
        many.margins(np.ones((2, 3, 4)))
    with pytest.raises(TypeError, match="X is of int64; a NumPy array of float32 or float64"):
        many.margins(np.ones((2, 3, 1), int))
    with pytest.raises(TypeError, match="X is a masked array with masked values"):
        many.margins(np.ma.masked_equal(np.eye(6)[:2].reshape(2, 6, 1), 0.0))
    with pytest.raises(ValueError, match=r"offset has shape \(2,\), expected \(2, 3\)"):
        many.margins(np.ones((2, 3, 1)), [1.0, 2.0])


def test_a_point_says_what_a_result_says() -> None:
    path = ps.path(cases.problem(cases.data("Softmax")), ps.L1(1.0), n_lambdas=5)
    for point in path.points:
        assert point.nonzeros == np.count_nonzero(point.x)
        assert point.converged
        assert not replace(point, reason="max_iter").converged
