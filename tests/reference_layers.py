"""The language model's layers in float64, whole matrices at once, written from their papers."""

from __future__ import annotations

from typing import Any

import numpy as np


def norm(x: Any, gain: Any) -> Any:
    """Layer norm (Ba, Kiros and Hinton 2016, equation 4) without an offset."""
    spread = np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    return gain * (x - x.mean(axis=1, keepdims=True)) / spread


def norm_gradient(x: Any, gain: Any, dy: Any) -> tuple[Any, Any]:
    """dx and dgain, by the Jacobian of each row."""
    size, dx = x.shape[1], np.empty_like(x)
    spread = np.sqrt(x.var(axis=1) + 1e-5)
    unit = (x - x.mean(axis=1, keepdims=True)) / spread[:, None]
    for row, u, g, s in zip(dx, unit, gain * dy, spread, strict=True):
        row[:] = (np.eye(size) - 1 / size - np.outer(u, u) / size) @ g / s
    return dx, (dy * unit).sum(axis=0)


def gelu(x: Any) -> Any:
    """Gaussian error linear units in their tanh form (Hendrycks and Gimpel 2016)."""
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def gelu_slope(x: Any) -> Any:
    """The derivative of the above."""
    t = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x**2)


def split(qkv: Any, batch: int, heads: int) -> Any:
    """Fused rows as q, k, v of shape (batch, heads, time, width)."""
    return qkv.reshape(batch, -1, 3, heads, qkv.shape[1] // (3 * heads)).transpose(2, 0, 3, 1, 4)


def probabilities(q: Any, k: Any) -> Any:
    """softmax(q kᵀ / √width) over the keys that are no later than the query."""
    scores = np.einsum("bhid,bhjd->bhij", q, k) / np.sqrt(q.shape[-1])
    scores[..., np.triu(np.ones(scores.shape[-2:], bool), 1)] = -np.inf
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def attention(qkv: Any, batch: int, heads: int) -> Any:
    """Scaled dot-product attention (Vaswani et al. 2017, equation 1), causal."""
    q, k, v = split(qkv, batch, heads)
    o = np.einsum("bhij,bhjd->bihd", probabilities(q, k), v)
    return o.reshape(qkv.shape[0], -1)


def attention_gradient(qkv: Any, batch: int, heads: int, d_o: Any) -> Any:
    """The gradient by the fused rows, through the Jacobian of the softmax."""
    q, k, v = split(qkv, batch, heads)
    p = probabilities(q, k)
    do = d_o.reshape(batch, -1, heads, v.shape[-1]).transpose(0, 2, 1, 3)
    dp = np.einsum("bhid,bhjd->bhij", do, v)
    ds = (p * dp - p * (p * dp).sum(axis=-1, keepdims=True)) / np.sqrt(q.shape[-1])
    parts = (
        np.einsum("bhij,bhjd->bihd", ds, k),
        np.einsum("bhij,bhid->bjhd", ds, q),
        np.einsum("bhij,bhid->bjhd", p, do),
    )
    return np.stack(parts, axis=2).reshape(qkv.shape)
