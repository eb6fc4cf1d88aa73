"""A torch module with nanoGPT's shapes and names, written from its description."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, heads: int, channels: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.c_attn = nn.Linear(channels, 3 * channels, bias=bias)
        self.c_proj = nn.Linear(channels, channels, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (p.unflatten(-1, (self.heads, -1)).transpose(1, 2)
                   for p in self.c_attn(x).chunk(3, dim=-1))  # fmt: skip
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).flatten(-2))


class Block(nn.Module):
    def __init__(self, heads: int, channels: int, bias: bool) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = (nn.LayerNorm(channels, bias=bias) for _ in range(2))
        self.attn = Attention(heads, channels, bias)
        self.mlp = nn.ModuleDict(
            {
                "c_fc": nn.Linear(channels, 4 * channels, bias=bias),
                "c_proj": nn.Linear(4 * channels, channels, bias=bias),
            }
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x))))


class NanoGPT(nn.Module):
    def __init__(self, args: dict[str, Any]) -> None:
        super().__init__()
        channels, bias = args["n_embd"], args["bias"]
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(args["vocab_size"], channels),
                "wpe": nn.Embedding(args["block_size"], channels),
                "h": nn.ModuleList(
                    Block(args["n_head"], channels, bias) for _ in range(args["n_layer"])
                ),
                "ln_f": nn.LayerNorm(channels, bias=bias),
            }
        )
        self.lm_head = nn.Linear(channels, args["vocab_size"], bias=False)
        self.lm_head.weight = self.transformer["wte"].weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        t = self.transformer
        x = t["wte"](tokens) + t["wpe"](torch.arange(tokens.shape[1]))
        for block in t["h"]:
            x = block(x)
        return self.lm_head(t["ln_f"](x))
