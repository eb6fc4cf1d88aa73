"""Causal softmax attention for any array namespace, forward and backward, arranged for BLAS.

B sequences, H heads, T positions, D channels a head. The scores lie as (T keys, B, H, T queries):
a reduction over keys then adds whole rows, and every product still reads and writes in place.
"""

from __future__ import annotations

from typing import Any

from .buffers import Buffers


class Attention:
    """o = softmax(q kᵀ / √D, causal) v for each head of fused rows (q, k, v).

    The exponentials E stay unnormalised: with r = 1 / sum(E) over keys, o = r Eᵀ v, and
    backward needs only dP' = v (r do)ᵀ and the row products r do · o
    (Dao et al. 2022, FlashAttention, appendix B).

    Parameters
    ----------
    heads : int
        H; the channels must be a multiple of it.
    context : int
        The largest T.
    buffers : Buffers
        Where results go.
    name : str
        The layer's own buffer name.
    """

    def __init__(self, heads: int, context: int, buffers: Buffers, name: str) -> None:
        self.heads, self.buffers, self.name = heads, buffers, name
        xp = buffers.xp
        future = xp.arange(context)[:, None] > xp.arange(context)  # key after query
        self.mask = xp.where(future, -xp.inf, 0.0).astype(buffers.dtype)[:, None, None, :]

    def forward(self, qkv: Any, batch: int) -> Any:
        """Return o, shape (N, C), from qkv, shape (N, 3C); q is scaled in place."""
        xp, channels = self.buffers.xp, qkv.shape[1] // 3
        self.batch, self.qkv = batch, qkv
        self.time = qkv.shape[0] // batch
        self.scale = (channels // self.heads) ** -0.5
        qkv[:, :channels] *= self.scale
        q, k, v = self._split(qkv)
        self.e = self.buffers(self.name + ".e", self.time, batch, self.heads, self.time)
        xp.matmul(k, q.swapaxes(-1, -2), out=self._by_head(self.e))
        self._exponentiate(self.e)
        self.o = self.buffers(self.name, qkv.shape[0], channels)
        o = self._rows(self.o)
        xp.matmul(self._by_head(self.e).swapaxes(-1, -2), v, out=o)
        o *= self.inverse
        return self.o

    def backward(self, do: Any) -> Any:
        """Return dqkv, shape (N, 3C); do is scaled in place."""
        xp = self.buffers.xp
        dqkv = self.buffers("dqkv", *self.qkv.shape)
        q, k, _ = self._split(self.qkv)
        dq, dk, dv = self._split(dqkv)
        do_heads = self._rows(do)
        do_heads *= self.inverse
        ds = self._by_head(self._score_gradient(do))
        xp.matmul(self._by_head(self.e), do_heads, out=dv)
        xp.matmul(ds, q, out=dk)
        xp.matmul(ds.swapaxes(-1, -2), k, out=dq)
        dqkv[:, : do.shape[1]] *= self.scale
        return dqkv

    def _exponentiate(self, e: Any) -> None:
        """Turn scores into exponentials in place and keep the inverse of their sums."""
        xp = self.buffers.xp
        e += self.mask[: self.time, :, :, : self.time]
        e -= xp.max(e, axis=0, out=self.buffers("attention.row", *e.shape[1:]))
        xp.exp(e, out=e)
        total = self.buffers(self.name + ".inverse", *e.shape[1:])
        xp.sum(e, axis=0, out=total)
        self.inverse = xp.reciprocal(total, out=total)[..., None]

    def _score_gradient(self, do: Any) -> Any:
        """Return E (dP' - r do · o), shape (T, B, H, T), from the scaled do."""
        xp = self.buffers.xp
        product = xp.multiply(do, self.o, out=self.buffers("attention.product", *do.shape))
        heads = product.reshape(self.batch, self.time, self.heads, -1).transpose(0, 2, 1, 3)
        along = self.buffers("attention.row", self.batch, self.heads, self.time)
        xp.matmul(heads, self.buffers.ones(heads.shape[-1]), out=along)
        v = self._split(self.qkv)[2]
        ds = self.buffers("attention.ds", *self.e.shape)
        xp.matmul(v, self._rows(do).swapaxes(-1, -2), out=self._by_head(ds))
        ds -= along
        ds *= self.e
        return ds

    @staticmethod
    def _by_head(scores: Any) -> Any:
        """View (keys, B, H, queries) as (B, H, keys, queries)."""
        return scores.transpose(1, 2, 0, 3)

    def _rows(self, x: Any) -> Any:
        """View rows (N, C) as (B, H, T, D)."""
        return x.reshape(self.batch, self.time, self.heads, -1).transpose(0, 2, 1, 3)

    def _split(self, qkv: Any) -> tuple[Any, Any, Any]:
        """View fused rows (N, 3C) as q, k, v, each (B, H, T, D)."""
        parts = qkv.reshape(self.batch, self.time, 3, self.heads, -1).transpose(2, 0, 3, 1, 4)
        return parts[0], parts[1], parts[2]
