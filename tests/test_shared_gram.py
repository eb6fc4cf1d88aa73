"""Sparse columns of one value each: what two of them share is told by bits, not by products."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
from loss_cases import on_every_path
from refusals import assert_same_bits

sp = pytest.importorskip("scipy.sparse")

COUNTS = (9, 64, 70, 150)  # columns: within a word, all of it, beyond it, beyond two


def categories(p: int, dtype: str = "float64", index: str = "int32") -> tuple[Any, Any]:
    """Columns of very unequal counts, one full and one empty, each with a value of its own."""
    rng = np.random.default_rng(p)
    X = rng.random((400, p)) < np.geomspace(0.02, 0.9, p)
    X[:, 2], X[:, 5] = True, False
    X = sp.csc_array((X * rng.uniform(-2.0, 2.0, p)).astype(dtype))
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    y = X[:, [0, p // 2, p - 1]] @ [1.4, -0.9, 0.8] + rng.normal(0, 0.5, 400)
    return X, (y > np.median(y)).astype(float)


@pytest.mark.parametrize("p", COUNTS)
@pytest.mark.parametrize("loss", [ps.LeastSquares, ps.Logistic])
@pytest.mark.parametrize("settings", [{}, {"fit_intercept": False}, {"standardize": True}])
def test_it_is_the_dense_problem(p: int, loss: Any, settings: dict[str, Any]) -> None:
    X, y = categories(p)
    weight = np.resize([0.6, 1.9, 1.1, 0.0], 400)
    ours, other = (loss(Z, y, weight, **settings) for Z in (X, X.toarray()))
    for lam in (0.03, 0.004):  # the second set finds a part of the first one's matrix
        for h in (ps.L1(lam), ps.Group(ps.L1(lam), [3] * (p // 3) + [p % 3])):
            found, dense = (ps.solve(P, h, tol=1e-11) for P in (ours, other))
            assert found.solver == dense.solver == "cd"
            np.testing.assert_allclose(found.objective, dense.objective, rtol=1e-10)
            np.testing.assert_allclose(found.x, dense.x, rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("index", ["int32", "int64"])
def test_threads_and_instruction_sets_change_no_bit(dtype: str, index: str) -> None:
    X, y = categories(70, dtype, index)
    found = on_every_path(lambda: ps.solve(ps.Logistic(X, y), ps.L1(0.004), tol=1e-8).x)
    for x in found[1:]:
        assert_same_bits(x, found[0])


def test_a_single_other_value_is_seen() -> None:
    X, y = categories(70)
    X.data[-1] *= 3.0
    found, dense = (ps.solve(ps.Logistic(Z, y), ps.L1(1e-3), tol=1e-11) for Z in (X, X.toarray()))
    np.testing.assert_allclose(found.objective, dense.objective, rtol=1e-10)
