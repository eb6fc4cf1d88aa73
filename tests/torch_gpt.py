"""The same GPT in PyTorch, written from the papers; the twin of proxstep.lm.model."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F


class TorchGPT(torch.nn.Module):
    """Reads its weights, by name, from a dict of arrays."""

    def __init__(self, config: Any, weights: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        self.w = torch.nn.ParameterDict(
            {name.replace(".", "/"): torch.tensor(array) for name, array in weights.items()}
        )

    def weight(self, name: str) -> torch.nn.Parameter:
        return self.w[name.replace(".", "/")]

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, x.shape[-1:], self.weight(name), eps=1e-5)

    def attention(self, x: torch.Tensor, block: str) -> torch.Tensor:
        heads = self.config.heads
        parts = F.linear(x, self.weight(block + "qkv")).chunk(3, dim=-1)
        q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in parts)
        o = self.attend(q, k, v)
        return F.linear(o.transpose(1, 2).flatten(-2), self.weight(block + "projection"))

    def attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.weight("token_embedding")[tokens]
        return x + self.weight("position_embedding")[: tokens.shape[1]]

    def hidden(self, x: torch.Tensor, block: str) -> torch.Tensor:
        up = F.linear(x, self.weight(block + "up"))
        return F.linear(F.gelu(up, approximate="tanh"), self.weight(block + "down"))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens)
        for i in range(self.config.layers):
            block = f"blocks.{i}."
            x = x + self.attention(self.norm(x, block + "norm1"), block)
            x = x + self.hidden(self.norm(x, block + "norm2"), block)
        head = "token_embedding" if self.config.tied else "head"
        return F.linear(self.norm(x, "norm"), self.weight(head))

    def loss(self, tokens: Any, targets: Any) -> torch.Tensor:
        logits = self.forward(torch.as_tensor(tokens))
        return F.cross_entropy(logits.flatten(0, 1), torch.as_tensor(targets).flatten())

    def optimizer(self, config: Any, **options: Any) -> torch.optim.AdamW:
        """AdamW with decay on 2-D weights only."""
        groups = [
            {"params": [p for p in self.w.values() if p.ndim == 2]},
            {"params": [p for p in self.w.values() if p.ndim == 1], "weight_decay": 0.0},
        ]
        betas = (config.beta1, config.beta2)
        return torch.optim.AdamW(
            groups, lr=config.lr, betas=betas, weight_decay=config.weight_decay, **options
        )
