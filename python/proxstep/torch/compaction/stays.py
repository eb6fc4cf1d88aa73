"""What is zero and stayed, and why: nothing is kept in silence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from .heads import live_heads, obstacle
from .layers import CONVOLUTIONS, Product, is_transposed, nonzero
from .reading import Reading
from .recording import Recording
from .tracing import is_altered

_LAYERS = (nn.Linear, *CONVOLUTIONS)


@dataclass(frozen=True)
class Stay:
    """Zero rows ("outputs"), columns ("inputs") or heads of a layer that stayed."""

    name: str
    what: str
    count: int
    reason: str


def explain(reading: Reading, stays: Any) -> dict[tuple[str, str], str]:
    """Give the reasons why the zero rows and columns of a piece's layers stay."""
    products = [layer for layer in reading.layers if isinstance(layer, Product)]
    reasons = reading.channels.reasons(_needed(products, stays))
    found = {}
    for layer in products:
        rows, columns = stays[list(layer.outputs)], stays[list(layer.inputs)]
        used = layer.used & rows[:, None] & columns  # a column may be zero in the rows that stay
        for what, ids, zero in (
            ("outputs", layer.outputs, rows & ~used.any(1)),
            ("inputs", layer.inputs, columns & ~used.any(0)),
        ):
            words = [reasons.get(ids[i], "every layer keeps one") for i in zero.nonzero()]
            found[layer.name, what] = "; ".join(dict.fromkeys(words))
    return found


def _needed(products: list[Product], stays: Any) -> dict[int, str]:
    """Tell for the inputs that layers need which layer it is."""
    reasons: dict[int, str] = {}
    for layer in products:
        needed = layer.used[stays[list(layer.outputs)]].any(0) & torch.isnan(layer.constants)
        for i in needed.nonzero().flatten().tolist():
            reasons[layer.inputs[i]] = f"{layer.name} needs what they become"
    return reasons


def staying(model: Any, recording: Recording) -> Iterator[Stay]:
    """Find the zero rows, columns and heads that a model has."""
    for name, module in model.named_modules():
        if type(module) is nn.MultiheadAttention:
            count = module.num_heads - len(live_heads(module))
            reason = obstacle(module, recording) or "every attention keeps one"
            yield from [Stay(name, "heads", count, reason)] if count else []
        if module in recording.names and _is_layer(module):
            yield from _zeros(name, module, recording)


def _is_layer(module: Any) -> bool:
    part_of_attention = isinstance(module, NonDynamicallyQuantizableLinear)
    return (isinstance(module, _LAYERS) and not part_of_attention) or is_transposed(module)


def _zeros(name: str, module: Any, recording: Recording) -> Iterator[Stay]:
    used = nonzero(module)
    for what, axis in (("outputs", 1), ("inputs", 0)):
        count = int((~used.any(axis)).sum())
        if count:
            reason = recording.reasons.get((name, what)) or _whole(name, module, recording)
            yield Stay(name, what, count, reason)


def _whole(name: str, module: Any, recording: Recording) -> str:
    """Tell why a layer was left as a whole."""
    if name in recording.refusals:
        return recording.refusals[name]
    if not name:
        return "it is the whole model"
    if recording.calls[module] == 0:
        return "it was not called"
    if is_altered(module):
        return "it has hooks or a forward of its own"
    if type(module) not in _LAYERS and not is_transposed(module):
        return f"{type(module).__name__} is not served"
    return "what is around it could not be traced"
