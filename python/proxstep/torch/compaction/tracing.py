"""Tracing in pieces: what cannot be traced is one step of the whole, and is looked into.

A module whose forward branches on sizes or objects cannot be traced by torch.fx; then a run of it
is watched. Of one that branches on its input's numbers the parts are traced one by one.
"""

from __future__ import annotations

import inspect
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.utils._pytree import tree_flatten

from .forms import Noting
from .layers import is_transposed
from .recording import Call, Recording, unmoved
from .tags import Key, Tagged, tagged
from .watching import Watcher

_TRANSFORMER_LAYERS = (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)


@dataclass(frozen=True)
class Piece:
    """The traced forward of a module, with shapes; ``runs`` is how often the example ran it."""

    name: str
    nodes: list[Any]
    modules: dict[str, Any]
    runs: int
    read_directly: set[int]  # parameters that enter other than through the call of their module
    tags: Counter[Key]  # how often the graph has the number that an attribute is
    touched: set[Key]  # attributes with which Python computed


def is_altered(module: Any) -> bool:
    """Tell whether a module does other things than its type says."""
    return bool(module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module))


class FeedForward(nn.Module):  # type: ignore[misc]
    """What the layers of `nn.Transformer` do between their norms, without the dropout."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.first, self.second, self.activation = layer.linear1, layer.linear2, layer.activation

    def forward(self, x: Any) -> Any:
        """Apply both layers."""
        return self.second(self.activation(self.first(x)))


class _Tracer(fx.Tracer):  # type: ignore[misc]
    """A tracer to which a module that it cannot trace is one node."""

    def is_leaf_module(self, m: Any, module_qualified_name: str) -> bool:
        """Take a module with hooks as a whole, for they may do anything, and what has a rule."""
        known = is_altered(m) or is_transposed(m)
        return known or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: Any, forward: Any, args: Any, kwargs: Any) -> Any:
        before = len(self.graph.nodes)
        try:
            return super().call_module(m, forward, args, kwargs)
        except Exception:  # whatever the code of a user raises when it is given symbols
            for node in list(self.graph.nodes)[before:][::-1]:
                self.graph.erase_node(node)
            return self.create_proxy("call_module", self.path_of_module(m), args, kwargs)


def pieces(model: Any, recording: Recording) -> Iterator[Piece]:
    """Trace a module, or its parts where that fails, and the parts of what stayed whole."""
    runs = recording.calls[model]
    piece = None
    if model in recording.inputs and model not in recording.varying:
        piece = _trace(*_source(model, recording.inputs[model]), recording.names[model], runs)
    if piece is not None:
        yield piece
    for part in model.children() if piece is None else _wholes(piece):
        yield from pieces(part, recording)


def _source(model: Any, call: Call) -> tuple[Any, Call]:
    """Give what is traced for a module, and its arguments."""
    if type(model) not in _TRANSFORMER_LAYERS:
        return model, call
    first = next(iter(_arguments(model, call).values()))
    return FeedForward(model), ((first,), {})


def _wholes(piece: Piece) -> Iterator[Any]:
    """Modules with parts that are one node of a piece."""
    for node in piece.nodes:
        if node.op == "call_module" and any(piece.modules[node.target].children()):
            yield piece.modules[node.target]


def _trace(model: Any, call: Call, name: str, runs: int) -> Piece | None:
    for trace in (_symbolic, _watched):
        with tagged(model) as touched, unmoved(model):  # fx keeps constants in attributes
            graph = trace(model, call)
            if graph is not None:
                return _piece(model, list(graph.nodes), name, runs, touched)
    return None


def _piece(model: Any, nodes: list[Any], name: str, runs: int, touched: set[Key]) -> Piece:
    modules = {n.target: model.get_submodule(n.target) for n in nodes if n.op == "call_module"}
    direct = {id(_attribute(model, n.target)) for n in nodes if n.op == "get_attr" and n.users}
    numbers = [x for n in nodes for x in tree_flatten((n.args, n.kwargs))[0]]
    tags = Counter(x.key for x in numbers if isinstance(x, Tagged))
    return Piece(name, nodes, modules, runs, direct, tags, touched)


def _symbolic(model: Any, call: Call) -> Any:
    """Trace with symbols: what depends on sizes is a part of the graph."""
    try:
        arguments = _arguments(model, call)
        fixed = {n: v for n, v in arguments.items() if not isinstance(v, torch.Tensor)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of arguments that it fixes
            graph = _Tracer().trace(model, concrete_args=fixed)
        Noting(fx.GraphModule(model, graph)).run(*arguments.values())
    except Exception:  # as above, and the example may not go through
        return None
    return graph


def _watched(model: Any, call: Call) -> Any:
    """Trace a run of the example."""
    watcher = Watcher(model, _is_leaf)
    try:
        return watcher.graph if watcher.run(model, *call) else None
    except Exception:  # as above
        return None


def _is_leaf(module: Any) -> bool:
    """Take modules of torch as a whole, and those of which nobody knows what they do."""
    whole = type(module).__module__.startswith("torch.nn") and type(module) is not nn.Sequential
    scripted = isinstance(module, torch.jit.ScriptModule)
    return whole or scripted or is_altered(module) or is_transposed(module)


def _arguments(model: Any, call: Call) -> dict[str, Any]:
    """Give all arguments of a call, by name."""
    bound = inspect.signature(model.forward).bind(*call[0], **call[1])
    bound.apply_defaults()
    return dict(bound.arguments)


def _attribute(model: Any, path: str) -> Any:
    for name in path.split("."):
        model = getattr(model, name)
    return model
