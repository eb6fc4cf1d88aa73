"""Arrays of any library: how one like another is made. Nothing here computes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from .checks import nearest

# An array that speaks DLPack: NumPy, torch, and others. No library names a common type.
type_error = "{name} must be an array (NumPy, CuPy, torch or any that speaks DLPack), got {kind}"
Array = Any
_FLOATING = ("float64", "float32", "bfloat16", "float16")


def is_torch(x: Array) -> bool:
    """Whether x is a torch tensor; torch is not imported to find out."""
    return type(x).__module__.partition(".")[0] == "torch"


def is_cupy(x: Array) -> bool:
    """Whether x is a CuPy array; CuPy is not imported to find out."""
    return type(x).__module__.partition(".")[0] == "cupy"


def array_module(x: Array, name: str = "x") -> Any:
    """Return the functions that make and convert arrays of x's library.

    NumPy and CuPy are their own; others say what theirs are (``__array_namespace__``, which CuPy's
    arrays lack).

    Raises
    ------
    TypeError
        For what is no array of such a library.

    Examples
    --------
    >>> array_module(np.ones(3)) is np
    True
    """
    if isinstance(x, np.ndarray):
        return np
    if is_cupy(x):
        return sys.modules["cupy"]
    if not hasattr(x, "__array_namespace__"):
        raise TypeError(type_error.format(name=name, kind=type(x).__name__))
    return x.__array_namespace__()


def dtype_name(x: Array) -> str:
    """Return the name of x's dtype without its library, such as "float32"."""
    return str(x.dtype).rpartition(".")[2]


def is_masked_array(x: Any) -> bool:
    """Whether x is one of NumPy's masked arrays."""
    plain = type(x) is np.ndarray or not isinstance(x, np.ndarray)
    return not plain and isinstance(x, np.ma.MaskedArray)  # imports np.ma for subclasses alone


def refuse_masked(x: Array, name: str = "x") -> None:
    """Raise for NumPy's masked arrays: the core would step the hidden elements as well."""
    if is_masked_array(x):
        raise TypeError(f"{name} is a masked array; pass its data")


def empty_like(x: Array, name: str = "x") -> Array:
    """Make an uninitialised array of x's library, shape, dtype, layout and device."""
    refuse_masked(x, name)
    if isinstance(x, np.ndarray):
        return np.empty_like(x, subok=False)
    if is_torch(x):
        return sys.modules["torch"].empty_like(x.detach())
    return array_module(x, name).empty_like(x)


def beside(x: Array, values: np.ndarray) -> Array:
    """Copy NumPy values into a new array of x's library on x's device."""
    if isinstance(x, np.ndarray):
        return values.copy()
    if is_torch(x):
        return sys.modules["torch"].tensor(values, device=x.device)
    if is_cupy(x):
        with x.device:
            return sys.modules["cupy"].asarray(values)
    return x.__array_namespace__().asarray(values, device=x.device)


def on_host(x: Array) -> np.ndarray:
    """Return x as a NumPy array; what lies on a device is copied, which waits for it."""
    if is_torch(x):
        x = x.detach().cpu()
    elif hasattr(x, "get") and not isinstance(x, np.ndarray):  # CuPy
        return np.asarray(x.get())
    return np.from_dlpack(x)


def widened(x: Array, dtype: str | None = None) -> Array:
    """Copy x in the compute type: float64 stays, all else becomes float32.

    `dtype` says what 16-bit integers stand for, as everywhere.
    """
    _check_floating(x, dtype)
    wide = "float64" if dtype_name(x) == "float64" else "float32"
    bits = dtype_name(x) == "uint16"
    if isinstance(x, np.ndarray):
        return _from_bits(x, dtype) if bits else np.array(x, dtype=wide, order="K")
    if is_torch(x):
        torch = sys.modules["torch"]
        x = x.detach().view(getattr(torch, str(dtype))) if bits else x.detach()
        return x.to(getattr(torch, wide), copy=True)
    xp = array_module(x)
    if bits:
        return xp.asarray(_from_bits(on_host(x), dtype))
    return xp.astype(x, getattr(xp, wide), copy=True)


def widen_bfloat16(bits: Array, out: Array) -> None:
    """Write NumPy's or CuPy's bits of bfloat16 as float32; nothing waits for a device.

    Examples
    --------
    >>> out = np.empty(2, np.float32)
    >>> widen_bfloat16(np.array([0x3F80, 0xBE9A], np.uint16), out)
    >>> out
    array([ 1.       , -0.30078125], dtype=float32)
    """
    array_module(bits).left_shift(bits, 16, out=out.view("uint32"), dtype="uint32")


def bfloat16_zeros(x: Array, dtype: str | None = None) -> Array:
    """Make zeros like x in bfloat16, or in its bits (uint16) where x's library has no such type."""
    _check_floating(x, dtype)
    if is_torch(x):
        torch = sys.modules["torch"]
        return torch.zeros_like(x.detach(), dtype=torch.bfloat16)
    if isinstance(x, np.ndarray):
        own = x.dtype if dtype_name(x) == "bfloat16" else np.uint16
        return np.zeros_like(x, dtype=own, subok=False)
    xp = array_module(x)
    return xp.zeros_like(x, dtype=getattr(xp, "bfloat16", xp.uint16))


def in_double(x: Array, dtype: str | None = None) -> np.ndarray:
    """Copy x into a float64 NumPy array; from a device it is copied to the host."""
    return on_host(widened(x, dtype)).astype(np.float64)


def frozen_weights(weights: Any) -> np.ndarray:
    """Copy weights (array_like) into a read-only float64 array in C order."""
    refuse_masked(weights, "weights")
    given = on_host(weights.detach().double()) if is_torch(weights) else weights
    copy = np.array(given, np.float64, order="C")
    copy.flags.writeable = False
    return copy


def _check_floating(x: Array, dtype: str | None) -> None:
    if not is_torch(x):
        array_module(x)  # refuses what is no array
    name = dtype_name(x)
    if dtype is not None and dtype not in _FLOATING:
        raise ValueError(f"dtype is {dtype!r}; {nearest(str(dtype), _FLOATING)}")
    if dtype is not None and name != dtype and (name, dtype[-2:]) != ("uint16", "16"):
        raise TypeError(f"x has dtype {x.dtype}, not {dtype}")
    if dtype is None and name not in _FLOATING:
        hint = ' (pass dtype="bfloat16" for its bits)' if name == "uint16" else ""
        wanted = "float64, float32, bfloat16 or float16 is needed"
        raise TypeError(f"x has dtype {x.dtype}; {wanted}{hint}")


def _from_bits(x: np.ndarray, dtype: str | None) -> np.ndarray:
    if dtype == "float16":
        return x.view(np.float16).astype(np.float32)
    wide = np.empty_like(x, np.float32)
    widen_bfloat16(x, wide)
    return wide


def gather_small(dicts: Sequence[dict[str, Array]], limit: int = 1 << 20) -> None:
    """Move NumPy arrays below `limit` bytes into one buffer; the dicts then hold views of it.

    Small arrays lie scattered over small pages; a pass over many of them is up to a fifth faster
    when they follow each other. Arrays in Fortran order stay where they are.
    """
    line = 64  # bytes of a cache line, where every view starts
    small = [
        (d, name, array)
        for d in dicts
        for name, array in d.items()
        if isinstance(array, np.ndarray) and array.flags.c_contiguous and array.nbytes < limit
    ]
    room = sum(-(-array.nbytes // line) * line for _, _, array in small)
    buffer = np.empty(room + line, np.uint8)
    at = -buffer.ctypes.data % line
    for d, name, array in small:
        view = buffer[at : at + array.nbytes].view(array.dtype).reshape(array.shape)
        view[...] = array
        d[name] = view
        at += -(-array.nbytes // line) * line
