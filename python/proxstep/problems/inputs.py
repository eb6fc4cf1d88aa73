"""What a problem accepts beside y, and the messages for the rest. Nothing is checked twice."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array, is_masked_array
from ..namespace import Namespace, in_blocks, namespace

_SPARSE = ("csr", "csc")


def matrix(X: Any) -> Array:
    """Return X unchanged if it is a float matrix; only a strided view is copied, once."""
    if is_sparse(X):
        return _sparse_matrix(X)
    xp = namespace(X)
    check_unmasked("X", X)
    X = xp.plain(X)
    _check_matrix(X, xp)
    return xp.dense(X)


def check_unmasked(name: str, values: Any) -> None:
    """Refuse a masked array that masks something: what it masks would count."""
    if is_masked_array(values) and np.ma.is_masked(values):
        raise TypeError(
            f"{name} is a masked array with masked values; fill them in, or drop their rows"
        )


def check_numpy_floats(X: Any) -> None:
    """Refuse all but NumPy's arrays of float32 or float64, and what masks something."""
    if not isinstance(X, np.ndarray) or X.dtype not in (np.float32, np.float64):
        found = f"of {X.dtype}" if isinstance(X, np.ndarray) else f"a {type(X).__name__}"
        raise TypeError(f"X is {found}; a NumPy array of float32 or float64 is needed")
    check_unmasked("X", X)


def namespace_of(X: Any) -> Namespace:
    """Return the namespace of a matrix, dense or sparse."""
    return namespace(X.data if is_sparse(X) else X)


def is_sparse(X: Any) -> bool:
    """Whether X is a sparse matrix or array of SciPy or CuPy."""
    return hasattr(X, "tocsr")


def _sparse_matrix(X: Any) -> Any:
    if X.format not in _SPARSE:
        raise TypeError(f"X is a sparse matrix of format {X.format}; pass X.tocsr()")
    xp = namespace(X.data)
    _check_matrix(X, xp)
    _check_starts(X, xp)
    if not X.has_canonical_format:
        X = X.copy()  # the caller's stays as it is
        X.sum_duplicates()
    return X


def _check_starts(X: Any, xp: Namespace) -> None:
    """Refuse rows or columns that lie outside the entries: X's library would read them."""
    i = first(xp, X.indptr[1:] < X.indptr[:-1])
    if i is not None:
        pair = [int(start) for start in xp.read(X.indptr[i], X.indptr[i + 1])]
        raise ValueError(f"X.indptr[{i}] is {pair[0]}, above the next, {pair[1]}")
    begin, end = (int(start) for start in xp.read(X.indptr[0], X.indptr[-1]))
    if begin != 0 or end > min(len(X.indices), len(X.data)):
        raise ValueError(
            f"X.indptr runs from {begin} to {end} beside {len(X.indices)} indices and "
            f"{len(X.data)} values"
        )


def _check_matrix(X: Any, xp: Namespace) -> None:
    if X.dtype not in (xp.float32, xp.float64):
        raise TypeError(f"X must be float32 or float64, got {X.dtype}; pass {xp.hint}")
    if X.ndim != 2 or X.shape[0] == 0:
        raise ValueError(f"X must have shape (n, p) with n > 0, got {tuple(X.shape)}")


def numbers(xp: Namespace, name: str, values: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return real, finite values of this shape as a new array of this dtype, beside X."""
    check_unmasked(name, values)
    given = xp.bring(name, values)
    if not xp.is_real(given):
        raise TypeError(f"{name} must be real numbers, got dtype {given.dtype}")
    if tuple(given.shape) != shape:
        raise ValueError(f"{name} has shape {tuple(given.shape)}, expected {shape}")
    with np.errstate(over="ignore"):
        result = xp.copy(given, dtype)
    check_finite(xp, name, result)
    return result


def exact_numbers(
    xp: Namespace, name: str, values: Any, shape: tuple[int, ...], dtype: Any
) -> Array:
    """Return `numbers` in float64, where they are finite in this dtype, too."""
    exact = numbers(xp, name, values, shape, xp.float64)
    if dtype != xp.float64:
        with np.errstate(over="ignore"):
            check_finite(xp, name, xp.asarray(exact, dtype))
    return exact


def sample_shares(xp: Namespace, weight: Any, n: int) -> Array | None:
    """Return the weights divided by their sum in float64, or None for equal weights."""
    if weight is None:
        return None
    given = numbers(xp, "sample_weight", weight, (n,), xp.float64)
    i = first(xp, given < 0)
    if i is not None:
        found = f"sample_weight[{i}] is {xp.read(given[i])[0]:g}"
        raise ValueError(f"sample_weight must not be negative, {found}")
    largest = xp.read(given.max())[0]
    if largest == 0:
        raise ValueError("sample_weight is zero for every sample")
    given /= largest
    return given / xp.sum(given)


def start_point(xp: Namespace, x0: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return a new array to start from: zeros, or a copy of x0."""
    return xp.zeros(shape, dtype) if x0 is None else numbers(xp, "x0", x0, shape, dtype)


def first(xp: Namespace, wrong: Array) -> int | None:
    """Return the first index that is wrong, or None; one number is read where none is."""
    return int(np.argmax(xp.to_host(wrong))) if xp.is_any(wrong) else None


def check_finite(xp: Namespace, name: str, values: Array) -> None:
    """Refuse what is not finite, with its first place."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = xp.read(xp.sum(values, dtype=xp.float64))[0]  # one pass, no temporary
    if np.isfinite(total):
        return
    width = values.shape[1] if values.ndim == 2 else 1
    for rows in in_blocks(len(values), width, xp.block) if values.ndim else [...]:
        bad = np.argwhere(~xp.to_host(xp.isfinite(values[rows])))
        if len(bad):
            _refuse_number(xp, name, values[rows], rows, bad[0])


def _refuse_number(xp: Namespace, name: str, values: Array, rows: Any, bad: Any) -> None:
    found = xp.to_host(values[tuple(int(i) for i in bad)])[()]
    at = [int(i) for i in bad]
    if at:
        at[0] += rows.start
    raise ValueError(f"{name} must be finite in {values.dtype}, {name}{at or ''} is {found}")


def xlogx(xp: Namespace, q: Array) -> Array:
    """Return ``q log q`` with its limit 0 at 0."""
    result = xp.log(xp.maximum(q, xp.tiny(q.dtype)))
    result *= q
    return result
