"""Small modules of the structure that transformers' models have, written by hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


class Conv1D(nn.Module):
    """GPT-2's linear layer, its weights (inputs, outputs)."""

    def __init__(self, nf: int, nx: int) -> None:
        super().__init__()
        self.nf, self.nx = nf, nx
        self.weight, self.bias = nn.Parameter(torch.empty(nx, nf)), nn.Parameter(torch.zeros(nf))

    def forward(self, x: Any) -> Any:
        shape = (*x.size()[:-1], self.nf)
        return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(shape)


class ConvMLP(nn.Module):
    """GPT-2's MLP."""

    def __init__(self, width: int = 6, hidden: int = 10) -> None:
        super().__init__()
        self.c_fc, self.c_proj = Conv1D(hidden, width), Conv1D(width, hidden)

    def forward(self, x: Any) -> Any:
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class GatedMLP(nn.Module):
    """Llama's MLP."""

    def __init__(self, width: int = 6, hidden: int = 10) -> None:
        super().__init__()
        self.gate, self.up = nn.Linear(width, hidden, False), nn.Linear(width, hidden, False)
        self.down, self.act = nn.Linear(hidden, width, False), nn.SiLU()

    def forward(self, x: Any) -> Any:
        return self.down(self.act(self.gate(x)) * self.up(x))


class Intermediate(nn.Module):
    """The first half of BERT's MLP."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, hidden)

    def forward(self, x: Any) -> Any:
        return F.gelu(self.dense(x))


class Output(nn.Module):
    """The second half of BERT's MLP, with the residual sum; also what follows attention."""

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.dense, self.dropout = nn.Linear(hidden, width), nn.Dropout(0.1)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Any, residual: Any) -> Any:
        return self.norm(self.dropout(self.dense(x)) + residual)
