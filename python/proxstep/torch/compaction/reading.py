"""What is known of a traced piece while its nodes are read one after another."""

from __future__ import annotations

from collections import Counter
from typing import Any

from torch import nn

from .channels import Channels, Value, unknown
from .forms import Form
from .grids import Grid, Layout
from .layers import Product, is_transposed
from .recording import Recording
from .scaling import Scale
from .tags import Key, Tagged
from .tracing import Piece, is_altered

_NUMPY = {"dim": "axis"}  # torch's names of arguments -> NumPy's
NOTHING = object()  # the value of a node that holds no channel, such as a size


class Reading:
    """Values of the nodes so far, and the layers met."""

    def __init__(self, piece: Piece, recording: Recording) -> None:
        self.channels = Channels()
        self.layers: list[Product | Scale] = []
        self.layouts: list[Layout] = []
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
        elif any(parameter.is_complex() for parameter in module.parameters()):
            self._recording.refusals[self.name(node)] = "its numbers are complex"
        else:
            return module
        return None

    def name(self, node: Any) -> str:
        """Give the name in the model of the module that a node calls."""
        name: str = self._recording.names[self.module(node)]
        return name

    def shape(self, node: Any) -> tuple[int, ...]:
        """Give the shape of a node's tensor on the example; of what is none, ()."""
        form = node.meta.get("form")
        return form.shape if isinstance(form, Form) else ()

    def shapes(self, node: Any) -> list[tuple[int, ...]]:
        """Give the shapes of the tensors in the list that a node has made; of what is none, []."""
        forms = node.meta.get("form")
        return [form.shape for form in forms] if isinstance(forms, list) else []

    def is_real(self, node: Any) -> bool:
        """Tell whether a node has made a tensor of real floating-point numbers."""
        form = node.meta.get("form")
        return isinstance(form, Form) and bool(form.dtype.is_floating_point)

    def rank(self, node: Any) -> int:
        """Give the number of axes of a node's tensor."""
        return len(self.shape(node))

    def value(self, node: Any) -> Value | None:
        """Give the channels of a node, None where they are not known."""
        value = self.values.get(node)
        return value if isinstance(value, Value) else None

    def grid(self, node: Any) -> Grid | None:
        """Give the channels of a node along all axes, None where they are not known."""
        value = self.values.get(node)
        return (
            Grid.of(value)
            if isinstance(value, Value)
            else value
            if isinstance(value, Grid)
            else None
        )

    def has_channels(self, node: Any) -> bool:
        """Tell whether channels are known in what a node makes."""
        return isinstance(self.values.get(node), (Value, Grid, list))

    def lay_out(self, node: Any, grid: Grid, sizes: list[Any]) -> None:
        """Ask for a layout with these sizes of the code: -1 follows, so may attributes."""
        free = tuple(type(size) is int and size == -1 for size in sizes)
        tags = tuple(self._tag(size) for size in sizes)
        if len(free) > 1 or not all(free):
            reason = f"the sizes of {self.describe(node)} would not follow"
            self.layouts.append(Layout(grid.ids, free, reason, tags))

    def keep_whole(self, node: Any, grid: Grid, k: int) -> None:
        """Ask for all of an axis of channels, the one of that number in the grid."""
        free = tuple(i != k for i in range(len(grid.axes)))
        self.layouts.append(Layout(grid.ids, free, f"they enter {self.describe(node)}"))

    def _tag(self, size: Any) -> Key | None:
        """Give the attribute that a size is, if it may be changed."""
        if not isinstance(size, Tagged) or size.key in self._piece.touched:
            return None
        everywhere = self._recording.calls[size.key[0]] == self._piece.runs
        return size.key if everywhere else None

    def editable(self, stays: Any) -> dict[Key, int]:
        """Give the attributes that may be changed, and their sizes: all who read one agree."""
        sizes = [entry for layout in self.layouts for entry in layout.sizes(stays)]
        read = Counter(key for key, _ in sizes)
        wanted = {key: {n for k, n in sizes if k == key} for key in read}
        return {
            key: next(iter(numbers))
            for key, numbers in wanted.items()
            if len(numbers) == 1 and read[key] == self._piece.tags[key]
        }

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
        value = self.values.get(node)
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, Value):
                self.channels.pin(part.ids, reason)
            elif isinstance(part, Grid):
                self.channels.pin(part.ids.flatten().tolist(), reason)

    def describe(self, node: Any) -> str:
        """Name what a node does, for the reasons why channels stay."""
        whole = self._piece.name or "the model"
        if node.op in ("output", "placeholder"):
            return f"the {node.op.replace('placeholder', 'input')} of {whole}"
        if node.op == "call_module":
            return f"{type(self.module(node)).__name__} {self.name(node)}"
        return getattr(node.target, "__name__", str(node.target))


def argument(node: Any, position: int, name: str, default: Any) -> Any:
    """Give an argument of a call, wherever it stands; torch takes some names of NumPy's too."""
    if len(node.args) > position:
        return node.args[position]
    return node.kwargs.get(name, node.kwargs.get(_NUMPY.get(name), default))
