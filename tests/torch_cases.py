"""What the tests of proxstep.torch share: optimizers beside torch's own, models, gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import proxstep as ps
import torch
from proxstep.torch import ProxAdagrad, ProxAdamW, ProxRDA, ProxSGD

ADAM = {"lr": 0.011, "betas": (0.83, 0.957), "eps": 0.0017, "weight_decay": 0.31}
ADAGRAD = {"lr": 0.021, "eps": 0.0013, "weight_decay": 0.29, "lr_decay": 0.019}
DAMPED = {"lr": 0.013, "momentum": 0.71, "dampening": 0.37, "weight_decay": 0.29}
NESTEROV = {"lr": 0.013, "momentum": 0.71, "nesterov": True, "weight_decay": 0.29}

# name: ours, torch's or None, the settings
OPTIMIZERS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "SGD": (ProxSGD, torch.optim.SGD, {"lr": 0.017, "weight_decay": 0.29}),
    "momentum": (ProxSGD, torch.optim.SGD, DAMPED),
    "Nesterov": (ProxSGD, torch.optim.SGD, NESTEROV),
    "Adagrad": (ProxAdagrad, torch.optim.Adagrad, {**ADAGRAD, "initial_accumulator_value": 0.23}),
    "AdamW": (ProxAdamW, torch.optim.AdamW, ADAM),
    "RDA": (ProxRDA, None, {"lr": 0.019}),
}
RULES: dict[str, ps.Rule] = {
    "SGD": ps.SGD(0.017, 0.29),
    "momentum": ps.Momentum(0.013, 0.71, 0.29, 0.37),
    "Nesterov": ps.Nesterov(0.013, 0.71, 0.29),
    "AdamW": ps.AdamW(**ADAM),
    "RDA": ps.RDA(0.019),
}


def make(name: str, params: Any, **options: Any) -> Any:
    """One of our optimizers with its settings."""
    kind, _, settings = OPTIMIZERS[name]
    return kind(params, **{**settings, **options})


def tensors(dtype: Any = torch.float64, seed: int = 0, place: str = "cpu") -> list[Any]:
    """Parameters of several shapes: a matrix, a vector, a convolution's, one with no element."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(12, 16), (12,), (4, 3, 2, 2), (0, 4), (1, 8)]
    made = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return [torch.nn.Parameter(t.to(place, dtype)) for t in made]


def set_gradients(params: list[Any], seed: int) -> None:
    """Give every parameter a random gradient."""
    generator = torch.Generator().manual_seed(1000 + seed)
    for p in params:
        p.grad = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p)


def train(params: list[Any], optimizer: Any, steps: int, first: int = 0) -> None:
    """Random gradients, not those of a loss: the same for whoever takes the same steps."""
    for seed in range(first, first + steps):
        set_gradients(params, seed)
        optimizer.step()


def copied(params: list[Any]) -> list[Any]:
    return [torch.nn.Parameter(p.detach().clone()) for p in params]


def assert_equal(mine: list[Any], theirs: list[Any]) -> None:
    """The same bits."""
    for a, b in zip(mine, theirs, strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)


def digits_mlp(dtype: Any = torch.float32, seed: int = 0) -> Any:
    """A small classifier."""
    torch.manual_seed(seed)
    layers = [torch.nn.Linear(10, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)]
    return torch.nn.Sequential(*layers).to(dtype)


def loss_of(model: Any, seed: int, dtype: Any = torch.float32) -> Any:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(8, 10, generator=generator, dtype=torch.float64).to(dtype)
    return torch.nn.functional.cross_entropy(model(x), torch.arange(8) % 4)


def learn(model: Any, optimizer: Any, steps: int, call: Callable[[Any], Any] | None = None) -> None:
    """Steps on the gradients of a loss; call: the model as it is to be called."""
    for seed in range(steps):
        optimizer.zero_grad()
        loss_of(call or model, seed, next(model.parameters()).dtype).backward()
        optimizer.step()
