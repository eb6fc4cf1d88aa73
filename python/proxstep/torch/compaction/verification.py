"""The example's outputs, before and after: they must agree to rounding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._pytree import tree_map_only

from .recording import Call, tensors, unmoved

# Relative to the largest element: sums in another order, and a 16-bit activation rounded elsewhere.
_TOLERANCES = {torch.float16: 1e-2, torch.bfloat16: 5e-2, torch.float64: 1e-9}
_TOLERANCES[torch.complex128] = _TOLERANCES[torch.float64]
_TOLERANCE = 1e-4


class CompactionError(RuntimeError):
    """The smaller model does not compute what the model computes."""


@contextmanager
def evaluation(model: Any) -> Iterator[None]:
    """Put a model in eval mode; afterwards each module and the random numbers are as they were.

    New modules get the flag of the one that holds them.
    """
    flags = {name: module.training for name, module in model.named_modules()}
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # it bypasses the modules
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    try:
        model.eval()
        with torch.no_grad(), torch.random.fork_rng(devices):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for name, module in model.named_modules():
            module.training = _flag(flags, name)


def _flag(flags: dict[str, bool], name: str) -> bool:
    while name not in flags:
        name = name.rpartition(".")[0]
    return flags[name]


def outputs(model: Any, call: Call) -> list[Any]:
    """Run a model and give the tensors it returns.

    It gets the same random numbers each time, and copies, which it may overwrite; what it writes
    into buffers is undone.
    """
    args, kwargs = tree_map_only(torch.Tensor, torch.clone, call)
    torch.default_generator.manual_seed(0)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(0)
    with unmoved(model):
        return [tensor.clone() for tensor in tensors(model(*args, **kwargs))]


def check_comparable(before: list[Any]) -> None:
    """Raise ValueError unless some output holds a number, which the smaller model must repeat."""
    if not any(bool((~output.isnan()).any()) for output in before):
        raise ValueError(
            f"the {len(before)} outputs on example_input hold no number, or NaN throughout; give "
            "an example whose outputs can be compared"
        )


def compare(before: list[Any], after: list[Any], tolerance: float | None) -> None:
    """Raise unless the outputs agree to a tolerance, by default that of their dtype's rounding."""
    for k, (want, got) in enumerate(zip(before, after, strict=True)):
        if want.shape != got.shape:
            raise CompactionError(f"output {k} has shape {got.shape}, not {want.shape}")
        allowed = _TOLERANCES.get(want.dtype, _TOLERANCE) if tolerance is None else tolerance
        _compare(k, _real(want), _real(got), allowed)


def _real(output: Any) -> Any:
    parts = torch.view_as_real(output.resolve_conj()) if output.is_complex() else output
    return parts.double().cpu()


def _compare(k: int, want: Any, got: Any, tolerance: float) -> None:
    difference = torch.where((want == got) | (want.isnan() & got.isnan()), 0.0, (want - got).abs())
    scale = torch.nan_to_num(want, nan=0.0, posinf=0.0, neginf=0.0).abs()
    largest = scale.max().item() if scale.numel() else 0.0
    if not bool((difference <= tolerance * largest).all()):
        raise CompactionError(
            f"output {k} of the smaller model differs by {difference.max().item():.3g}; its "
            f"largest element was {largest:.3g}, and {tolerance:g} of that is allowed"
        )
