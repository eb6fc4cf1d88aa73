"""The core's Gram matrix of a dense X: what NumPy finds, in the same bits on every path."""

from __future__ import annotations

import signal
import threading
from typing import Any

import numpy as np
import proxstep as ps
import pytest
from loss_cases import on_every_path
from proxstep import _core
from refusals import refused

SHAPES = [(1, 1), (9, 7), (600, 8), (513, 24), (1300, 53), (40, 131)]


def values(shape: tuple[int, int], dtype: str, order: Any) -> Any:
    return np.array(np.random.default_rng(shape[0]).normal(0.3, 1.7, shape), dtype, order=order)


def shares_of(n: int) -> Any:
    w = np.random.default_rng(n).uniform(0.1, 1.9, n)
    return w / w.sum()


def gram(X: Any, *given: Any) -> Any:
    out = np.full((X.shape[1],) * 2, np.nan)
    _core.gram(_core.Matrix(X), out, *given)
    return out


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_numpys(shape: tuple[int, int], dtype: str, order: str) -> None:
    X = values(shape, dtype, order)
    equal = np.full(shape[0], 1 / shape[0])
    for shares in (None, shares_of(shape[0])):
        for means in (None, np.linspace(-1.3, 0.9, shape[1])):
            ours = gram(X, shares, means)
            centred = X.astype(np.float64) - (0.0 if means is None else means)
            exact = (centred.T * (equal if shares is None else shares)) @ centred
            np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-13 * exact.max())
            np.testing.assert_array_equal(ours, ours.T)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("weighted", [False, True])
def test_threads_and_instruction_sets_change_no_bit(weighted: bool, order: str) -> None:
    X = values((1700, 300), "float64", order)
    shares = shares_of(1700) if weighted else None
    assert len(set(on_every_path(lambda: gram(X, shares, X.mean(axis=0)).tobytes()))) == 1


@pytest.mark.parametrize("standardize", [False, True])
def test_a_path_on_it_has_the_same_bits(standardize: bool) -> None:
    X = values((900, 60), "float64", "F")
    y = X[:, :5].sum(axis=1) + np.cos(np.arange(900.0))

    def fit() -> bytes:
        problem = ps.LeastSquares(X, y, standardize=standardize)
        return ps.path(problem, ps.L1(1.0), 12, tol=1e-7).x.tobytes()

    assert len(set(on_every_path(fit))) == 1


def test_far_means_cost_no_digits() -> None:
    X = values((700, 9), "float64", "F")
    far = X + 2.0**33
    exact = far - 2.0**33
    means = exact.mean(axis=0)
    expected = (exact - means).T @ (exact - means) / 700
    np.testing.assert_allclose(gram(far, None, means + 2.0**33), expected, atol=1e-4, rtol=1e-5)


def test_ctrl_c_ends_it_early(ctrl_c: None) -> None:
    X, out = values((20_000, 600), "float64", "F"), np.empty((600, 600))
    matrix = _core.Matrix(X)

    def without_end() -> None:
        while True:
            _core.gram(matrix, out)

    timer = threading.Timer(0.02, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        without_end()
    timer.join()


def test_it_refuses_what_does_not_fit() -> None:
    sp = pytest.importorskip("scipy.sparse")
    S = sp.csr_array(np.eye(4))
    sparse = _core.Matrix(S.data, S.indices, S.indptr, S.shape, "csr")
    matrix = _core.Matrix(np.ones((9, 4)))
    with refused(TypeError, "a Gram matrix of all columns is that of a dense X"):
        _core.gram(sparse, np.empty((4, 4)))
    with refused(ValueError, r"out has shape \(4, 3\); \(4, 4\) in C order is needed"):
        _core.gram(matrix, np.empty((4, 3)))
    with refused(ValueError, r"shares has shape \(4,\); \(9,\) in C order is needed"):
        _core.gram(matrix, np.empty((4, 4)), np.ones(4))
    with refused(ValueError, "the matrix has no samples; a Gram matrix needs one"):
        _core.gram(_core.Matrix(np.empty((0, 4))), np.empty((4, 4)))
    out = np.ones((4, 4))
    with refused(ValueError, "out and means overlap in memory"):
        _core.gram(matrix, out, None, out[0])
