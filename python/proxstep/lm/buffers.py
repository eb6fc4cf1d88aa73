"""Named scratch arrays: allocated at first use, reused for ever after.

A step of the model asks for the same names and shapes every time, so it allocates nothing.
"""

from __future__ import annotations

from math import prod
from typing import Any


class Buffers:
    """Arrays by name; a name keeps the largest size that was ever asked for.

    Parameters
    ----------
    xp : module
        Array namespace (NumPy, or CuPy on a device).
    dtype : dtype
        Element type of every array.

    Examples
    --------
    >>> import numpy as np
    >>> buffers = Buffers(np, np.float32)
    >>> a = buffers("hidden", 4, 3)
    >>> b = buffers("hidden", 2, 5)  # fits: the same memory
    >>> a.shape, b.shape, np.shares_memory(a, b)
    ((4, 3), (2, 5), True)
    """

    def __init__(self, xp: Any, dtype: Any) -> None:
        self.xp = xp
        self.dtype = xp.dtype(dtype)
        self._flat: dict[str, Any] = {}

    def __call__(self, name: str, *shape: int) -> Any:
        """Return the array of this name and shape; its content is whatever was left there."""
        size = prod(shape)
        flat = self._flat.get(name)
        if flat is None or flat.size < size:
            flat = self._flat[name] = self.xp.empty(size, self.dtype)
        return flat[:size].reshape(shape)
