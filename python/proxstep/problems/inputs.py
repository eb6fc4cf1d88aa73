"""What a problem accepts, and the messages for what it does not. Nothing is checked twice."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import integer

Array = NDArray[Any]

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def matrix(X: Any) -> Array:
    """Return X unchanged if it is a finite float matrix; only a strided view is copied, once."""
    if hasattr(X, "tocsr"):
        raise TypeError("X is a sparse matrix; only dense arrays are supported, pass X.toarray()")
    if not isinstance(X, np.ndarray):
        raise TypeError(f"X must be a NumPy array, got {type(X).__name__}")
    if X.dtype not in _FLOATS:
        raise TypeError(f"X must be float32 or float64, got {X.dtype}; pass X.astype(np.float64)")
    if X.ndim != 2 or X.shape[0] == 0:
        raise ValueError(f"X must have shape (n, p) with n > 0, got {X.shape}")
    if not (X.flags.c_contiguous or X.flags.f_contiguous):
        X = np.ascontiguousarray(X)
    _finite("X", X)
    return np.asarray(X)


def numbers(name: str, values: ArrayLike, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return real, finite values of this shape as a new array of this dtype."""
    given = np.asarray(values)
    if given.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be real numbers, got dtype {given.dtype}")
    if given.shape != shape:
        raise ValueError(f"{name} has shape {given.shape}, expected {shape}")
    with np.errstate(over="ignore"):
        result = given.astype(dtype, order="C")
    _finite(name, result)
    return result


def sample_shares(weight: ArrayLike | None, n: int) -> Array | None:
    """Return the weights divided by their sum in float64, or None for equal weights."""
    if weight is None:
        return None
    given = numbers("sample_weight", weight, (n,), np.dtype(np.float64))
    if (given < 0).any():
        i = int(np.argmax(given < 0))
        raise ValueError(f"sample_weight must not be negative, sample_weight[{i}] is {given[i]:g}")
    largest = given.max()
    if largest == 0:
        raise ValueError("sample_weight is zero for every sample")
    given /= largest
    return np.asarray(given / given.sum())


def binary_targets(y: ArrayLike, n: int, dtype: np.dtype[Any]) -> Array:
    """Return targets in [0, 1] from labels {0, 1} or {-1, 1} or from probabilities."""
    t = numbers("y", y, (n,), dtype)
    signed = np.abs(t) == 1
    if signed.all():
        return np.maximum(t, 0)
    wrong = (t < 0) | (t > 1)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(
            f"labels must be 0/1, -1/1 or probabilities in [0, 1]: y[{i}] is {t[i]:g}, "
            f"and y has values in [{t.min():g}, {t.max():g}]"
        )
    return t


def class_targets(
    y: ArrayLike, n: int, classes: int | None, dtype: np.dtype[Any]
) -> tuple[Array, int]:
    """Return int64 labels (n,) or probabilities (n, classes) in dtype, and the class count."""
    given = np.asarray(y)
    if given.ndim == 2:
        targets = _probabilities(given, n, classes, dtype)
        return targets, targets.shape[1]
    t = numbers("y", given, (n,), np.dtype(np.float64))
    labels = t.astype(np.int64)
    k = int(labels.max()) + 1 if classes is None else integer("classes", classes)
    if k < 2:
        raise ValueError(f"at least 2 classes are needed, got {k}; pass classes= if one is absent")
    wrong = (labels != t) | (labels < 0) | (labels >= k)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(f"labels must be integers from 0 to {k - 1}, y[{i}] is {t[i]:g}")
    return labels, k


def _probabilities(given: Array, n: int, classes: int | None, dtype: np.dtype[Any]) -> Array:
    k = given.shape[1] if classes is None else integer("classes", classes)
    if k < 2:
        raise ValueError(f"at least 2 classes are needed, y has shape {given.shape}")
    t = numbers("y", given, (n, k), dtype)
    totals = t.sum(axis=1, dtype=np.float64)
    wrong = (t < 0).any(axis=1) | (np.abs(totals - 1) > 1e-4)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(
            f"rows of y must be probabilities that sum to 1: row {i} has its smallest value "
            f"{t[i].min():g} and the sum {totals[i]:g}"
        )
    return np.asarray(t / totals[:, None], dtype)


def start_point(x0: ArrayLike | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return a new array to start from: zeros, or a copy of x0."""
    return np.zeros(shape, dtype) if x0 is None else numbers("x0", x0, shape, dtype)


def _finite(name: str, values: Array) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum(dtype=np.float64)):  # one pass, no temporary
            return
    for i, row in enumerate(values):
        bad = np.flatnonzero(~np.isfinite(row))
        if bad.size:
            at = [i, int(bad[0])][: values.ndim]
            found = f"{name}{at} is {values[tuple(at)]}"
            raise ValueError(f"{name} must be finite in {values.dtype}, {found}")


def xlogx(q: Array) -> Array:
    """Return ``q log q`` with its limit 0 at 0."""
    return np.asarray(q * np.log(np.maximum(q, np.finfo(q.dtype).tiny)))
