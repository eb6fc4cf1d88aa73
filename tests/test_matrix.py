"""The design matrix lent to the core: what it accepts, shares and refuses."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import proxstep as ps
import pytest
from proxstep import _core
from refusals import refused

sp = pytest.importorskip("scipy.sparse")

N, P = 7, 5


def dense(dtype: str = "float64", order: Any = "C") -> Any:
    values = np.random.default_rng(11).standard_normal((N, P))
    values[:, 3] = values[2] = 0.0
    return np.array(values, dtype, order=order)


def parts(layout: str = "csc", index: str = "int32") -> tuple[Any, Any, Any]:
    X = getattr(sp, f"{layout}_array")(dense())
    return X.data.copy(), X.indices.astype(index), X.indptr.astype(index)


def design(X: Any) -> Any:
    return ps.LeastSquares(X, np.arange(N)).design


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("order", "layout"), [("C", "rows"), ("F", "columns")])
def test_dense_arrays_are_lent(order: str, layout: str, dtype: str) -> None:
    matrix = design(dense(dtype, order)).matrix
    assert (matrix.layout, matrix.shape) == (layout, (N, P))


@pytest.mark.torch
@pytest.mark.parametrize(("order", "layout"), [("C", "rows"), ("F", "columns")])
def test_tensors_are_lent(order: str, layout: str) -> None:
    import torch

    matrix = design(torch.from_numpy(dense("float32", order))).matrix
    assert (matrix.layout, matrix.shape) == (layout, (N, P))


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("layout", ["csr", "csc"])
def test_sparse_arrays_are_lent(layout: str, index: str) -> None:
    data, indices, starts = parts(layout, index)
    X = getattr(sp, f"{layout}_array")((data, indices, starts), shape=(N, P))
    assert X.indices.dtype == index
    matrix = design(X).matrix
    assert (matrix.layout, matrix.shape) == (layout, (N, P))


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (6, 1), (5, 0)])
def test_small_shapes_are_lent(shape: tuple[int, int]) -> None:
    X = np.ones(shape)
    assert _core.Matrix(X).shape == shape
    for kind in (sp.csr_array, sp.csc_array):
        s = kind(X)
        assert _core.Matrix(s.data, s.indices, s.indptr, shape, s.format).shape == shape


@pytest.mark.parametrize("skip", [0, 3])
def test_a_memory_mapped_matrix_serves(tmp_path: Any, skip: int) -> None:
    file = tmp_path / "X"
    file.write_bytes(b"\0" * skip + dense().tobytes())
    X = np.memmap(file, "float64", "r", offset=skip, shape=(N, P))
    assert design(X).matrix.shape == (N, P)


def test_a_matrix_is_made_once_and_shared_with_the_view_in_double() -> None:
    for X in (dense("float32"), sp.csr_array(dense("float32"))):
        single = ps.LeastSquares(X, np.arange(N))
        assert single.design.matrix is single.double.design.matrix


def test_the_buffers_stay_alive() -> None:
    X = dense()
    gone = weakref.ref(X)
    matrix = _core.Matrix(X)
    del X
    gc.collect()
    assert gone() is not None
    del matrix
    assert gone() is None


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (dense("float16"), TypeError, "values has dtype float16; float64 or float32"),
        (dense().astype(int), TypeError, "values has dtype int64"),
        (dense()[:, ::2], ValueError, "values is not dense"),
        (np.ones(3), ValueError, r"values has shape \(3,\); it needs 2 axes"),
        (np.ones((2, 3, 4)), ValueError, "it needs 2 axes"),
        ([[1.0]], TypeError, "values must be an array"),
    ],
)
def test_what_is_no_dense_matrix_is_refused(values: Any, error: Any, message: str) -> None:
    with refused(error, message):
        _core.Matrix(values)


def test_sparse_parts_that_do_not_fit_are_refused() -> None:
    data, indices, starts = parts()
    cases: list[tuple[Any, ...]] = [
        (data[None], indices, starts, (N, P), "csc", r"values has shape .*; it needs 1 axes"),
        (data, indices[1:], starts, (N, P), "csc", "indices has shape .*; 24 are needed"),
        (data, indices, starts, (N, P + 1), "csc", "starts has shape .*; 7 are needed, one a col"),
        (data, indices, starts, (N, P), "csr", "starts has shape .*; 8 are needed, one a row"),
        (data, indices, starts, (N, P), "coo", "layout is 'coo'; csc or csr is needed"),
        (data, indices, starts, (-1, P), "csc", r"shape is \(-1, 5\)"),
    ]
    for *given, message in cases:
        with refused(ValueError, message):
            _core.Matrix(*given)


def test_index_types_are_refused() -> None:
    data, indices, starts = parts()
    with refused(TypeError, "indices has dtype .*int32 or int64 is needed"):
        _core.Matrix(data, indices.astype("int16"), starts, (N, P), "csc")
    with refused(TypeError, "starts has dtype int64, int32 is needed beside indices"):
        _core.Matrix(data, indices, starts.astype("int64"), (N, P), "csc")
    with refused(ValueError, "indices is not contiguous"):
        _core.Matrix(data, np.repeat(indices, 2)[::2], starts, (N, P), "csc")


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize(
    ("array", "place", "value", "message"),
    [
        ("starts", 0, 1, r"starts\[0\] is 1; starts rise from 0 to 24"),
        ("starts", 2, 99, r"starts\[3\] is 18; starts rise"),
        ("starts", 2, -1, r"starts\[2\] is -1; starts rise"),
        ("starts", 5, 25, r"starts\[5\] is 25; starts rise"),
        ("indices", 0, -1, r"indices\[0\] is -1; those of a column increase within 0 to 6"),
        ("indices", 5, N, r"indices\[5\] is 7; those"),
        ("indices", 4, 1, r"indices\[4\] is 1; those"),
        ("indices", 23, 5, r"indices\[23\] is 5; those"),
    ],
)
def test_bad_structure_is_refused(
    array: str, place: int, value: int, message: str, index: str
) -> None:
    given = dict(zip(("values", "indices", "starts"), parts(index=index), strict=True))
    given[array][place] = value
    with refused(ValueError, message):
        _core.Matrix(**given, shape=(N, P), layout="csc")


@pytest.mark.parametrize("count", [1, 2])
def test_the_first_of_many_bad_indices_is_named(threads: None, count: int) -> None:
    ps.set_num_threads(count)
    X = sp.random_array((3000, 2000), density=0.05, format="csr", rng=3)
    X.indices[[123_456, 234_567]] = 2000
    with refused(ValueError, r"indices\[123456\] is 2000"):
        _core.Matrix(X.data, X.indices, X.indptr, X.shape, "csr")


def test_a_lying_canonical_flag_is_found_out() -> None:
    X = sp.csr_array(dense())
    X.indices[:4] = X.indices[:4][::-1].copy()
    X.has_canonical_format = True
    with refused(ValueError, r"indices\[1\] is .*; those of a row increase"):
        _ = design(X).matrix
