"""Models with dead neurons, channels and heads, for the tests of proxstep.torch."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


def randomise(model: nn.Module) -> nn.Module:
    """Give every parameter and every statistic a value that hides nothing."""
    generator = torch.Generator().manual_seed(3)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.is_floating_point():
            low = 0.4 if name.endswith("var") else -0.6
            tensor.data.copy_(torch.rand(tensor.shape, generator=generator) + low)
    return model


def kill_rows(layer: Any, rows: Any) -> None:
    """Make outputs of a layer constant."""
    layer.weight.data[torch.as_tensor(rows)] = 0


def kill_columns(layer: Any, columns: Any) -> None:
    """Make a layer ignore inputs."""
    layer.weight.data[:, torch.as_tensor(columns)] = 0


def mlp(activation: Any, bias: bool = True) -> nn.Sequential:
    """6 - 9 - 8 - 3."""
    layers = [nn.Linear(6, 9, bias), activation, nn.Dropout(0.4), nn.Linear(9, 8, bias)]
    return randomise(nn.Sequential(*layers, activation, nn.Linear(8, 3, bias)))


class Residual(nn.Module):
    """Two branches of convolutions with batch norms that meet, as in a ResNet."""

    def __init__(self, channels: int = 6) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, channels, 3, padding=1)
        self.inner = nn.Conv2d(channels, 5, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(5)
        self.outer = nn.Conv2d(5, channels, 1)
        self.head = nn.Linear(channels, 3)

    def forward(self, x: Any) -> Any:
        x = F.relu(self.stem(x), inplace=True)
        y = F.relu(self.norm(self.inner(x)))
        y = self.outer(y)
        y += x
        return self.head(F.adaptive_avg_pool2d(F.relu(y), 1).flatten(1))


class Mixer(nn.Module):
    """Concatenation, depthwise convolution, PReLU per channel, and a mean over space."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(2, 5, 3), nn.Conv2d(2, 4, 3, padding="valid")
        self.depthwise = nn.Conv2d(9, 9, 3, groups=9)
        self.prelu = nn.PReLU(9)
        self.point = nn.Conv2d(9, 4, 1)

    def forward(self, x: Any) -> Any:
        x = torch.cat([self.left(x).sigmoid(), 0.3 - self.right(x)], dim=1)
        return self.point(self.prelu(self.depthwise(x))).mean((2, 3))


class Attention(nn.Module):
    """A block of hand-written attention, as in nanoGPT, with its MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(8, 24), nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)
        self.mlp = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8), nn.Dropout(0.1))

    def forward(self, x: Any) -> Any:
        B, T, C = x.size()
        parts = self.c_attn(self.norm(x)).split(C, dim=2)
        q, k, v = (part.view(B, T, 2, C // 2).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))
        return x + self.mlp(self.norm(x))


class GPT(nn.Module):
    """A forward that branches on sizes, which cannot be traced as one; tied embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(11, 8), nn.Embedding(7, 8)
        self.blocks = nn.ModuleList([Attention(), Attention()])
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, tokens: Any, targets: Any = None) -> Any:
        assert tokens.shape[1] <= 7, "too long"
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits = self.head(x)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())


class SelfAttention(nn.Module):
    """One `nn.MultiheadAttention`, its weights unused."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 4, **settings)

    def forward(
        self, query: Any, key: Any, value: Any, padding: Any = None, mask: Any = None
    ) -> Any:
        output, _ = self.attention(query, key, value, key_padding_mask=padding, attn_mask=mask)
        return output


def kill_heads(attention: Any, values: Any = (), outputs: Any = ()) -> None:
    """Make the values of some heads constant, and the output ignore others."""
    width = attention.head_dim
    weight = attention.in_proj_weight
    v = attention.v_proj_weight if weight is None else weight[2 * attention.embed_dim :]
    for head in values:
        v.data[head * width : (head + 1) * width] = 0
    for head in outputs:
        attention.out_proj.weight.data[:, head * width : (head + 1) * width] = 0


class Step(nn.Module):
    """Two layers with something in between."""

    def __init__(self, between: Any) -> None:
        super().__init__()
        self.first, self.between, self.second = nn.Linear(4, 6), between, nn.Linear(6, 2)

    def forward(self, x: Any) -> Any:
        return self.between(self, x)


def dead(between: Any) -> Any:
    """The step with neurons that are zero, the easiest to remove."""
    model = randomise(Step(between)).double()
    kill_rows(model.first, [1, 3])
    model.first.bias.data[[1, 3]] = 0
    return model


def overwritten(model: Any, x: Any) -> Any:
    """Forward of a step that changes in place what its second layer reads."""
    y = model.first(x)
    F.dropout(y, 0.5, training=model.training).add_(1.5)  # y itself, in eval mode
    return model.second(y)
