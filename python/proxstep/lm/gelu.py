"""The exact form of GELU as a layer, for models that were trained with it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from proxstep import _core

from .buffers import Buffers
from .device import DeviceError


class ErfGelu:
    """y = x Φ(x), Φ the normal distribution function (Hendrycks and Gimpel 2016); on the CPU.

    Raises
    ------
    DeviceError
        If the buffers are on a device.
    """

    def __init__(self, buffers: Buffers, name: str) -> None:
        if buffers.xp is not np:
            raise DeviceError("a model with gelu='erf' runs on the device cpu only")
        self.buffers, self.name = buffers, name

    def forward(self, x: Any) -> Any:
        """Return y, of the shape of x; x is kept, not copied."""
        self.x = x
        self.gate = self.buffers(self.name + ".gate", *x.shape)
        _core.normal_cdf(x, self.gate)
        return np.multiply(self.gate, x, out=self.buffers(self.name, *x.shape))

    def backward(self, dy: Any) -> Any:
        """Return dx = dy (Φ + x φ), φ the normal density, in the memory of dy."""
        slope = self.buffers("gelu.slope", *dy.shape)
        np.multiply(self.x, self.x, out=slope)
        slope *= -0.5
        np.exp(slope, out=slope)
        slope *= self.x
        slope *= 1 / math.sqrt(2 * math.pi)
        slope += self.gate
        dy *= slope
        return dy
