"""The library of an array: the operations that problems and solvers need, where the data lies."""

from __future__ import annotations

import sys

import numpy as np

from ..arrays import Array, is_cupy, is_torch
from .base import Namespace, in_blocks
from .libraries import CuPy, NumPy, Torch

__all__ = ["Namespace", "in_blocks", "namespace"]


def namespace(x: Array, name: str = "X") -> Namespace:
    """Return the operations of x's library.

    Raises
    ------
    TypeError
        For what is no array, or an array of a library without these operations.
    """
    if isinstance(x, np.ndarray):
        return NumPy(np, x)
    if is_torch(x):
        return Torch(sys.modules["torch"], x)
    if is_cupy(x):
        return CuPy(sys.modules["cupy"], x)
    if hasattr(x, "__array_namespace__") and hasattr(x, "get"):
        return CuPy(x.__array_namespace__(), x)
    can_be_one = isinstance(x, (list, tuple)) or hasattr(x, "__array__")
    hint = f"; pass np.asarray({name}, dtype=float)" if can_be_one else ""
    raise TypeError(
        f"{name} must be an array of NumPy, CuPy or torch, or a CSR or CSC matrix, "
        f"got {type(x).__name__}{hint}"
    )
