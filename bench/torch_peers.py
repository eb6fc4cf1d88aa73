"""PyTorch's fused optimizers on the shared arrays, alone and followed by an in-place softshrink."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from workload import BETAS, EPS, LAM, LR, MOMENTUM, WEIGHT_DECAY, Arrays

softshrink = torch.nn.functional.softshrink


def as_tensor(array: Any) -> torch.Tensor:
    """View the memory of a NumPy array as a tensor."""
    return array if isinstance(array, torch.Tensor) else torch.from_numpy(array)


def as_bfloat16(array: np.ndarray) -> torch.Tensor:
    """Round to bfloat16 in memory that NumPy allocated."""
    bits = np.zeros(array.shape, np.int16)
    return torch.from_numpy(bits).view(torch.bfloat16).copy_(torch.from_numpy(array))


def as_parameter(arrays: Arrays) -> torch.nn.Parameter:
    parameter = torch.nn.Parameter(as_tensor(arrays.x))
    parameter.grad = as_tensor(arrays.g)
    return parameter


def adamw(arrays: Arrays) -> Callable[[], Any]:
    """`torch.optim.AdamW.step` on the shared moments."""
    p = as_parameter(arrays)
    optimizer = torch.optim.AdamW(
        [p], lr=LR, betas=BETAS, eps=EPS, weight_decay=WEIGHT_DECAY, fused=True
    )
    m, v = (as_tensor(moment) for moment in arrays.moments)
    optimizer.state[p] = {"step": torch.zeros((), device=p.device), "exp_avg": m, "exp_avg_sq": v}
    return optimizer.step


def sgd(arrays: Arrays) -> Callable[[], Any]:
    """`torch.optim.SGD.step`, with heavy-ball momentum where the arrays have a moment."""
    p = as_parameter(arrays)
    momentum = MOMENTUM if arrays.moments else 0.0
    optimizer = torch.optim.SGD([p], lr=LR, momentum=momentum, fused=True)
    if momentum:
        optimizer.state[p]["momentum_buffer"] = as_tensor(arrays.moments[0])
    return optimizer.step


def shrink(arrays: Arrays, threshold: float) -> Callable[[], Any]:
    """Softshrink in place, one pass: faster than ``p.copy_(softshrink(p))``, which takes two."""
    p = as_tensor(arrays.x)
    return partial(softshrink, p, threshold, out=p)


def then_shrink(step: Callable[[], Any], arrays: Arrays) -> Callable[[], None]:
    """The step, then softshrink by ``LR * LAM``: the prox in the euclidean metric."""
    shrink_all = shrink(arrays, LR * LAM)

    def both() -> None:
        step()
        shrink_all()

    return both


def triad(b: Any, c: Any, out: Any) -> Callable[[], Any]:
    """``out = b + 0.3 c``."""
    return partial(torch.add, as_tensor(b), as_tensor(c), alpha=0.3, out=as_tensor(out))


def copy(source: Any, out: Any) -> Callable[[], Any]:
    return partial(as_tensor(out).copy_, as_tensor(source))


def adamw_of_many(params: list[Any], grads: list[Any]) -> Callable[[], Any]:
    """One `torch.optim.AdamW` for all arrays, with moments of its own."""
    pieces = [as_parameter(Arrays(x, g, (), ())) for x, g in zip(params, grads, strict=True)]
    return torch.optim.AdamW(
        pieces, lr=LR, betas=BETAS, eps=EPS, weight_decay=WEIGHT_DECAY, fused=True
    ).step


def then_shrink_many(step: Callable[[], Any], params: list[Any]) -> Callable[[], None]:
    shrinks = [shrink(Arrays(x, None, (), ()), LR * LAM) for x in params]

    def both() -> None:
        step()
        for shrink_one in shrinks:
            shrink_one()

    return both
