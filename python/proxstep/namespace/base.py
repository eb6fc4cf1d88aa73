"""The operations that problems and solvers need, named as in the array API.

What all libraries write alike (operators, indexing, reshape, `.T` of a matrix) is not here. Only
`to_host`, `read` and `is_any` wait for a device.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array, on_host

_CUDA = (2, 13)  # DLPack's devices: CUDA memory, managed memory
_BLOCK = 1 << 20  # elements that are converted at a time


class Namespace:
    """NumPy itself, and what CuPy calls by the same names; each library overrides the rest."""

    block = _BLOCK
    hint = "X.astype(np.float64)"  # how X becomes float64

    def __init__(self, module: Any, like: Array) -> None:
        self.module = module
        self.kind: Any = np.ndarray
        self.float32, self.float64, self.int64 = module.float32, module.float64, module.int64
        self.place = place(like)
        self.is_on_host = self.place == "CPU memory"

    def __reduce__(self) -> Any:
        from . import namespace

        return namespace, (self.zeros((0,), self.float64),)

    # ---- making arrays

    def plain(self, x: Array) -> Array:
        """Return x without a subclass or a record of gradients."""
        return self.module.asarray(x)

    def dense(self, x: Array) -> Array:
        """Return x itself in C or Fortran order, or a copy in C order."""
        flags = x.flags
        return x if flags.c_contiguous or flags.f_contiguous else self.in_c_order(x)

    def in_c_order(self, x: Array) -> Array:
        """Return x itself in C order, or a copy."""
        return self.module.ascontiguousarray(x)

    def asarray(self, values: Any, dtype: Any) -> Array:
        """Bring values here, from the host or from another dtype."""
        return self.module.asarray(values, dtype=dtype)

    def copy(self, x: Array, dtype: Any) -> Array:
        """Return a new array in C order."""
        return self.module.array(x, dtype=dtype, order="C")

    def zeros(self, shape: Any, dtype: Any) -> Array:
        """Return zeros."""
        return self.module.zeros(shape, dtype=dtype)

    def ones(self, shape: Any, dtype: Any) -> Array:
        """Return ones."""
        return self.module.ones(shape, dtype=dtype)

    def arange(self, n: int) -> Array:
        """Return 0 to n - 1."""
        return self.module.arange(n)

    def empty_like(self, x: Array) -> Array:
        """Return an array of x's shape and dtype."""
        return self.module.empty_like(x)

    def concat(self, parts: list[Array], axis: int = 0) -> Array:
        """Join arrays."""
        return self.module.concatenate(parts, axis=axis)

    def stack(self, parts: list[Array]) -> Array:
        """Join arrays along a new first axis."""
        return self.module.stack(parts)

    # ---- elements

    def log(self, x: Array) -> Array:
        """Return the logarithm."""
        return self.module.log(x)

    def log1p(self, x: Array) -> Array:
        """Return ``log(1 + x)``."""
        return self.module.log1p(x)

    def exp(self, x: Array) -> Array:
        """Return the exponential."""
        return self.module.exp(x)

    def expm1(self, x: Array) -> Array:
        """Return ``exp(x) - 1``."""
        return self.module.expm1(x)

    def sqrt(self, x: Array) -> Array:
        """Return the root."""
        return self.module.sqrt(x)

    def isfinite(self, x: Array) -> Array:
        """Return where x is finite."""
        return self.module.isfinite(x)

    def maximum(self, x: Array, low: float) -> Array:
        """Return ``max(x, low)``, NaN where x is."""
        return self.module.maximum(x, low)

    def clip(self, x: Array, low: float, high: float) -> Array:
        """Return x within bounds, NaN where it is."""
        return self.module.clip(x, low, high)

    def where(self, chosen: Array, x: Array, otherwise: Any) -> Array:
        """Return x where chosen, else the other, an array or a number."""
        return self.module.where(chosen, x, otherwise)

    def ratio(self, x: Array, w: Array) -> Array:
        """Return ``x / w``, 0 where w is not positive."""
        positive = w > 0
        return self.module.where(positive, x / self.module.where(positive, w, 1), 0)

    # ---- sums

    def sum(self, x: Array, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
        """Return sums, added in dtype."""
        return self.module.sum(x, axis=axis, dtype=dtype, keepdims=keepdims)

    def mean(self, x: Array) -> Array:
        """Return the mean over the first axis, added in float64."""
        return self.module.mean(x, axis=0, dtype=self.float64)

    def total(self, x: Array) -> Array:
        """Return the sum over the first axis, added in float64."""
        return self.sum(x, axis=0, dtype=self.float64)

    def vdot(self, x: Array, y: Array) -> Array:
        """Return the product of two arrays as vectors."""
        return self.sum(x * y, dtype=self.float64)

    def weighted_sum(self, w: Array, x: Array) -> Array:
        """Return ``w' x`` for one weight an element, or a row, of x."""
        return w @ x

    def any(self, x: Array, axis: Any = None) -> Array:
        """Return whether an element is true."""
        return self.module.any(x, axis=axis)

    def is_any(self, x: Array) -> bool:
        """Read whether an element is true."""
        return self.read(self.any(x)) != [0.0]

    def norm(self, x: Array, order: int | None = None) -> Array:
        """Return the Euclidean norm, or the spectral norm of a matrix for order 2."""
        return self.module.linalg.norm(x, order)

    def orthonormal(self, x: Array) -> Array:
        """Return an orthonormal basis of the columns."""
        return self.module.linalg.qr(x)[0]

    # ---- properties

    def eps(self, dtype: Any) -> float:
        """Return the rounding unit of a dtype."""
        return float(self.module.finfo(dtype).eps)

    def tiny(self, dtype: Any) -> float:
        """Return the smallest normal number of a dtype."""
        return float(self.module.finfo(dtype).tiny)

    def is_real(self, x: Array) -> bool:
        """Return whether the elements are real numbers."""
        return x.dtype.kind in "biuf"

    # ---- to and from the host

    def to_host(self, x: Array) -> Any:
        """Copy an array to the host; what lies there is lent."""
        return on_host(x)

    def read(self, *scalars: Array) -> list[float]:
        """Return arrays of one element as Python floats, in one transfer."""
        return [float(x) for x in scalars]

    def bring(self, name: str, values: Any) -> Array:
        """Return an argument beside X as an array of its library; no array changes its place."""
        if isinstance(values, self.kind) and place(values) == self.place:
            return values
        host = _to_numpy(values)
        if host is not None and (self.is_on_host or not hasattr(values, "__dlpack_device__")):
            return self._from_host(name, host)
        raise ValueError(
            f"{name} is a {_kind(type(values))} in {place(values)}, X a {_kind(self.kind)} in "
            f"{self.place}; pass {self._brought(name)}"
        )

    def _from_host(self, name: str, host: Any) -> Array:
        return host

    def _brought(self, name: str) -> str:
        return f"a copy in CPU memory ({name}.get() of CuPy, {name}.cpu() of torch)"


def place(x: Array) -> str:
    """Say where an array lies, in the core's words."""
    kind, number = x.__dlpack_device__() if hasattr(x, "__dlpack_device__") else (1, 0)
    return f"CUDA memory of device {number}" if kind in _CUDA else "CPU memory"


def in_blocks(length: int, width: int, block: int) -> list[slice]:
    """Cut rows of some width into slices of about so many elements."""
    size = max(1, block // max(1, width))
    return [slice(first, min(first + size, length)) for first in range(0, length, size)]


def _to_numpy(values: Any) -> Any:
    """Return host data as a NumPy array, None for what lies on a device."""
    return np.asarray(values) if place(values) == "CPU memory" else None


def _kind(kind: type) -> str:
    return f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"
