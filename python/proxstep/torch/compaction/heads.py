"""Which heads of attention are dead, and their removal where nobody can tell."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

from torch import nn

from .attention import CompactAttention, projections
from .layers import Change
from .recording import Recording
from .tracing import Piece, is_altered


def live_heads(attention: Any) -> list[int]:
    """Find the heads whose values depend on the input and which the output uses; at least one.

    The weights of a row of attention sum to 1: a head whose values are constant, v, gives v.
    """
    count = attention.num_heads
    values = projections(attention)[2][0].unflatten(0, (count, -1)).flatten(1)
    outputs = attention.out_proj.weight.unflatten(1, (count, -1)).transpose(0, 1).flatten(1)
    live = (values != 0).any(1) & (outputs != 0).any(1)
    return live.nonzero().flatten().tolist() or [0]


def shrink_attentions(model: Any, recording: Recording) -> Iterator[Change]:
    """Put attention with fewer heads in the place of every attention that has dead ones."""
    for attention, name in recording.names.items():
        if type(attention) is not nn.MultiheadAttention or obstacle(attention, recording):
            continue
        heads = live_heads(attention)
        if name and len(heads) < attention.num_heads:
            _replace(model, name, CompactAttention(attention, heads))
            yield Change(name, "heads", attention.num_heads, len(heads))
    _without_nesting(model)


def obstacle(attention: Any, recording: Recording) -> str:
    """Tell why dead heads of attention stay; where they may go, nothing."""
    if attention.bias_k is not None or attention.add_zero_attn:
        return "it adds keys of its own"
    if any(id(parameter) in recording.shared for parameter in attention.parameters()):
        return "its parameters are used elsewhere too"
    if attention in recording.aliased:
        return "it has several names"
    if is_altered(attention):
        return "it has hooks or a forward of its own"
    if not recording.calls[attention]:
        return "it was not called"
    return "its weights are asked for" if attention in recording.weights_asked else ""


def without_weights(piece: Piece, recording: Recording) -> set[Any]:
    """Find the attention whose weights a piece does not use, though it may get them."""
    calls = [n for n in piece.nodes if n.op == "call_module"]
    attentions = [n for n in calls if isinstance(piece.modules[n.target], nn.MultiheadAttention)]
    used = {piece.modules[n.target] for n in attentions if not _takes_output_only(n)}
    unused = {piece.modules[n.target] for n in attentions} - used
    return {module for module in unused if recording.calls[module] == piece.runs}


def _takes_output_only(node: Any) -> bool:
    return all(
        user.target is operator.getitem and (user.args[1] == 0 or not user.users)
        for user in node.users
    )


def _replace(model: Any, name: str, module: Any) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


def _without_nesting(model: Any) -> None:
    """Let `nn.TransformerEncoder` give its layers plain tensors, where one has lost heads."""
    for encoder in model.modules():
        if isinstance(encoder, nn.TransformerEncoder):
            lost = any(isinstance(part, CompactAttention) for part in encoder.modules())
            encoder.use_nested_tensor = encoder.use_nested_tensor and not lost
