"""Layer norm and GELU in terms of any array namespace that is like NumPy's: CuPy's, on a device.

Few launches and no temporaries: every result goes to a buffer. The CPU has native loops.
"""

from __future__ import annotations

from typing import Any

from .buffers import Buffers

GELU_SLOPE = 0.7978845608028654  # sqrt(2 / pi)
GELU_CUBIC = 0.044715
NORM_EPS = 1e-5


class LayerNorm:
    """y = gain · (x - mean(x)) / sqrt(var(x) + 1e-5) over the channels of each row.

    Row sums are products with a vector of 1/C, which BLAS does faster than a reduction.
    """

    def __init__(self, gain: Any, dgain: Any, buffers: Buffers, name: str) -> None:
        self.gain, self.dgain, self.buffers, self.name = gain, dgain, buffers, name

    def forward(self, x: Any, branch: Any = None) -> Any:
        """Add the branch to x, if there is one, and return y, shape (N, C)."""
        xp, (rows, channels) = self.buffers.xp, x.shape
        if branch is not None:
            x += branch
        average = self.buffers(f"average{channels}", channels)
        average.fill(1 / channels)
        mean = xp.matmul(x, average, out=self.buffers("mean", rows))
        self.unit = self.buffers(self.name + ".unit", rows, channels)
        xp.subtract(x, mean[:, None], out=self.unit)
        y = xp.multiply(self.unit, self.unit, out=self.buffers(self.name, rows, channels))
        self.scale = xp.matmul(y, average, out=self.buffers(self.name + ".scale", rows))
        self.scale += NORM_EPS
        xp.sqrt(self.scale, out=self.scale)
        xp.reciprocal(self.scale, out=self.scale)
        self.unit *= self.scale[:, None]
        return xp.multiply(self.unit, self.gain, out=y)

    def backward(self, dy: Any, dx: Any) -> None:
        """Write dgain and add to dx; dy is lost."""
        xp, (rows, channels) = self.buffers.xp, dy.shape
        product = self.buffers("norm.product", rows, channels)
        xp.multiply(dy, self.unit, out=product)
        xp.matmul(self.buffers.ones(rows), product, out=self.dgain)
        gain = xp.divide(self.gain, channels, out=self.buffers("norm.gain", channels))
        along = xp.matmul(product, gain, out=self.buffers("norm.along", rows))
        mean = xp.matmul(dy, gain, out=self.buffers("mean", rows))
        dy *= self.gain
        dy -= mean[:, None]
        xp.multiply(self.unit, along[:, None], out=product)
        dy -= product
        dy *= self.scale[:, None]
        dx += dy


class Gelu:
    """y = x Φ(x) with Φ(x) ≈ ½ + ½ tanh(√(2/π) (x + 0.044715 x³)) (Hendrycks and Gimpel 2016)."""

    def __init__(self, buffers: Buffers, name: str) -> None:
        self.buffers, self.name = buffers, name

    def forward(self, x: Any) -> Any:
        """Return y, of the shape of x; x is kept, not copied."""
        xp = self.buffers.xp
        self.x = x
        gate = self.gate = self.buffers(self.name + ".gate", *x.shape)
        xp.multiply(x, x, out=gate)
        gate *= GELU_SLOPE * GELU_CUBIC
        gate += GELU_SLOPE
        gate *= x
        xp.tanh(gate, out=gate)
        gate *= 0.5
        gate += 0.5
        self.y = xp.multiply(gate, x, out=self.buffers(self.name, *x.shape))
        return self.y

    def backward(self, dy: Any) -> Any:
        """Return dx = dy (Φ + y (1 - Φ) 2u'), u the argument of tanh, in the memory of dy."""
        xp = self.buffers.xp
        slope = self.buffers("gelu.slope", *dy.shape)
        xp.multiply(self.x, self.x, out=slope)
        slope *= 6 * GELU_SLOPE * GELU_CUBIC
        slope += 2 * GELU_SLOPE
        slope *= self.y
        rest = xp.subtract(1, self.gate, out=self.buffers("gelu.rest", *dy.shape))
        slope *= rest
        slope += self.gate
        dy *= slope
        return dy
