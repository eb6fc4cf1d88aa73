"""Sizes, numbers and a yardstick for the tests of the language model's layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from device import DeviceArray, check_sentinels, placed

DTYPES = [np.float32, np.float64]
HEADS = [  # batch, heads, time, width: at, below and beyond whole lanes
    *((1, 1, 1, 1), (2, 3, 5, 7), (1, 2, 16, 16), (3, 1, 17, 8), (2, 2, 33, 20)),
    *((2, 4, 64, 32), (1, 2, 70, 128), (1, 1, 1024, 24)),
]
ROWS = [(1, 1), (3, 5), (7, 16), (5, 131), (65, 128)]


def normal(*shape: int, dtype: Any = np.float64, seed: int = 0, size: float = 1.3) -> Any:
    return (size * np.random.default_rng(seed).normal(size=shape)).astype(dtype)


def close(found: Any, wanted: Any, factor: float = 40) -> None:
    """Within so many units in the last place of the largest element."""
    assert np.isfinite(found).all()
    size = max(1.0, float(np.abs(wanted).max()))
    np.testing.assert_allclose(
        found, wanted, rtol=0, atol=factor * np.finfo(found.dtype).eps * size
    )


class There:
    """Copies in CUDA memory; those at odd places lie between boundaries of 16 bytes."""

    def __init__(self, odd: bool = False) -> None:
        self.odd = odd
        self.arrays: list[DeviceArray] = []

    def __call__(self, a: Any) -> DeviceArray:
        self.arrays.append(DeviceArray(placed(a, self.odd)))
        return self.arrays[-1]

    def hosts(self, *arrays: DeviceArray) -> list[Any]:
        """The values of some, once nothing was written around any."""
        for array in self.arrays:
            check_sentinels(array.host)
        return [array.host.copy() for array in arrays]
