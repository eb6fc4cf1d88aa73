"""What each library writes in a way of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from ..arrays import Array, is_torch
from .base import Namespace


class NumPy(Namespace):
    """NumPy, where it has a shorter way.

    Sums are not asked of BLAS: after each of more than some 10,000 terms its threads spin for a
    tenth of a second, on the processors of the core's threads.
    """

    def dense(self, x: Array) -> Array:
        """Return x itself in C or Fortran order, or a copy; a file may lend it unaligned."""
        return super().dense(x if x.flags.aligned else x.copy("K"))

    def to_host(self, x: Array) -> Any:
        """Return the array or number itself."""
        return x

    def sum(self, x: Array, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
        """Return sums, added in dtype."""
        return x.sum(axis=axis, dtype=dtype, keepdims=keepdims)

    def mean(self, x: Array) -> Array:
        """Return the mean over the first axis, added in float64."""
        return x.mean(axis=0, dtype=np.float64)

    def ratio(self, x: Array, w: Array) -> Array:
        """Return ``x / w``, 0 where w is not positive."""
        return np.divide(x, w, out=np.zeros_like(x), where=w > 0)

    def vdot(self, x: Array, y: Array) -> Array:
        """Return the product of two arrays as vectors."""
        return np.einsum("i,i->", x.ravel(), y.ravel(), dtype=np.float64)

    def total(self, x: Array) -> Array:
        """Return the sum over the first axis, added in float64."""
        if x.ndim == 1:
            return x.sum(dtype=np.float64)
        return self.weighted_sum(np.ones(len(x)), x)

    def weighted_sum(self, w: Array, x: Array) -> Array:
        """Return ``w' x`` for one weight an element, or a row, of x."""
        if x.ndim == 1:
            return np.einsum("i,i->", w, x)
        result = np.empty(x.shape[1])
        _core.adjoint(_core.Matrix(self.dense(x)), np.ascontiguousarray(w, np.float64), result)
        return result


class CuPy(Namespace):
    """CuPy, and every other library with `__array_namespace__` that has its names."""

    block = 16 * Namespace.block  # a launch has to be worth it

    def __init__(self, module: Any, like: Array) -> None:
        super().__init__(module, like)
        self.kind = type(like)

    def read(self, *scalars: Array) -> list[float]:
        """Return arrays of one element as Python floats, in one transfer."""
        together = self.stack([self.asarray(x, self.float64).reshape(()) for x in scalars])
        return [float(x) for x in self.to_host(together)]

    def _from_host(self, name: str, host: Any) -> Array:
        if not Namespace.is_real(self, host):
            raise TypeError(f"{name} must be real numbers, got dtype {host.dtype}")
        return self.asarray(np.array(host, np.float64, order="C"), self.float64)

    def _brought(self, name: str) -> str:
        return f"{self.module.__name__}.asarray({name})"


class Torch(CuPy):
    """PyTorch: no order of memory in its functions, and a device in those that make tensors."""

    hint = "X.double()"

    def __init__(self, module: Any, like: Array) -> None:
        super().__init__(module, like)
        self.kind, self.device = module.Tensor, like.device
        self.block = Namespace.block if self.is_on_host else CuPy.block

    def plain(self, x: Array) -> Array:
        """Return x without a record of gradients."""
        if x.layout != self.module.strided:
            raise TypeError(f"X is a torch tensor of layout {x.layout}; pass X.to_dense()")
        return x.detach().resolve_neg()

    def dense(self, x: Array) -> Array:
        """Return x itself in C or Fortran order, or a copy in C order."""
        return x if x.T.is_contiguous() else x.contiguous()

    def in_c_order(self, x: Array) -> Array:
        """Return x itself in C order, or a copy."""
        return x.contiguous()

    def asarray(self, values: Any, dtype: Any) -> Array:
        """Bring values here, from the host or from another dtype."""
        if is_torch(values):
            return values.to(dtype)
        return self.module.tensor(values, dtype=dtype, device=self.device)

    def copy(self, x: Array, dtype: Any) -> Array:
        """Return a new tensor in C order."""
        return self.empty_like(x, dtype).copy_(x.detach())

    def zeros(self, shape: Any, dtype: Any) -> Array:
        """Return zeros."""
        return self.module.zeros(shape, dtype=dtype, device=self.device)

    def ones(self, shape: Any, dtype: Any) -> Array:
        """Return ones."""
        return self.module.ones(shape, dtype=dtype, device=self.device)

    def arange(self, n: int) -> Array:
        """Return 0 to n - 1."""
        return self.module.arange(n, device=self.device)

    def empty_like(self, x: Array, dtype: Any = None) -> Array:
        """Return a tensor of x's shape in C order."""
        layout = self.module.contiguous_format
        return self.module.empty_like(x, dtype=dtype, memory_format=layout)

    def maximum(self, x: Array, low: float) -> Array:
        """Return ``max(x, low)``, NaN where x is."""
        return self.module.clip(x, min=low)

    def is_real(self, x: Array) -> bool:
        """Return whether the elements are real numbers."""
        return not x.dtype.is_complex

    def _brought(self, name: str) -> str:
        return f"torch.asarray({name}, device=X.device)"
