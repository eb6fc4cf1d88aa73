"""Layers whose loops are native: on the CPU one thread's, without the GIL; on a device, kernels.

N = B T rows (B sequences of T tokens) of C channels, in arrays of float32 or float64, NumPy's or
CuPy's. On the CPU the bits do not depend on the instruction set.
"""

from __future__ import annotations

from typing import Any

from proxstep import _core

from .buffers import Buffers


class LayerNorm:
    """y = gain · (x - mean(x)) / sqrt(var(x) + 1e-5) over the channels of each row.

    The residual branch before it and the residual's gradient behind it are added on the way.
    """

    def __init__(self, gain: Any, dgain: Any, buffers: Buffers, name: str) -> None:
        self.gain, self.dgain, self.buffers, self.name = gain, dgain, buffers, name

    def forward(self, x: Any, branch: Any = None) -> Any:
        """Add the branch to x, if there is one, and return y, shape (N, C)."""
        self.unit = self.buffers(self.name + ".unit", *x.shape)
        self.scale = self.buffers(self.name + ".scale", x.shape[0])
        y = self.buffers(self.name, *x.shape)
        _core.norm_forward(x, self.gain, self.unit, self.scale, y, branch)
        return y

    def backward(self, dy: Any, dx: Any) -> None:
        """Write dgain and add to dx."""
        _core.norm_backward(dy, self.gain, self.unit, self.scale, self.dgain, dx)


class Gelu:
    """y = x Φ(x) with Φ(x) ≈ ½ + ½ tanh(√(2/π) (x + 0.044715 x³)) (Hendrycks and Gimpel 2016).

    Backward makes Φ again, which costs less than to keep it.
    """

    def __init__(self, buffers: Buffers, name: str) -> None:
        self.buffers, self.name = buffers, name

    def forward(self, x: Any) -> Any:
        """Return y, of the shape of x; x is kept, not copied."""
        self.x = x
        y = self.buffers(self.name, *x.shape)
        _core.gelu_forward(x, y)
        return y

    def backward(self, dy: Any) -> Any:
        """Return dx, in the memory of dy."""
        _core.gelu_backward(self.x, dy)
        return dy


class Attention:
    """o = softmax(q kᵀ / √D, causal) v for each head of fused rows (q, k, v).

    Two numbers a row are kept for backward, which makes the scores again (Dao et al. 2022,
    FlashAttention): memory grows with T, not with T².

    Parameters
    ----------
    heads : int
        H; the channels must be a multiple of it.
    buffers : Buffers
        Where results go.
    name : str
        The layer's own buffer name.
    """

    def __init__(self, heads: int, buffers: Buffers, name: str) -> None:
        self.heads, self.buffers, self.name = heads, buffers, name

    def forward(self, qkv: Any, batch: int) -> Any:
        """Return o, shape (N, C), from qkv, shape (N, 3C), which is kept, not copied."""
        rows, channels = qkv.shape[0], qkv.shape[1] // 3
        self.qkv, self.batch = qkv, batch
        self.kept = self.buffers(self.name + ".kept", 2 * self.heads * rows)
        self.o = self.buffers(self.name, rows, channels)
        _core.attention_forward(qkv, self.o, self.kept, self._scratch(), batch, self.heads)
        return self.o

    def backward(self, do: Any) -> Any:
        """Return dqkv, shape (N, 3C)."""
        dqkv, scratch = self.buffers("dqkv", *self.qkv.shape), self._scratch()
        of_forward = self.o, self.qkv, self.kept
        _core.attention_backward(do, *of_forward, dqkv, scratch, self.batch, self.heads)
        return dqkv

    def _scratch(self) -> Any:
        size = _core.attention_scratch(self.qkv, self.batch, self.heads)
        return self.buffers("attention.scratch", size)
