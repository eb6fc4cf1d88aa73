"""The methods of the study: what each does to the optimizer, and after a step.

A method gets the network and a goal and returns its optimizer and what follows every step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import proxstep as ps
import torch
from digits_train import weights_of
from proxstep.torch import ProxAdamW
from torch import nn
from torch.nn.utils import prune

RAMP = (0.1, 0.7)  # where the sparsity rises, as shares of the steps
PRUNE_EVERY = 10  # steps, while the sparsity rises


@dataclass(frozen=True)
class Goal:
    """The share of zeros wanted, and the settings to reach it."""

    zeros: float
    lr: float
    steps: int
    lam: float = 0.0


Started = tuple[torch.optim.Optimizer, Callable[[int], None]]


@dataclass(frozen=True)
class Method:
    """`lam` is where the search for the strength begins; None where the zeros are given."""

    label: str
    start: Callable[[nn.Module, Goal], Started]
    lam: float | None = None


def nothing(step: int) -> None:
    """What dense and proximal training do after a step."""


def dense(net: nn.Module, goal: Goal) -> Started:
    return torch.optim.AdamW(net.parameters(), goal.lr), nothing


def penalised(penalty: Callable[[float], Any], metric: Any) -> Callable[[nn.Module, Goal], Started]:
    def start(net: nn.Module, goal: Goal) -> Started:
        h = penalty(goal.lam)
        return ProxAdamW(net.parameters(), goal.lr, penalty=h, metric=metric), nothing

    return start


def ramp(goal: Goal) -> Callable[[int], float]:
    """The density at each step: for `TopK` and for gradual pruning alike."""
    begin, end = (round(share * goal.steps) for share in RAMP)
    return ps.schedules.CubicRamp(1.0, 1.0 - goal.zeros, begin_step=begin, end_step=end)


def top_k(metric: Any) -> Callable[[nn.Module, Goal], Started]:
    def start(net: nn.Module, goal: Goal) -> Started:
        h = ps.TopK(1.0 - goal.zeros, scope="global", schedule=ramp(goal))
        return ProxAdamW(net.parameters(), goal.lr, penalty=h, metric=metric), nothing

    return start


def prune_to(net: nn.Module, zeros: float) -> None:
    """Let torch's global magnitude pruning raise the share of zeros; what is pruned stays so."""
    layers = [(module, "weight") for module in net if hasattr(module, "weight")]
    total = sum(w.numel() for w in weights_of(net))
    gone = sum(
        int((module.weight_mask == 0).sum()) for module, _ in layers if prune.is_pruned(module)
    )
    more = round(zeros * total) - gone
    if more > 0:
        prune.global_unstructured(layers, prune.L1Unstructured, amount=more)


def gradual(net: nn.Module, goal: Goal) -> Started:
    density, last = ramp(goal), round(RAMP[1] * goal.steps)

    def after_step(step: int) -> None:
        if step <= last and (step % PRUNE_EVERY == 0 or step == last):
            prune_to(net, 1.0 - density(step))

    return torch.optim.AdamW(net.parameters(), goal.lr), after_step


def one_shot(net: nn.Module, goal: Goal) -> Started:
    """Half the steps dense, half with the mask."""

    def after_step(step: int) -> None:
        if step + 1 == goal.steps // 2:
            prune_to(net, goal.zeros)

    return torch.optim.AdamW(net.parameters(), goal.lr), after_step


DENSE = Method("dense", dense)
METHODS = {
    "l1-diagonal": Method("L1, diagonal", penalised(ps.L1, "diagonal"), 3e-4),
    "l1-euclidean": Method("L1, euclidean", penalised(ps.L1, "euclidean"), 0.2),
    "mcp-diagonal": Method("MCP, diagonal", penalised(ps.MCP, "diagonal"), 2e-3),
    "mcp-euclidean": Method("MCP, euclidean", penalised(ps.MCP, "euclidean"), 0.2),
    "topk-diagonal": Method("TopK, diagonal", top_k("diagonal")),
    "topk-euclidean": Method("TopK, euclidean", top_k("euclidean")),
    "gradual": Method("gradual pruning", gradual),
    "one-shot": Method("one-shot pruning", one_shot),
}
