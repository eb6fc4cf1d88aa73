"""What optimizers see of a GPT: parameters, gradients and Adam's moments, in its own shapes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from workload import WEIGHT_DECAY, normal

STEPS_TAKEN = 10_000.0  # so that Adam's corrections are those of the middle of a training run
GRADIENT = 1e-3


@dataclass(frozen=True)
class GPT:
    """Sizes of a nanoGPT, whose output layer is its embedding; biases as nanoGPT has them."""

    name: str
    layers: int
    channels: int
    vocabulary: int
    context: int
    bias: bool = False

    def shapes(self) -> list[tuple[int, ...]]:
        c = self.channels
        norm = [(c,)] * (1 + self.bias)
        block = norm + self._linear(3 * c, c) + self._linear(c, c)
        block += norm + self._linear(4 * c, c) + self._linear(c, 4 * c)
        return [(self.vocabulary, c), (self.context, c), *(self.layers * block), *norm]

    def _linear(self, rows: int, columns: int) -> list[tuple[int, ...]]:
        return [(rows, columns)] + [(rows,)] * self.bias

    @property
    def n(self) -> int:
        return sum(prod(shape) for shape in self.shapes())


TINY = GPT("GPT of 26 thousand", layers=2, channels=32, vocabulary=17, context=8)
SMALL = GPT("GPT of 0.8 million", layers=4, channels=128, vocabulary=65, context=64)
MEDIUM = GPT("GPT of 10.7 million", layers=6, channels=384, vocabulary=65, context=256)
LARGE = GPT("GPT-2 of 124 million", 12, 768, vocabulary=50257, context=1024, bias=True)


@dataclass(frozen=True)
class Model:
    """One memory for all contestants; NumPy's, so that large arrays have its huge pages."""

    params: list[torch.nn.Parameter]
    moments: list[tuple[torch.Tensor, torch.Tensor]]

    @property
    def matrices(self) -> list[torch.nn.Parameter]:
        """What decays and what is penalised."""
        return [p for p in self.params if p.ndim >= 2]

    def groups(self, **settings: Any) -> list[dict[str, Any]]:
        """Groups as nanoGPT makes them: matrices, with `settings`, and vectors."""
        vectors = [p for p in self.params if p.ndim < 2]
        return [
            {"params": self.matrices, "weight_decay": WEIGHT_DECAY, **settings},
            {"params": vectors, "weight_decay": 0.0},
        ]

    def lend_moments(self, optimizer: torch.optim.Optimizer) -> None:
        """Make an optimizer go on from the shared moments; its counts of steps are its own.

        They lie where it would make them: torch's fused ones beside the parameters.
        """
        fused = optimizer.defaults.get("fused")
        for p, (m, v) in zip(self.params, self.moments, strict=True):
            count = torch.tensor(STEPS_TAKEN, device=p.device if fused else "cpu")
            optimizer.state[p].update({"step": count, "exp_avg": m, "exp_avg_sq": v})

    def with_narrow_moments(self) -> Model:
        """The same parameters; moments in bfloat16, in NumPy's memory as well."""
        return Model(self.params, [(as_bfloat16(m), as_bfloat16(v)) for m, v in self.moments])


def as_bfloat16(x: torch.Tensor) -> torch.Tensor:
    memory = torch.from_numpy(np.empty(x.shape, np.int16)).view(torch.bfloat16)
    return memory.copy_(x)


def make_model(gpt: GPT, device: str = "cpu") -> Model:
    """Weights as training starts them, and moments that the gradients leave as they are.

    Gradients spread log-normally, and with them the steps of elements: their second moments do so
    in training, which is what the roots of row groups in the diagonal metric depend on.
    """
    params, moments = [], []
    for seed, shape in enumerate(gpt.shapes()):
        p = torch.nn.Parameter(torch.from_numpy(0.02 * normal(shape, seed=3 * seed)).to(device))
        size = GRADIENT * np.exp(normal(shape, seed=3 * seed + 1))
        grad = np.copysign(size, normal(shape, seed=3 * seed + 2))
        p.grad = torch.from_numpy(grad).to(device)
        params.append(p)
        moments.append(tuple(torch.from_numpy(m).to(device) for m in (grad.copy(), size * size)))
    return Model(params, moments)
