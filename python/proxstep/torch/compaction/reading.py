"""What is known of a traced piece while its nodes are read one after another."""

from __future__ import annotations

from typing import Any

from torch import nn

from .channels import Channels, Value, unknown
from .layers import Product, is_transposed
from .recording import Recording
from .scaling import Scale
from .tracing import Piece, is_altered

NOTHING = object()  # the value of a node that holds no channel, such as a size


class Reading:
    """Values of the nodes so far, and the layers met."""

    def __init__(self, piece: Piece, recording: Recording) -> None:
        self.channels = Channels()
        self.layers: list[Product | Scale] = []
        self.values: dict[Any, Any] = {}
        self._piece = piece
        self._recording = recording

    def kind(self, node: Any) -> Any:
        """Tell what a node calls: a type of module, a function, or the name of a method."""
        if node.op == "call_module":
            module = self.module(node)
            if is_altered(module):
                return None
            return nn.Linear if is_transposed(module) else type(module)
        return node.target if node.op in ("call_function", "call_method") else None

    def module(self, node: Any) -> Any:
        """Give the module that a node calls."""
        return self._piece.modules[node.target]

    def own_module(self, node: Any) -> Any:
        """Give the module that a node calls; None if others call it or have its parameters."""
        module = self.module(node)
        used = self._recording.shared | self._piece.read_directly
        if self._recording.calls[module] != self._piece.runs:
            self._recording.refusals[self.name(node)] = "it is called from several places"
        elif any(id(parameter) in used for parameter in module.parameters()):
            self._recording.refusals[self.name(node)] = "its parameters are used elsewhere too"
        else:
            return module
        return None

    def name(self, node: Any) -> str:
        """Give the name in the model of the module that a node calls."""
        name: str = self._recording.names[self.module(node)]
        return name

    def shape(self, node: Any) -> tuple[int, ...]:
        """Give the shape of a node's tensor on the example; of what is none, ()."""
        return tuple(getattr(node.meta.get("tensor_meta"), "shape", ()))

    def rank(self, node: Any) -> int:
        """Give the number of axes of a node's tensor."""
        return len(self.shape(node))

    def value(self, node: Any) -> Value | None:
        """Give the channels of a node, None where they are not known."""
        value = self.values.get(node)
        return value if isinstance(value, Value) else None

    def entering(self, node: Any, axis: int) -> Value:
        """Give the channels of a node along an axis; those that are not known stay."""
        value = self.value(node)
        if value is not None and value.axis == axis:
            return value
        self.pin(node, "its channels lie along another axis")
        count = self.shape(node)[axis]
        made = self.channels.pinned(count, f"they come from {self.describe(node)}")
        return Value(made, axis, unknown(count))

    def pin(self, node: Any, reason: str) -> None:
        """Let all channels of a node stay."""
        value = self.value(node)
        if value is not None:
            self.channels.pin(value.ids, reason)

    def describe(self, node: Any) -> str:
        """Name what a node does, for the reasons why channels stay."""
        whole = self._piece.name or "the model"
        if node.op in ("output", "placeholder"):
            return f"the {node.op.replace('placeholder', 'input')} of {whole}"
        if node.op == "call_module":
            return f"{type(self.module(node)).__name__} {self.name(node)}"
        return getattr(node.target, "__name__", str(node.target))
