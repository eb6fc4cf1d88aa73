"""What the nodes of a traced model do to channels: one rule for each kind of node.

A rule returns the node's `Value`, NOTHING where no channel is in it, or None where it does not
understand: then all channels that enter stay.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch

from .channels import Value
from .elementwise import elementwise
from .grids import Grid
from .layers import CONVOLUTIONS, Product, finite
from .reading import NOTHING, Reading, argument
from .scaling import BATCH_NORM, DEPTHWISE, PRELU, Scale, Scaling

Rule = Callable[[Reading, Any], Any]


def linear(reading: Reading, node: Any) -> Any:
    """Make channels along the last axis."""
    return _product(reading, node, reading.rank(node.args[0]) - 1)


def convolution(reading: Reading, node: Any) -> Any:
    """Make channels before the axes of space; with one weight per channel, scale them."""
    module = reading.module(node)
    axis = reading.rank(node.args[0]) - CONVOLUTIONS[type(module)] - 1
    if module.groups == 1:
        return _product(reading, node, axis)
    if not module.groups == module.in_channels == module.out_channels:
        return None
    return _scale(reading, node, axis, DEPTHWISE)


def _product(reading: Reading, node: Any, axis: int) -> Any:
    module = reading.own_module(node)
    if module is None:
        return None
    inputs = reading.entering(node.args[0], axis)
    outputs = reading.channels.new(reading.shape(node)[axis])
    layer = Product.of(reading.name(node), module, inputs, outputs)
    reading.layers.append(layer)
    return Value(outputs, axis, layer.result())


def _scale(reading: Reading, node: Any, axis: int, scaling: Scaling) -> Any:
    module, value = reading.own_module(node), reading.value(node.args[0])
    if module is None or value is None or value.axis != axis:
        return None
    reading.layers.append(Scale(reading.name(node), module, value.ids, scaling))
    return Value(value.ids, axis, finite(scaling.result(module, value)))


def batch_norm(reading: Reading, node: Any) -> Any:
    """Scale and shift by the running statistics."""
    if reading.module(node).running_mean is None:
        return None
    return _scale(reading, node, 1, BATCH_NORM)


def prelu(reading: Reading, node: Any) -> Any:
    """Scale what is negative, by one number or by one for each channel."""
    if reading.module(node).num_parameters == 1:
        return elementwise(reading, node)
    return _scale(reading, node, 1, PRELU)


def same(reading: Reading, node: Any) -> Any:
    """Leave everything as it is."""
    grid = reading.grid(node.args[0])
    return None if grid is None else grid.settled()


def dropout(reading: Reading, node: Any) -> Any:
    """Leave everything as it is, unless it drops in eval mode too."""
    return None if argument(node, 2, "training", True) else same(reading, node)


def pool(reading: Reading, node: Any, dimensions: int) -> Any:
    """Join neighbours in space."""
    value = reading.value(node.args[0])
    if value is None or value.axis != reading.rank(node) - dimensions - 1:
        return None
    return value


def average(reading: Reading, node: Any, dimensions: int) -> Any:
    """Join neighbours in space; next to a border of zeros, or with a divisor, only 0 is kept."""
    value = pool(reading, node, dimensions)
    if value is None or _plain_average(reading, node):
        return value
    constants = torch.where(value.constants == 0, 0.0, torch.nan).double()
    return Value(value.ids, value.axis, constants)


def _plain_average(reading: Reading, node: Any) -> bool:
    if node.op != "call_module":
        return len(node.args) <= 3 and set(node.kwargs) <= {"kernel_size", "stride"}
    module = reading.module(node)
    sides = module.padding if isinstance(module.padding, tuple) else (module.padding,)
    counted = module.count_include_pad and set(sides) != {0}
    return not counted and getattr(module, "divisor_override", None) is None


def mean(reading: Reading, node: Any) -> Any:
    """Average over other axes than that of the channels."""
    value, rank = reading.value(node.args[0]), reading.rank(node.args[0])
    axes = argument(node, 1, "dim", None)
    axes = [axes] if isinstance(axes, int) else axes
    if value is None or not axes or len(node.args) > 2 or set(node.kwargs) - {"dim", "keepdim"}:
        return None
    axes = {axis % rank for axis in axes}
    if value.axis in axes:
        return None
    before = 0 if node.kwargs.get("keepdim") else sum(axis < value.axis for axis in axes)
    return Value(value.ids, value.axis - before, value.constants)


def concatenate(reading: Reading, node: Any) -> Any:
    """Put channels side by side; along another axis they are the same ones."""
    if not isinstance(node.args[0], (list, tuple)):
        return None
    parts = [part for part in node.args[0] if reading.shape(part) != (0,)]
    grids: list[Any] = [reading.grid(part) for part in parts]
    axis = argument(node, 1, "dim", 0)
    if not grids or not isinstance(axis, int) or any(g is None for g in grids):
        return None
    first, axis = grids[0], axis % reading.rank(node)
    if any(g.axes != first.axes for g in grids):
        return None
    if axis not in first.axes:
        for grid in grids[1:]:
            reading.channels.tie(first.ids.flatten().tolist(), grid.ids.flatten().tolist())
        return first if len(grids) == 1 else first.without_constants().settled()
    k = first.axes.index(axis)
    ids, constants = (torch.cat([getattr(g, t) for g in grids], k) for t in ("ids", "constants"))
    return Grid(ids, first.axes, constants).settled()


def convert(reading: Reading, node: Any) -> Any:
    """Go over to another dtype of real numbers."""
    return same(reading, node) if reading.is_real(node) else None


def size(reading: Reading, node: Any) -> Any:
    """Ask for a size: an axis of channels whose size is asked stays as it is."""
    grid = reading.grid(node.args[0])
    asked = node.args[1:] if node.op == "call_method" else ()
    if asked or node.kwargs:
        wanted = [*asked, *node.kwargs.values()]
    else:
        wanted = [user.args[1] for user in node.users if user.target is operator.getitem]
        if len(wanted) < len(node.users):
            return None
    if grid is None or not all(isinstance(axis, int) for axis in wanted):
        return None
    rank = reading.rank(node.args[0])
    for axis in {axis % rank for axis in wanted} & set(grid.axes):
        reading.keep_whole(node, grid, grid.axes.index(axis))
    return NOTHING


def attribute(reading: Reading, node: Any) -> Any:
    """Read an attribute: only that of the shape has to do with channels."""
    if node.args[1] == "shape":
        return size(reading, node)
    return NOTHING if node.args[1] in ("dtype", "device", "ndim") else None
