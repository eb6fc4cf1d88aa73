"""What a problem accepts, and the messages for what it does not. Nothing is checked twice."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..checks import integer
from ..namespace import Namespace, in_blocks, namespace

_SPARSE = ("csr", "csc")


def matrix(X: Any) -> Array:
    """Return X unchanged if it is a finite float matrix; only a strided view is copied, once."""
    if is_sparse(X):
        return _sparse_matrix(X)
    xp = namespace(X)
    X = xp.plain(X)
    _check_matrix(X, xp)
    X = xp.dense(X)
    _finite(xp, "X", X)
    return X


def is_sparse(X: Any) -> bool:
    """Whether X is a sparse matrix or array of SciPy or CuPy."""
    return hasattr(X, "tocsr")


def _sparse_matrix(X: Any) -> Any:
    if X.format not in _SPARSE:
        raise TypeError(f"X is a sparse matrix of format {X.format}; pass X.tocsr()")
    xp = namespace(X.data)
    _check_matrix(X, xp)
    if not X.has_canonical_format:
        X = X.copy()  # the caller's stays as it is
        X.sum_duplicates()
    _finite(xp, "X.data", X.data)
    return X


def _check_matrix(X: Any, xp: Namespace) -> None:
    if X.dtype not in (xp.float32, xp.float64):
        raise TypeError(f"X must be float32 or float64, got {X.dtype}; pass {xp.hint}")
    if X.ndim != 2 or X.shape[0] == 0:
        raise ValueError(f"X must have shape (n, p) with n > 0, got {tuple(X.shape)}")


def numbers(xp: Namespace, name: str, values: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return real, finite values of this shape as a new array of this dtype, beside X."""
    given = xp.bring(name, values)
    if not xp.is_real(given):
        raise TypeError(f"{name} must be real numbers, got dtype {given.dtype}")
    if tuple(given.shape) != shape:
        raise ValueError(f"{name} has shape {tuple(given.shape)}, expected {shape}")
    with np.errstate(over="ignore"):
        result = xp.copy(given, dtype)
    _finite(xp, name, result)
    return result


def sample_shares(xp: Namespace, weight: Any, n: int) -> Array | None:
    """Return the weights divided by their sum in float64, or None for equal weights."""
    if weight is None:
        return None
    given = numbers(xp, "sample_weight", weight, (n,), xp.float64)
    i = _first(xp, given < 0)
    if i is not None:
        found = f"sample_weight[{i}] is {xp.read(given[i])[0]:g}"
        raise ValueError(f"sample_weight must not be negative, {found}")
    largest = xp.read(given.max())[0]
    if largest == 0:
        raise ValueError("sample_weight is zero for every sample")
    given /= largest
    return given / xp.sum(given)


def binary_targets(xp: Namespace, y: Any, n: int, dtype: Any) -> Array:
    """Return targets in [0, 1] from labels {0, 1} or {-1, 1} or from probabilities."""
    t = numbers(xp, "y", y, (n,), dtype)
    if not xp.is_any(abs(t) != 1):
        return xp.maximum(t, 0)
    i = _first(xp, (t < 0) | (t > 1))
    if i is not None:
        value, low, high = xp.read(t[i], t.min(), t.max())
        raise ValueError(
            f"labels must be 0/1, -1/1 or probabilities in [0, 1]: y[{i}] is {value:g}, "
            f"and y has values in [{low:g}, {high:g}]"
        )
    return t


def class_targets(
    xp: Namespace, y: Any, n: int, classes: int | None, dtype: Any
) -> tuple[Array, int]:
    """Return int64 labels (n,) or probabilities (n, classes) in dtype, and the class count."""
    given = xp.bring("y", y)
    if given.ndim == 2:
        targets = _probabilities(xp, given, n, classes, dtype)
        return targets, targets.shape[1]
    t = numbers(xp, "y", given, (n,), xp.float64)
    labels = xp.asarray(t, xp.int64)
    k = int(xp.read(labels.max())[0]) + 1 if classes is None else integer("classes", classes)
    if k < 2:
        raise ValueError(f"at least 2 classes are needed, got {k}; pass classes= if one is absent")
    i = _first(xp, (labels != t) | (labels < 0) | (labels >= k))
    if i is not None:
        found = f"y[{i}] is {xp.read(t[i])[0]:g}"
        raise ValueError(f"labels must be integers from 0 to {k - 1}, {found}")
    return labels, k


def _probabilities(xp: Namespace, given: Array, n: int, classes: int | None, dtype: Any) -> Array:
    k = given.shape[1] if classes is None else integer("classes", classes)
    if k < 2:
        raise ValueError(f"at least 2 classes are needed, y has shape {tuple(given.shape)}")
    t = numbers(xp, "y", given, (n, k), dtype)
    totals = xp.sum(t, axis=1, dtype=xp.float64)
    i = _first(xp, xp.any(t < 0, axis=1) | (abs(totals - 1) > 1e-4))
    if i is not None:
        smallest, total = xp.read(t[i].min(), totals[i])
        raise ValueError(
            f"rows of y must be probabilities that sum to 1: row {i} has its smallest value "
            f"{smallest:g} and the sum {total:g}"
        )
    return xp.asarray(t / totals[:, None], dtype)


def start_point(xp: Namespace, x0: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return a new array to start from: zeros, or a copy of x0."""
    return xp.zeros(shape, dtype) if x0 is None else numbers(xp, "x0", x0, shape, dtype)


def _first(xp: Namespace, wrong: Array) -> int | None:
    """Return the first index that is wrong; one number is read where none is."""
    return int(np.argmax(xp.to_host(wrong))) if xp.is_any(wrong) else None


def _finite(xp: Namespace, name: str, values: Array) -> None:
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
    return q * xp.log(xp.maximum(q, xp.tiny(q.dtype)))
