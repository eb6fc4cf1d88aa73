"""Row sparsity: an MLP whose hidden neurons are penalised as groups, then compacted.

Beside it the dense MLP, and a dense one of the compacted sizes that is trained from the start.
"""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

import proxstep as ps
import torch
from digits_methods import nothing
from digits_train import Score, mlp, score, train
from proxstep.torch import ProxAdamW, compact
from torch import nn

BATCHES = (1, 256)


@dataclass(frozen=True)
class RowStudy:
    """`lams` from weak to strong; of those that validate as well as lam = 0, `slack` forgiven,
    the one with the smallest networks is taken."""

    width: int = 256
    lams: tuple[float, ...] = (0.03, 0.06, 0.09, 0.12, 0.18)
    slack: float = 0.005
    rounds: int = 300  # of each timing

    def jobs(self, study: Any) -> list[Any]:
        return [
            (row_cell, (self.width, lam, lr, study.seeds, study.steps))
            for lam in (0.0, *self.lams)
            for lr in study.rates
        ]

    def report(self, study: Any, found: list[dict[str, Any]]) -> dict[str, Any]:
        by_lam = [best(c for c in found if c["lam"] == lam) for lam in (0.0, *self.lams)]
        dense, *penalised = by_lam
        enough = [c for c in penalised if validation(c) >= validation(dense) - self.slack]
        chosen = min(enough or penalised, key=mean_size)
        small = best(small_cell(chosen, lr, study.steps) for lr in study.rates)
        times = self.times(chosen, study)
        return {
            "by_lam": by_lam, "dense": dense, "chosen": chosen, "as_good": bool(enough),
            "from_scratch": small, "times": times,
        }  # fmt: skip

    def times(self, chosen: dict[str, Any], study: Any) -> list[dict[str, float]]:
        """Of the first seed's network, as trained and compacted, in microseconds."""
        net = trained(self.width, chosen["lam"], chosen["lr"], study.seeds[0], study.steps)
        smaller, _ = compact(net, torch.zeros(1, 1, 8, 8))
        return [alternate(net, smaller, batch, self.rounds) for batch in BATCHES]


def row_groups(net: nn.Sequential, lam: float) -> list[dict[str, Any]]:
    """Rows of the hidden layers, weighed by the root of their length; the outputs all stay."""
    *hidden, last = (layer for layer in net if isinstance(layer, nn.Linear))
    groups: list[dict[str, Any]] = [{"params": [last.weight, *(h.bias for h in hidden), last.bias]}]
    for layer in hidden:
        strength = ps.L1(lam * math.sqrt(layer.in_features))
        groups.append({"params": [layer.weight], "penalty": ps.Group(strength, over="rows")})
    return groups


def trained(width: int, lam: float, lr: float, seed: int, steps: int) -> nn.Sequential:
    torch.manual_seed(seed)
    net = mlp(width, width)
    train(net, ProxAdamW(row_groups(net, lam), lr, metric="euclidean"), nothing, steps, seed)
    return net.eval()


def sizes(net: nn.Module) -> list[int]:
    return [layer.out_features for layer in net if isinstance(layer, nn.Linear)][:-1]


def row_cell(width: int, lam: float, lr: float, seeds: tuple[int, ...], steps: int) -> Any:
    runs = []
    for seed in seeds:
        smaller, summary = compact(trained(width, lam, lr, seed, steps), torch.zeros(1, 1, 8, 8))
        runs.append(described(score(smaller), smaller, seed))
    return {"lam": lam, "lr": lr, "parameters_before": summary.parameters_before, "runs": runs}


def small_cell(chosen: dict[str, Any], lr: float, steps: int) -> dict[str, Any]:
    """Dense networks of the sizes that compaction left, each trained from its own start."""
    runs = []
    for run in chosen["runs"]:
        torch.manual_seed(run["seed"])
        net = mlp(*run["hidden"])
        train(net, torch.optim.AdamW(net.parameters(), lr), nothing, steps, run["seed"])
        runs.append(described(score(net), net, run["seed"]))
    return {"lr": lr, "runs": runs}


def described(found: Score, net: nn.Module, seed: int) -> dict[str, Any]:
    parameters = sum(p.numel() for p in net.parameters())
    return {"seed": seed, "hidden": sizes(net), "parameters": parameters, **asdict(found)}


def validation(cell: dict[str, Any]) -> float:
    return round(statistics.mean(run["validation"] for run in cell["runs"]), 6)


def mean_size(cell: dict[str, Any]) -> float:
    return statistics.mean(run["parameters"] for run in cell["runs"])


def best(found: Any) -> dict[str, Any]:
    """The learning rate that validates best; of equals the smaller network."""
    return max(found, key=lambda cell: (validation(cell), -mean_size(cell)))


@torch.inference_mode()
def alternate(net: nn.Module, smaller: nn.Module, batch: int, rounds: int) -> dict[str, float]:
    """Medians of the one thread's own time, taking turns, after a warm-up."""
    x, times = torch.rand(batch, 1, 8, 8), {"as_trained": [], "compacted": []}
    for turn in range(rounds + 5):
        for name, contestant in zip(times, (net, smaller), strict=True):
            began = time.thread_time()
            contestant(x)
            if turn >= 5:
                times[name].append(1e6 * (time.thread_time() - began))
    return {"batch": batch} | {name: statistics.median(found) for name, found in times.items()}
