"""Attention written by hand in the ways that people write it: 4 heads of width 3 in 10 channels."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch_transformers import Conv1D


class Heads(nn.Module):
    """Projections of its own for queries, keys and values; the sizes are attributes."""

    def __init__(self, width: int = 10, heads: int = 4, head_dim: int = 3) -> None:
        super().__init__()
        self.heads, self.head_dim = heads, head_dim
        self.q, self.k, self.v = (nn.Linear(width, heads * head_dim) for _ in range(3))
        self.out = nn.Linear(heads * head_dim, width)

    def values(self) -> Any:
        return self.v.weight

    def reads(self) -> Any:
        return self.out.weight

    def project(self, x: Any) -> Any:
        B, L, _ = x.shape
        layers = (self.q, self.k, self.v)
        return [f(x).view(B, L, self.heads, self.head_dim).transpose(1, 2) for f in layers]

    def attend(self, q: Any, k: Any, v: Any) -> Any:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    def forward(self, x: Any) -> Any:
        y = self.attend(*self.project(x)).transpose(1, 2).contiguous()
        return self.out(y.view(y.size(0), y.size(1), -1))


class ByHand(Heads):
    """Scores, a mask, softmax and dropout step by step."""

    def attend(self, q: Any, k: Any, v: Any) -> Any:
        scores = q @ k.transpose(-2, -1) * k.size(-1) ** -0.5
        mask = torch.ones(scores.size(-2), scores.size(-1), dtype=torch.bool).tril()
        weights = F.softmax(scores.masked_fill(~mask, -torch.inf), dim=-1)
        return F.dropout(weights, 0.1, self.training) @ v


class Unfolded(Heads):
    """Sizes as transformers have them: a slice of the shape, unpacked."""

    def project(self, x: Any) -> Any:
        shape = (*x.shape[:-1], -1, self.head_dim)
        return [f(x).view(shape).transpose(1, 2) for f in (self.q, self.k, self.v)]

    def forward(self, x: Any) -> Any:
        y = self.attend(*self.project(x)).transpose(1, 2)
        return self.out(y.reshape(*x.shape[:-1], -1))


class Rotated(Unfolded):
    """Grouped keys with rotary positions, as in Llama: 4 heads of queries, 2 of keys."""

    def __init__(self) -> None:
        super().__init__(heads=4, head_dim=4)
        self.k, self.v = nn.Linear(10, 8, bias=False), nn.Linear(10, 8, bias=False)

    def attend(self, q: Any, k: Any, v: Any) -> Any:
        q, k = self.rotate(q), self.rotate(k)
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)

    def rotate(self, x: Any) -> Any:
        angles = torch.arange(x.shape[2]).double()[:, None] * torch.tensor([1.0, 0.1, 1.0, 0.1])
        half = x.shape[-1] // 2
        turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
        return x * angles.cos() + turned * angles.sin()


class Fused(Heads):
    """One projection for all three, parted by an attribute."""

    def __init__(self, make: Any = nn.Linear) -> None:
        super().__init__()
        self.inner = self.heads * self.head_dim
        self.qkv = make(10, 3 * self.inner)
        del self.q, self.k, self.v

    def values(self) -> Any:
        return self.qkv.weight[2 * 12 :]

    def project(self, x: Any) -> Any:
        parts = self.qkv(x).split(self.inner, dim=-1)
        return [part.unflatten(-1, (-1, self.head_dim)).transpose(1, 2) for part in parts]


class Chunked(Fused):
    """Parted into three."""

    def project(self, x: Any) -> Any:
        parts = self.qkv(x).chunk(3, dim=-1)
        return [part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts]


class Packed(Fused):
    """As vision transformers part it."""

    def project(self, x: Any) -> Any:
        B, L, _ = x.shape
        y = self.qkv(x).reshape(B, L, 3, self.heads, self.head_dim)
        return y.permute(2, 0, 3, 1, 4).unbind(0)

    def forward(self, x: Any) -> Any:
        return self.out(self.attend(*self.project(x)).transpose(1, 2).flatten(2))


class Transposed(Fused):
    """GPT-2's: transposed weights."""

    def __init__(self) -> None:
        super().__init__(lambda inputs, outputs: Conv1D(outputs, inputs))
        self.out = Conv1D(10, 12)

    def values(self) -> Any:
        return self.qkv.weight.t()[2 * 12 :]

    def reads(self) -> Any:
        return self.out.weight.t()


class Computed(Heads):
    """As nanoGPT has it: the width of a head is computed from the number of heads."""

    def __init__(self) -> None:
        super().__init__(width=12)

    def project(self, x: Any) -> Any:
        B, L, C = x.shape
        layers = (self.q, self.k, self.v)
        return [f(x).view(B, L, self.heads, C // self.heads).transpose(1, 2) for f in layers]


class Biased(Heads):
    """A bias of each head's own is added to its scores."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(4, 1, 1))

    def attend(self, q: Any, k: Any, v: Any) -> Any:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=self.bias.expand(4, 5, 5))


class Mixed(Heads):
    """Heads are mixed after they attended."""

    def attend(self, q: Any, k: Any, v: Any) -> Any:
        y = super().attend(q, k, v)
        return y + y.flip(1)


class Told(Heads):
    """The number of heads is used for something else."""

    def forward(self, x: Any) -> Any:
        return super().forward(x) / self.heads
