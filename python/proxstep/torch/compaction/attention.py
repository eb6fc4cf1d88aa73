"""Attention with fewer heads than `nn.MultiheadAttention` allows.

Letters: B batch, L queries, S keys, E embedding, H heads, D their width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


class CompactAttention(nn.Module):  # type: ignore[misc]
    """Some heads of `nn.MultiheadAttention`: ``sum_h W_h softmax(q_h k_h' / sqrt(D)) v_h + b``.

    It is called in the same way and returns ``(output, None)``: the mean of the attention weights
    over the heads is not what it was, so they are not given.

    Parameters
    ----------
    attention : torch.nn.MultiheadAttention
        With all heads.
    heads : sequence of int
        Those which stay.
    """

    # What nn.TransformerEncoderLayer asks before it bypasses the module.
    in_proj_bias = None
    _qkv_same_embed_dim = False

    def __init__(self, attention: Any, heads: list[int]) -> None:
        super().__init__()
        self.heads = tuple(heads)
        self.heads_before = attention.num_heads
        self.num_heads = len(heads)
        self.head_dim = attention.head_dim
        self.embed_dim = attention.embed_dim
        self.batch_first = attention.batch_first
        self.dropout = attention.dropout
        rows, out = _rows(attention, heads), attention.out_proj
        with torch.enable_grad():  # parts ask for gradients as the whole does
            self.q_proj, self.k_proj, self.v_proj = (
                _linear(weight[rows], None if bias is None else bias[rows])
                for weight, bias in projections(attention)
            )
            self.out_proj = _linear(out.weight[:, rows], folded_bias(attention, heads))
        self.train(attention.training)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = False,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Any, None]:
        """Attend as `nn.MultiheadAttention` does; `is_causal` is a hint and needs `attn_mask`."""
        batched = query.dim() == 3
        sequences = [query, key, value]
        if batched and not self.batch_first:
            sequences = [x.transpose(0, 1) for x in sequences]
        elif not batched:
            sequences = [x.unsqueeze(0) for x in sequences]
        layers = (self.q_proj, self.k_proj, self.v_proj)
        q, k, v = (self._split(layer(x)) for layer, x in zip(layers, sequences, strict=True))
        mask = self._mask(attn_mask, key_padding_mask, q)
        dropped = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropped)
        y = self.out_proj(y.transpose(1, 2).flatten(2))
        if not batched:
            return y.squeeze(0), None
        return (y if self.batch_first else y.transpose(0, 1)), None

    def _split(self, x: Any) -> Any:
        """(B, L, H D) -> (B, H, L, D)."""
        return x.unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)

    def _mask(self, attn_mask: Any, key_padding_mask: Any, q: Any) -> Any:
        """Sum both masks, as numbers to add, in a shape that broadcasts to (B, H, L, S)."""
        parts = []
        if attn_mask is not None:
            mask = _additive(attn_mask, q.dtype)
            if mask.dim() == 3:
                mask = mask.unflatten(0, (-1, self.heads_before))[:, list(self.heads)]
            parts.append(mask)
        if key_padding_mask is not None:
            mask = _additive(key_padding_mask, q.dtype)
            parts.append(mask.view(q.shape[0], 1, 1, -1))
        return sum(parts) if parts else None


def _additive(mask: Any, dtype: Any) -> Any:
    if mask.dtype != torch.bool:
        return mask.to(dtype)
    return torch.zeros_like(mask, dtype=dtype).masked_fill(mask, -torch.inf)


def _linear(weight: Any, bias: Any) -> Any:
    """Make a layer of the given numbers, which ask for gradients as those they come from."""
    layer = nn.Linear(*weight.shape[::-1], bias=False, device="meta")
    layer.weight = nn.Parameter(weight.detach().clone(), requires_grad=weight.requires_grad)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone(), requires_grad=bias.requires_grad)
    return layer


def projections(attention: Any) -> list[tuple[Any, Any]]:
    """Give weights and biases of queries, keys and values."""
    if attention._qkv_same_embed_dim:
        weights = attention.in_proj_weight.chunk(3)
    else:
        weights = (attention.q_proj_weight, attention.k_proj_weight, attention.v_proj_weight)
    bias = attention.in_proj_bias
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    return list(zip(weights, biases, strict=True))


def _rows(attention: Any, heads: list[int]) -> list[int]:
    width = attention.head_dim
    return [head * width + i for head in heads for i in range(width)]


def folded_bias(attention: Any, heads: list[int]) -> Any:
    """Give the bias of the output with the constants of the heads that leave, ``W_h v_h``."""
    out, values = attention.out_proj, projections(attention)[2][1]
    leaving = sorted(set(range(attention.num_heads)) - set(heads))
    if values is None or not leaving:
        return out.bias
    rows = _rows(attention, leaving)
    constant = out.weight[:, rows].detach().double() @ values[rows].detach().double()
    bias = constant if out.bias is None else constant + out.bias.detach().double()
    result = bias.to(out.weight.dtype)
    return result.requires_grad_((out.weight if out.bias is None else out.bias).requires_grad)
