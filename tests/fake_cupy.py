"""A strict stand-in for CuPy: arrays that say they lie in CUDA memory and refuse to leave it.

They mix with no NumPy array, become one only by `get`, and count every read that would wait
for a device. New memory is NaN, as nobody promises anything else.
"""

from __future__ import annotations

import operator
import types
from collections.abc import Callable
from typing import Any

import numpy as np
from device import DeviceArray


class Meter:
    """What crossed the border since the last `reset`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.reads = self.uploads = 0


METER = Meter()


class ndarray:
    """An array of the device; its NumPy twin is `host`, which only this file and tests touch."""

    __array_ufunc__ = None  # NumPy's operators then ask ours
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: np.ndarray) -> None:
        self.host = host

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)

    def __dlpack__(self, *, stream: int | None = None, max_version: Any = None) -> Any:
        assert stream == STREAM
        return DeviceArray(self.host).__dlpack__(stream=stream)

    def get(self) -> np.ndarray:
        METER.reads += 1
        return self.host.copy()

    def __len__(self) -> int:
        return len(self.host)

    def __getitem__(self, place: Any) -> ndarray:
        return _wrapped(self.host[_index(place)])

    def __setitem__(self, place: Any, value: Any) -> None:
        self.host[_index(place)] = _plain(value)

    def __getattr__(self, name: str) -> Any:
        if name in ATTRIBUTES:
            return getattr(self.host, name)
        if name == "T":
            return ndarray(self.host.T)
        if name in METHODS:
            return _lifted(getattr(self.host, name))
        raise AttributeError(f"the stand-in for CuPy has no ndarray.{name}")

    def __iter__(self) -> Any:
        return (self[k] for k in range(len(self)))


ATTRIBUTES = ("dtype", "flags", "itemsize", "nbytes", "ndim", "shape", "size", "strides")
METHODS = (
    "all",
    "astype",
    "clip",
    "copy",
    "fill",
    "max",
    "ravel",
    "reshape",
    "sum",
    "view",
)
FUNCTIONS = (
    *("arange", "empty_like", "isfinite", "left_shift", "matmul", "multiply", "ones", "take"),
    *("zeros", "zeros_like"),
)
STREAM = 4713  # what get_current_stream names


def _plain(value: Any) -> Any:
    """The NumPy twin of an argument; NumPy's own arrays are refused, as CuPy does."""
    if isinstance(value, ndarray):
        return value.host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    return value


def _index(place: Any) -> Any:
    """An index; one of booleans has to be read to know how much it takes."""
    parts = place if isinstance(place, tuple) else (place,)
    plain = tuple(_plain(part) for part in parts)
    METER.reads += sum(isinstance(part, np.ndarray) and part.dtype == bool for part in plain)
    return plain


def _wrapped(value: Any) -> Any:
    return ndarray(np.asarray(value)) if isinstance(value, np.ndarray | np.generic) else value


def _lifted(call: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any, **options: Any) -> Any:
        out = options.get("out")
        plain = {name: _plain(value) for name, value in options.items()}
        with np.errstate(all="ignore"):
            result = call(*map(_plain, arguments), **plain)
        return _wrapped(result) if out is None else out

    return run


def _reader(kind: type) -> Callable[[ndarray], Any]:
    def read(self: ndarray) -> Any:
        METER.reads += 1
        return kind(self.host)

    return read


def _operators() -> None:
    for name in ("add", "sub", "mul", "truediv", "pow", "eq", "ne", "lt", "gt", "le", "ge"):
        setattr(ndarray, f"__{name}__", _lifted(getattr(operator, name)))
    for name in ("add", "sub", "mul", "truediv"):
        function = getattr(operator, name)
        setattr(ndarray, f"__r{name}__", _lifted(lambda a, b, f=function: f(b, a)))
        setattr(ndarray, f"__i{name}__", _in_place(getattr(operator, "i" + name)))
    for kind in (float, int, bool):
        setattr(ndarray, f"__{kind.__name__}__", _reader(kind))


def _in_place(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(self: ndarray, other: Any) -> ndarray:
        function(self.host, _plain(other))
        return self

    return run


def asarray(values: Any, dtype: Any = None) -> ndarray:
    if isinstance(values, ndarray):
        return values if dtype is None else ndarray(values.host.astype(dtype, copy=False))
    METER.uploads += 1
    return ndarray(np.array(values, dtype))


def astype(x: ndarray, dtype: Any, *, copy: bool = True) -> ndarray:
    return ndarray(x.host.astype(dtype, copy=copy))


def count_nonzero(x: ndarray) -> ndarray:
    """An array, not a number: only the caller's `int` waits."""
    return ndarray(np.asarray(np.count_nonzero(x.host)))


def empty(shape: Any, dtype: Any = float) -> ndarray:
    return ndarray(np.full(shape, np.nan, dtype))


def make_module(devices: int = 1, error: str = "") -> types.ModuleType:
    """A module to be found as `cupy`, on a machine of so many devices."""

    def get_device_count() -> int:
        if error:
            raise RuntimeError(error)
        return devices

    module = types.ModuleType("cupy")
    lifted = {name: _lifted(getattr(np, name)) for name in FUNCTIONS}
    same = {"dtype": np.dtype, "inf": np.inf, "float32": np.float32, "float64": np.float64}
    runtime = types.SimpleNamespace(getDeviceCount=get_device_count)
    cuda = types.SimpleNamespace(
        is_available=lambda: devices > 0,
        get_current_stream=lambda device: types.SimpleNamespace(ptr=STREAM),
        runtime=runtime,
    )
    own = (ndarray, asarray, astype, count_nonzero, empty)
    module.__dict__.update(lifted | same, cuda=cuda, __version__="0.0")
    module.__dict__.update({item.__name__: item for item in own})
    return module


ndarray.__module__ = "cupy"
_operators()
