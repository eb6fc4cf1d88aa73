"""Forward and backward of each layer on rows; a layer holds nothing but views and names.

N = B T rows (B sequences of T tokens), C channels, V symbols. ``x`` goes in, ``y`` comes out,
``dy`` and ``dx`` are gradients of the loss; weights have PyTorch's layout (out, in).
What backward needs is kept in buffers of the layer's own name; scratch is shared by all layers.
"""

from __future__ import annotations

from typing import Any

from .buffers import Buffers

GELU_SLOPE = 0.7978845608028654  # sqrt(2 / pi)
GELU_CUBIC = 0.044715
NORM_EPS = 1e-5


class Linear:
    """y = x Wᵀ for W of shape (out, in), without a bias.

    Parameters
    ----------
    w, dw : array, shape (out, in)
        Weight and the place of its gradient.
    buffers : Buffers
        Where results go.
    name : str
        The layer's own buffer name.
    """

    def __init__(self, w: Any, dw: Any, buffers: Buffers, name: str) -> None:
        self.w, self.dw, self.buffers, self.name = w, dw, buffers, name

    def forward(self, x: Any) -> Any:
        """Return y, shape (N, out)."""
        self.x = x
        y = self.buffers(self.name, x.shape[0], self.w.shape[0])
        return self.buffers.xp.matmul(x, self.w.T, out=y)

    def backward(self, dy: Any) -> Any:
        """Write dW and return dx, shape (N, in)."""
        xp = self.buffers.xp
        xp.matmul(dy.T, self.x, out=self.dw)
        dx = self.buffers(f"dx{self.w.shape[1]}", dy.shape[0], self.w.shape[1])
        return xp.matmul(dy, self.w, out=dx)


class LayerNorm:
    """y = gain · (x - mean(x)) / sqrt(var(x) + 1e-5) over the channels of each row.

    Row sums are products with a vector of 1/C, which BLAS does faster than a reduction.
    """

    def __init__(self, gain: Any, dgain: Any, buffers: Buffers, name: str) -> None:
        self.gain, self.dgain, self.buffers, self.name = gain, dgain, buffers, name

    def forward(self, x: Any) -> Any:
        """Return y, shape (N, C); x is left alone."""
        xp, (rows, channels) = self.buffers.xp, x.shape
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

    def backward(self, dy: Any) -> Any:
        """Write dgain and return dx, in the memory of dy."""
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
        return dy


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


class Embedding:
    """y = W[token] for W of shape (V, C); the gradient is a product with the one-hot rows.

    The product costs what the output head costs and adds in a fixed order on every device.
    """

    def __init__(self, w: Any, dw: Any, buffers: Buffers) -> None:
        self.w, self.dw, self.buffers = w, dw, buffers

    def forward(self, tokens: Any) -> Any:
        """Return y, shape (N, C); the caller may change it."""
        self.tokens = tokens.reshape(-1)
        y = self.buffers("residual", self.tokens.size, self.w.shape[1])
        return self.buffers.xp.take(self.w, self.tokens, axis=0, out=y)

    def backward(self, dy: Any, shared: bool) -> None:
        """Write dW, or add to it where the head shares the weight."""
        xp, rows = self.buffers.xp, dy.shape[0]
        hot = self.buffers("one_hot", rows, self.w.shape[0])
        hot.fill(0)
        hot[xp.arange(rows), self.tokens] = 1
        if not shared:
            xp.matmul(hot.T, dy, out=self.dw)
            return
        self.dw += xp.matmul(hot.T, dy, out=self.buffers("embedding.dw", *self.w.shape))
