"""`torch.optim.AdamW` on a model, alone and followed by shrinks written in torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from gpt_models import Model
from workload import BETAS, EPS

softshrink = torch.nn.functional.softshrink

LR, LAM = 1e-4, 1e-4  # the prox moves an element by less than the gradient does


def adamw(model: Model, **how: Any) -> torch.optim.AdamW:
    optimizer = torch.optim.AdamW(model.groups(), lr=LR, betas=BETAS, eps=EPS, **how)
    model.lend_moments(optimizer)
    return optimizer


def in_turn(*calls: Callable[[], Any]) -> Callable[[], None]:
    def all_of_them() -> None:
        for call in calls:
            call()

    return all_of_them


def with_softshrink(model: Model) -> Callable[[], None]:
    """L1 in the euclidean metric: one more pass over each matrix, in place."""
    step = adamw(model, fused=True).step
    weights = [p.detach() for p in model.matrices]
    return in_turn(step, *(partial(softshrink, x, LR * LAM, out=x) for x in weights))


class DiagonalShrink:
    """L1 in Adam's metric: ``x - clamp(x, -t, t)`` with ``t = lam lr / (sqrt(v unbias) + eps)``.

    Tensor after tensor, through two scratch buffers that stay in a cache where they fit: the same
    as `torch._foreach_*` calls takes four times as long, most of it for temporaries.
    """

    def __init__(self, model: Model, optimizer: torch.optim.Optimizer) -> None:
        self._count = optimizer.state[model.matrices[0]]["step"]
        scratch = torch.zeros(2, max(p.numel() for p in model.matrices))
        self._work = [
            (p.detach(), optimizer.state[p]["exp_avg_sq"], *self._views(scratch, p))
            for p in model.matrices
        ]

    @staticmethod
    def _views(scratch: torch.Tensor, p: torch.Tensor) -> list[torch.Tensor]:
        return [buffer[: p.numel()].view_as(p) for buffer in scratch]

    def __call__(self) -> None:
        bias = (1 - BETAS[1] ** self._count.item()) ** 0.5
        numerator = torch.tensor(LAM * LR * bias)
        for x, v, high, low in self._work:
            torch.sqrt(v, out=high).add_(EPS * bias)
            torch.div(numerator, high, out=high)
            torch.neg(high, out=low)
            x.sub_(torch.clamp(x, low, high, out=low))


def with_diagonal_shrink(model: Model) -> Callable[[], None]:
    optimizer = adamw(model, fused=True)
    return in_turn(optimizer.step, DiagonalShrink(model, optimizer))
