"""Which channels of a piece stay, and the removal of the others."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from .elementwise import FUNCTIONS, MODULES
from .layers import CONVOLUTIONS, Change, Product
from .reading import Reading
from .recording import Recording
from .scaling import NORMS
from .stays import explain
from .table import RULES
from .tracing import Piece

# The result of these shares no memory with what entered, unless it overwrites that.
_FRESH = {nn.Linear, *CONVOLUTIONS, *NORMS, *MODULES, *FUNCTIONS}
_INPLACE = "iadd isub imul itruediv ifloordiv imod ipow iand ior ixor imatmul setitem"
_ASSIGNMENTS = {getattr(operator, name) for name in _INPLACE.split()}


def shrink(piece: Piece, recording: Recording) -> Iterator[Change]:
    """Remove from the layers of a piece the channels that nothing needs."""
    reading = Reading(piece, recording)
    for node in piece.nodes:
        _read(reading, node)
    if any(_overwrites_shared(reading, node) for node in piece.nodes):
        _refuse(piece, recording)
        return
    stays = _laid_out(reading)
    recording.reasons.update(explain(reading, stays))
    for layer in reading.layers:
        yield from layer.shrink(stays)


def _refuse(piece: Piece, recording: Recording) -> None:
    reason = f"{piece.name or 'the model'} overwrites what it reads elsewhere too"
    recording.refusals.update({recording.names[part]: reason for part in piece.modules.values()})


def _read(reading: Reading, node: Any) -> None:
    """Find the value of a node; where no rule understands, what enters stays."""
    rule = RULES.get(reading.kind(node))
    value = rule(reading, node) if rule and node.args else None
    if value is None:
        for source in node.all_input_nodes:
            reading.pin(source, f"they enter {reading.describe(node)}")
    reading.values[node] = value


def _laid_out(reading: Reading) -> Any:
    """Mark the channels that stay, those too whose absence the code would not follow.

    Attributes that hold sizes change with them.
    """
    while True:
        stays = _staying(reading)
        editable = reading.editable(stays)
        broken = [x for x in reading.layouts if not x.holds(stays, set(editable))]
        if not broken:
            break
        for layout in broken:
            reading.channels.pin(layout.ids.flatten().tolist(), layout.reason)
    for (module, name), size in editable.items():
        setattr(module, name, size)
    return stays


def _staying(reading: Reading) -> Any:
    """Mark the channels that stay: pinned ones, and those which an output that stays needs.

    An input is needed if a weight of it is not zero and it is not constant. Every layer keeps an
    output, for layers without any are no layers.
    """
    roots = reading.channels.roots()
    alive = torch.zeros(len(roots), dtype=torch.bool, device="cpu")
    alive[reading.channels.stay()] = True
    products = [layer for layer in reading.layers if isinstance(layer, Product)]
    while _spread(products, roots, alive) or _revive(products, roots, alive):
        pass
    return alive[roots]


def _spread(products: list[Product], roots: Any, alive: Any) -> bool:
    """Mark what the marked ones need; tell whether there was any."""
    before = int(alive.sum())
    for layer in reversed(products):
        needed = layer.used[alive[roots[list(layer.outputs)]]].any(0) & torch.isnan(layer.constants)
        alive[roots[list(layer.inputs)][needed]] = True
    return int(alive.sum()) > before


def _revive(products: list[Product], roots: Any, alive: Any) -> bool:
    """Mark an output of the first layer that has none."""
    for layer in products:
        outputs = roots[list(layer.outputs)]
        if not alive[outputs].any():
            alive[outputs[0]] = True
            return True
    return False


def _overwrites_shared(reading: Reading, node: Any) -> bool:
    """Tell whether a node changes channels in place that something else reads too."""
    if not _is_inplace(reading, node):
        return False
    shared = False
    while node.args and isinstance(node.args[0], type(node)):
        node = node.args[0]
        shared |= len(node.users) > 1
        if shared and reading.has_channels(node):
            return True
        if reading.kind(node) in _FRESH and not _is_inplace(reading, node):
            return False
    return False


def _is_inplace(reading: Reading, node: Any) -> bool:
    if node.op == "call_module":
        return bool(getattr(reading.module(node), "inplace", False))
    if node.op not in ("call_function", "call_method"):
        return False
    name = node.target if node.op == "call_method" else getattr(node.target, "__name__", "")
    flagged = node.kwargs.get("inplace") or "out" in node.kwargs
    activation = len(node.args) > 1 and node.args[-1] is True  # F.relu(x, True)
    named = name.endswith("_") and not name.endswith("__")
    return bool(flagged or activation or named or node.target in _ASSIGNMENTS)
