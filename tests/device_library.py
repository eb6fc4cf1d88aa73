"""CuPy's functions and operators for arrays of a device that is none, and stricter than CuPy.

An array meets arrays of its own kind and Python's numbers only. Nothing goes to the host but by
`get`, which counts.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

float32, float64, finfo = np.float32, np.float64, np.finfo
int64, uint16 = np.int64, np.uint16


def host_of(value: Any) -> Any:
    """What an operation computes with, if it may."""
    if isinstance(value, Operators):
        return value.host
    if type(value) in (bool, int, float, slice, type(None), type(Ellipsis)):
        return value
    if type(value) is tuple:
        return tuple(host_of(v) for v in value)
    raise TypeError(f"a device array meets a {type(value).__name__} of the host")


def _new(values: Any, like: Any = None) -> Any:
    from device import DeviceArray

    return DeviceArray(values, getattr(like, "device", 0))


def _binary(name: str) -> Any:
    compute = getattr(operator, name)

    def forward(a: Any, b: Any) -> Any:
        return _new(compute(a.host, host_of(b)))

    def reflected(a: Any, b: Any) -> Any:
        return _new(compute(host_of(b), a.host))

    def in_place(a: Any, b: Any) -> Any:
        a[...] = _new(compute(a.host, host_of(b)))
        return a

    return forward, reflected, in_place


class Operators:
    """The operators of an array with its values in `host`."""

    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]
    host: Any
    reads = 0  # transfers of all arrays to the host

    __add__, __radd__, __iadd__ = _binary("add")
    __sub__, __rsub__, __isub__ = _binary("sub")
    __mul__, __rmul__, __imul__ = _binary("mul")
    __truediv__, __rtruediv__, __itruediv__ = _binary("truediv")
    __or__, __lt__, __gt__ = (_binary(name)[0] for name in ("or_", "lt", "gt"))
    __le__, __ge__, __eq__, __ne__ = (_binary(name)[0] for name in ("le", "ge", "eq", "ne"))

    def __matmul__(self, other: Any) -> Any:
        if self.dtype != other.dtype:  # CuPy would convert, torch would not
            raise TypeError(f"{self.dtype} @ {other.dtype}")
        return _new(self.host @ host_of(other))

    def __abs__(self) -> Any:
        return _new(abs(self.host))

    def __invert__(self) -> Any:
        return _new(~self.host)

    def _look(self, look: Any) -> Any:
        """What `look` makes of the values, a view where NumPy makes one."""
        return _new(look(self.host))

    def __getitem__(self, index: Any) -> Any:
        return self._look(lambda values: values[host_of(index)])

    def __setitem__(self, index: Any, values: Any) -> None:
        from_host = isinstance(values, np.ndarray)  # CuPy copies what is assigned
        self.host[host_of(index)] = values if from_host else host_of(values)

    def __len__(self) -> int:
        return len(self.host)

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a device array goes to the host without get")

    __array__ = __float__ = __int__ = __bool__ = __index__ = __iter__ = _refuse

    def reshape(self, *shape: Any) -> Any:
        return self._look(lambda values: values.reshape(*shape))

    def min(self) -> Any:
        return _new(self.host.min())

    def max(self) -> Any:
        return _new(self.host.max())

    def mean(self) -> Any:
        return _new(self.host.mean())

    def sum(self) -> Any:
        return _new(self.host.sum())

    def clip(self, low: Any, high: Any) -> Any:
        return _new(self.host.clip(low, high))

    def __pow__(self, power: float) -> Any:
        return _new(self.host**power)

    @property
    def T(self) -> Any:
        return self._look(lambda values: values.T)

    @property
    def flags(self) -> Any:
        return self.host.flags

    @property
    def dtype(self) -> Any:
        return self.host.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.host.shape

    @property
    def size(self) -> int:
        return self.host.size

    @property
    def ndim(self) -> int:
        return self.host.ndim


def asarray(x: Any, dtype: Any = None, *, device: int = 0) -> Any:
    """From the host, from another dtype, or x itself."""
    if isinstance(x, Operators):
        return x if dtype in (None, x.dtype) else _new(x.host.astype(dtype))
    made = _new(np.array(x, dtype))
    made.device = device
    return made


def array(x: Any, dtype: Any = None, order: str = "K") -> Any:
    return _new(np.array(host_of(x), dtype, order=order))


def astype(x: Any, dtype: Any, *, copy: bool = True) -> Any:
    return _new(host_of(x).astype(dtype, copy=copy), x)


def zeros(shape: Any, dtype: Any) -> Any:
    return _new(np.zeros(shape, dtype))


def ones(shape: Any, dtype: Any) -> Any:
    return _new(np.ones(shape, dtype))


def arange(n: int) -> Any:
    return _new(np.arange(n))


def concatenate(parts: Any, axis: int = 0) -> Any:
    return _new(np.concatenate([host_of(p) for p in parts], axis))


def stack(parts: Any) -> Any:
    return _new(np.stack([host_of(p) for p in parts]))


def _function(name: str, module: Any = np) -> Any:
    def function(*args: Any, **settings: Any) -> Any:
        return _new(getattr(module, name)(*(host_of(a) for a in args), **settings), args[0])

    return function


exp, expm1, log1p = _function("exp"), _function("expm1"), _function("log1p")
log, sqrt, isfinite = _function("log"), _function("sqrt"), _function("isfinite")
maximum, clip, where = _function("maximum"), _function("clip"), _function("where")
mean, any = _function("mean"), _function("any")
sum = _function("sum")
ascontiguousarray = _function("ascontiguousarray")
empty_like, zeros_like = _function("empty_like"), _function("zeros_like")


def multiply(a: Any, b: Any, *, out: Any) -> None:
    out[...] = a * b


def matmul(a: Any, b: Any, *, out: Any) -> None:
    out[...] = a @ b


class linalg:
    norm = staticmethod(_function("norm", np.linalg))

    @staticmethod
    def qr(x: Any) -> Any:
        return tuple(_new(part) for part in np.linalg.qr(host_of(x)))
