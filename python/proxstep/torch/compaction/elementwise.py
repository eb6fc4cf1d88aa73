"""Functions of one element, or of elements at the same place: they map constants to constants."""

from __future__ import annotations

import copy
import operator
from typing import Any

import torch
from torch import nn
from torch.fx.node import map_arg
from torch.nn import functional as F

from .channels import Value
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
    "abs add clamp cos div exp log1p maximum minimum mul neg pow relu sigmoid sin sqrt square sub "
    "tanh"
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
    """Tie what meets at a place, and map constants."""
    values: list[Any] = [reading.value(source) for source in node.all_input_nodes]
    if not values or not all(_fit(v, values[0]) for v in values) or not _aligned(reading, node):
        return None
    first = values[0]
    for value in values[1:]:
        reading.channels.tie(first.ids, value.ids)
    known = torch.stack([v.known() for v in values]).all(0)
    if node.target in _PRODUCTS:  # a closed gate: 0 whatever it meets, as activations are finite
        known |= torch.stack([v.constants == 0 for v in values]).any(0)
    result = _evaluate(reading, node, dict(zip(node.all_input_nodes, values, strict=True)))
    return Value(first.ids, first.axis, finite(torch.where(known, result, torch.nan)))


def _fit(value: Any, other: Any) -> bool:
    if value is None or other is None:
        return False
    return bool(value.axis == other.axis and len(value.ids) == len(other.ids))


def _aligned(reading: Reading, node: Any) -> bool:
    """Tell whether the channels lie along the same axis of all, however the others broadcast."""
    ranks = {reading.rank(source) for source in node.all_input_nodes}
    return ranks == {reading.rank(node)}


def _evaluate(reading: Reading, node: Any, values: dict[Any, Value]) -> Any:
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
