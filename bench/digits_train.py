"""Networks, data and the one training loop of the study of sparse training on digits.

All methods train here: the same start, batches, number of steps and learning-rate schedule.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn.functional import cross_entropy

BATCH = 60
SIZES = {"train": 900, "validation": 300, "test": 597}


class Part(NamedTuple):
    x: torch.Tensor
    y: torch.Tensor


@cache
def digits() -> dict[str, Part]:
    """The three parts of the 1797 images, each with the same mix of digits, always the same."""
    images, labels = load_digits(return_X_y=True)
    x = torch.tensor(images / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
    y = torch.tensor(labels)
    rest, test = _split(np.arange(len(labels)), labels, SIZES["test"])
    train, validation = _split(rest, labels, SIZES["validation"])
    parts = {"train": train, "validation": validation, "test": test}
    return {name: Part(x[rows], y[rows]) for name, rows in parts.items()}


def _split(rows: np.ndarray, labels: np.ndarray, size: int) -> list[np.ndarray]:
    return train_test_split(rows, test_size=size, stratify=labels[rows], random_state=0)


def mlp(*hidden: int) -> nn.Sequential:
    sizes = (64, *hidden, 10)
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def cnn() -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)),
    )


MODELS: dict[str, Callable[[], nn.Sequential]] = {"mlp": lambda: mlp(256, 128), "cnn": cnn}


def weights_of(net: nn.Module) -> list[torch.Tensor]:
    """What is made sparse: the weights of 2 dimensions and more."""
    return [module.weight for module in net if hasattr(module, "weight")]


def zero_share(net: nn.Module) -> float:
    weights = weights_of(net)
    return sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights)


@dataclass(frozen=True)
class Score:
    """What a trained network is judged by."""

    zeros: float
    validation: float
    validation_loss: float
    test: float


def batches(size: int, steps: int, seed: int) -> Iterator[torch.Tensor]:
    """Rows of the batches: every image once an epoch, in a new order."""
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        place = step * BATCH % size
        if place == 0:
            order = torch.randperm(size, generator=generator)
        yield order[place : place + BATCH]


def train(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    after_step: Callable[[int], None],
    steps: int,
    seed: int,
) -> None:
    """Half a cosine from the optimizer's learning rate to 0."""
    x, y = digits()["train"]
    peaks = [group["lr"] for group in optimizer.param_groups]
    for step, rows in enumerate(batches(len(y), steps, seed)):
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * (1 + math.cos(math.pi * step / steps)) / 2
        optimizer.zero_grad()
        cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.step()
        after_step(step)


@torch.inference_mode()
def score(net: nn.Module) -> Score:
    loss, right = {}, {}
    for name, (x, y) in digits().items():
        out = net(x)
        loss[name] = float(cross_entropy(out, y))
        right[name] = float((out.argmax(1) == y).double().mean())
    return Score(zero_share(net), right["validation"], loss["validation"], right["test"])
