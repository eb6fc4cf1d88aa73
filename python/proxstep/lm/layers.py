"""Forward and backward of each layer on rows; a layer holds nothing but views and names.

N = B T rows (B sequences of T tokens), C channels, V symbols. ``x`` goes in, ``y`` comes out,
``dy`` and ``dx`` are gradients of the loss; weights have PyTorch's layout (out, in).
What backward needs is kept in buffers of the layer's own name; scratch is shared by all layers.
Here are the layers that are products of matrices; the others are in `native`.
"""

from __future__ import annotations

from typing import Any

from .buffers import Buffers


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
