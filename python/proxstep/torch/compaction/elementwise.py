"""Functions of one element, or of elements at the same place: they map constants to constants."""

from __future__ import annotations

import copy
import operator
from typing import Any

import torch
from torch import nn
from torch.fx.node import map_arg
from torch.nn import functional as F

from .grids import Grid
from .layers import finite
from .reading import Reading

MODULES = [
    *(nn.CELU, nn.ELU, nn.GELU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh),
    *(nn.LeakyReLU, nn.LogSigmoid, nn.Mish, nn.ReLU, nn.ReLU6, nn.SELU, nn.SiLU, nn.Sigmoid),
    *(nn.Softplus, nn.Softshrink, nn.Softsign, nn.Tanh, nn.Tanhshrink, nn.Threshold),
]

_ACTIVATIONS = (
    "celu elu gelu hardshrink hardsigmoid hardswish hardtanh leaky_relu logsigmoid mish relu relu6 "
    "selu silu sigmoid softplus softshrink softsign tanh tanhshrink threshold"
)
_FUNCTIONS = (
    "abs add clamp cos div exp log1p masked_fill maximum minimum mul neg pow relu rsqrt sigmoid "
    "sin sqrt square sub tanh"
)
METHODS = (_FUNCTIONS + " clone contiguous").split()
METHODS += [name + "_" for name in ("add", "clamp", "div", "mul", "relu", "sigmoid", "sub")]
_OPERATORS = ["add", "sub", "mul", "truediv", "neg", "pow", "iadd", "isub", "imul", "itruediv"]
FUNCTIONS = [
    *(getattr(F, name) for name in _ACTIVATIONS.split()),
    *(getattr(torch, name) for name in _FUNCTIONS.split()),
    *(getattr(operator, name) for name in _OPERATORS),
    *(F.relu_, torch.relu_),
]
_PRODUCTS = {torch.mul, operator.mul, operator.imul, "mul", "mul_"}


def elementwise(reading: Reading, node: Any) -> Any:
    """Tie what meets at a place, and map constants.

    Tensors without channels may meet them too; where they are not the same for all channels of an
    axis, that axis stays whole.
    """
    grids = {source: reading.grid(source) for source in node.all_input_nodes}
    known: dict[Any, Any] = {source: grid for source, grid in grids.items() if grid is not None}
    if not known or not _aligned(reading, node, known):
        return None
    first = next(iter(known.values()))
    for grid in known.values():
        reading.channels.tie(first.ids.flatten().tolist(), grid.ids.flatten().tolist())
    for source in set(grids) - set(known):
        shape = (1,) * reading.rank(node) + reading.shape(source)
        for k, axis in enumerate(first.axes):
            if shape[axis - reading.rank(node)] != 1:
                reading.keep_whole(node, first, k)
    constants = _constants(reading, node, known, len(known) == len(grids))
    return Grid(first.ids, first.axes, finite(constants)).settled()


def _aligned(reading: Reading, node: Any, known: dict[Any, Any]) -> bool:
    """Tell whether the channels lie along the same axes of all, however the others broadcast."""
    layouts = {(grid.axes, grid.ids.shape) for grid in known.values()}
    ranks = {reading.rank(source) for source in known}
    if len(layouts) > 1 or ranks != {reading.rank(node)}:
        return False
    axes, shape = layouts.pop()
    return bool(tuple(reading.shape(node)[axis] for axis in axes) == shape)


def _constants(reading: Reading, node: Any, known: dict[Any, Any], all_known: bool) -> Any:
    """Map constants; in a product 0 stays, whatever it meets, as activations are finite."""
    given = torch.stack([grid.constants for grid in known.values()])
    zero = (given == 0).any(0) & (node.target in _PRODUCTS)
    if not all_known:
        return torch.where(zero, 0.0, torch.nan).double()
    result = torch.where(zero, 0.0, _evaluate(reading, node, known))
    return torch.where(zero | ~torch.isnan(given).any(0), result, torch.nan)


def _evaluate(reading: Reading, node: Any, values: dict[Any, Grid]) -> Any:
    """Apply the node to the constants, in float64."""

    def constants(source: Any) -> Any:
        return torch.nan_to_num(values[source].constants, nan=0.0)

    args, kwargs = map_arg(node.args, constants), map_arg(node.kwargs, constants)
    if node.op == "call_module":
        module = copy.deepcopy(reading.module(node)).to("cpu", torch.float64)
        return module(*args, **kwargs)
    if node.op == "call_method":
        return getattr(args[0], node.target)(*args[1:], **kwargs)
    return node.target(*args, **kwargs)
