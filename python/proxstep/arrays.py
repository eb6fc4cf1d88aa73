"""Arrays of any library: how one like another is made. Nothing here computes."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

# An array that speaks DLPack: NumPy, torch, and others. No library names a common type.
type_error = "{name} must be an array (NumPy, torch or any that speaks DLPack), got {kind}"
Array = Any


def is_torch(x: Array) -> bool:
    """Whether x is a torch tensor; torch is not imported to find out."""
    return type(x).__module__.partition(".")[0] == "torch"


def empty_like(x: Array, name: str = "x") -> Array:
    """Make an uninitialised array of x's library, shape, dtype, layout and device."""
    if isinstance(x, np.ndarray):
        return np.empty_like(x, subok=False)
    if is_torch(x):
        return sys.modules["torch"].empty_like(x.detach())
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__().empty_like(x)
    raise TypeError(type_error.format(name=name, kind=type(x).__name__))


def widened(x: Array, dtype: str | None = None) -> Array:
    """Copy x in the compute type: float64 stays, all else becomes float32.

    `dtype` says what 16-bit integers stand for, as everywhere.
    """
    if isinstance(x, np.ndarray):
        if x.dtype == np.uint16 and dtype is not None:
            return _from_bits(x, dtype)
        return np.array(x, dtype=np.float64 if x.dtype == np.float64 else np.float32, order="K")
    if is_torch(x):
        torch = sys.modules["torch"]
        wide = torch.float64 if x.dtype == torch.float64 else torch.float32
        return x.detach().to(wide, copy=True)
    if hasattr(x, "__array_namespace__"):
        xp = x.__array_namespace__()
        return xp.astype(x, xp.float64 if x.dtype == xp.float64 else xp.float32, copy=True)
    raise TypeError(type_error.format(name="x", kind=type(x).__name__))


def _from_bits(x: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "float16":
        return x.view(np.float16).astype(np.float32)
    return (x.astype(np.uint32) << 16).view(np.float32)
