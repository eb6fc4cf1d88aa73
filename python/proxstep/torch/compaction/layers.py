"""Layers that make channels or scale them: what they use, make of constants, and shrink to.

Letters: W the weights, b the biases, c the constants that enter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .channels import Value, unknown

CONVOLUTIONS = {nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3}
NORMS = {nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d}

# What a layer calls its numbers of inputs and outputs.
_SIZES = {
    nn.Linear: ("in_features", "out_features"),
    **dict.fromkeys(CONVOLUTIONS, ("in_channels", "out_channels")),
}


@dataclass(frozen=True)
class Change:
    """One number of a layer that became smaller."""

    name: str
    what: str
    before: int
    after: int


def entering(module: Any, inputs: Value) -> Any:
    """Constants as a layer sees them: beside a border of zeros only 0 is one.

    Padding of zeros makes a constant channel another one at the border, so that no bias can stand
    for it.
    """
    padding = getattr(module, "padding", 0)
    sides = padding if isinstance(padding, tuple) else (padding,)
    if set(sides) <= {0, "valid"} or module.padding_mode != "zeros":
        return inputs.constants
    return torch.where(inputs.constants == 0, 0.0, torch.nan).double()


@dataclass(frozen=True)
class Product:
    """A `Linear` or a convolution of one group: ``W x + b``, the weights summed over the kernel."""

    name: str
    module: Any
    inputs: Sequence[int]
    outputs: Sequence[int]
    constants: Any  # that enter
    used: Any  # bool, (outputs, inputs)

    @classmethod
    def of(cls, name: str, module: Any, inputs: Value, outputs: Sequence[int]) -> Product:
        """Read the layer."""
        used = module.weight != 0
        used = used.flatten(2).any(2) if used.ndim > 2 else used
        return cls(name, module, inputs.ids, outputs, entering(module, inputs), used.cpu())

    def result(self) -> Any:
        """Constants of the outputs: those that use nothing but constants."""
        varying = self.used[:, torch.isnan(self.constants)].any(1)
        result = self._folded(~torch.isnan(self.constants))
        if self.module.bias is not None:
            result += self.module.bias.double().cpu()
        return torch.where(varying | ~torch.isfinite(result), torch.nan, result)

    def _folded(self, chosen: Any) -> Any:
        """Sum over the chosen inputs, all constants: ``sum_j W_ij c_j``."""
        chosen = chosen & (self.constants != 0)
        weight = self.module.weight[:, chosen.to(self.module.weight.device)].double()
        weight = weight.flatten(2).sum(2) if weight.ndim > 2 else weight
        return weight.cpu() @ self.constants[chosen]

    def shrink(self, stays: Any) -> list[Change]:
        """Remove what does not stay; constants that leave go into the biases."""
        rows, columns = stays[list(self.outputs)], stays[list(self.inputs)]
        self._fold(~columns & ~torch.isnan(self.constants))
        keep(self.module, "weight", rows, 0)
        keep(self.module, "weight", columns, 1)
        keep(self.module, "bias", rows, 0)
        names = zip(("inputs", "outputs"), _SIZES[type(self.module)], (columns, rows), strict=True)
        changes = [resize(self, what, (attribute,), mask) for what, attribute, mask in names]
        return [change for change in changes if change.after < change.before]

    def _fold(self, leaving: Any) -> None:
        added = self._folded(leaving)
        module = self.module
        if not added.any():
            return
        if module.bias is None:
            zeros = torch.zeros_like(module.weight.flatten(1)[:, 0])
            module.bias = nn.Parameter(zeros, requires_grad=module.weight.requires_grad)
        total = module.bias.double() + added.to(module.bias.device)
        module.bias.data = total.to(module.bias.dtype)


@dataclass(frozen=True)
class Scale:
    """A layer with numbers of its own for each channel, which neither mixes nor makes any."""

    name: str
    module: Any
    ids: Sequence[int]
    tensors: Sequence[str]
    sizes: Sequence[str]

    def shrink(self, stays: Any) -> list[Change]:
        """Remove what does not stay."""
        mask = stays[list(self.ids)]
        for tensor in self.tensors:
            keep(self.module, tensor, mask, 0)
        change = resize(self, "channels", self.sizes, mask)
        return [change] if change.after < change.before else []


def keep(module: Any, name: str, mask: Any, axis: int) -> None:
    """Put a parameter or buffer with fewer entries in the place of one."""
    tensor = getattr(module, name)
    if tensor is None or bool(mask.all()):
        return
    smaller = tensor.detach().index_select(axis, mask.nonzero().flatten().to(tensor.device))
    if isinstance(tensor, nn.Parameter):
        smaller = nn.Parameter(smaller, requires_grad=tensor.requires_grad)
    setattr(module, name, smaller)


def resize(layer: Product | Scale, what: str, attributes: Sequence[str], mask: Any) -> Change:
    """Tell a module its new number of channels."""
    after = int(mask.sum())
    for attribute in attributes:
        setattr(layer.module, attribute, after)
    return Change(layer.name, what, len(mask), after)


def normalised(module: Any, constants: Any) -> Any:
    """Constants behind a batch norm in eval mode: ``(c - mean) / sqrt(var + eps) w + b``.

    Where w is 0 that is b, whatever enters.
    """
    mean, variance = (t.double().cpu() for t in (module.running_mean, module.running_var))
    result = (constants - mean) / torch.sqrt(variance + module.eps)
    if not module.affine:
        return result
    weight, bias = (t.double().cpu() for t in (module.weight, module.bias))
    return torch.where(weight == 0, bias, result * weight + bias)


def channelwise(module: Any, inputs: Value) -> Any:
    """Constants behind a depthwise convolution, ``w_i c_i + b_i``."""
    weight = module.weight.flatten(1).double().cpu()
    mapped = weight.sum(1) * entering(module, inputs)
    result = torch.where((weight == 0).all(1), 0.0, mapped)
    return result if module.bias is None else result + module.bias.double().cpu()


def finite(constants: Any) -> Any:
    """Constants, those that overflow no longer called so."""
    return torch.where(torch.isfinite(constants), constants, unknown(len(constants)))
