"""`torch.optim.AdamW` on a model, alone and followed by shrinks written in torch."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache, partial
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


class DiagonalShrink(ABC):
    """L1 in Adam's metric: ``x - clamp(x, -t, t)`` with ``t = lam lr / (sqrt(v unbias) + eps)``."""

    def __init__(self, model: Model) -> None:
        optimizer = adamw(model, fused=True)
        self._step = optimizer.step
        self._count = optimizer.state[model.matrices[0]]["step"]
        own = [(p, optimizer.state[p]["exp_avg_sq"]) for p in model.matrices]
        self._work = [(p.detach().view(-1), v.view(-1)) for p, v in own]

    def __call__(self) -> None:
        self._step()
        bias = (1 - BETAS[1] ** self._count.item()) ** 0.5
        numerator, eps = torch.tensor(LAM * LR * bias), EPS * bias
        for x, v in self._work:
            self.shrink(x, v, numerator, eps)

    @abstractmethod
    def shrink(self, x: torch.Tensor, v: torch.Tensor, numerator: torch.Tensor, eps: float) -> None:
        """Shrink x in place by `numerator` over the root of v and eps."""


class EagerShrink(DiagonalShrink):
    """Tensor after tensor, through two scratch buffers that stay in a cache where they fit.

    The same as `torch._foreach_*` calls takes four times as long, most of it for temporaries.
    """

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self._scratch = torch.zeros(2, max(x.numel() for x, _ in self._work))

    def shrink(self, x: torch.Tensor, v: torch.Tensor, numerator: torch.Tensor, eps: float) -> None:
        high, low = self._scratch[:, : x.numel()]
        torch.sqrt(v, out=high).add_(eps)
        torch.div(numerator, high, out=high)
        torch.neg(high, out=low)
        x.sub_(torch.clamp(x, low, high, out=low))


def _one_pass(x: torch.Tensor, v: torch.Tensor, numerator: torch.Tensor, eps: float) -> None:
    high = numerator / (v.sqrt() + eps)
    x.sub_(torch.clamp(x, -high, high))


@cache
def _compiled() -> Callable[..., Any]:
    """Import the compiler late: it takes seconds, and warns of torch's own calls."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        threads = {"cpp.dynamic_threads": True}  # those of set_num_threads
        return torch.compile(_one_pass, dynamic=True, options=threads)


class CompiledShrink(DiagonalShrink):
    """One pass that torch's compiler makes; needs a C++ compiler at run time."""

    def shrink(self, x: torch.Tensor, v: torch.Tensor, numerator: torch.Tensor, eps: float) -> None:
        _compiled()(x, v, numerator, eps)
