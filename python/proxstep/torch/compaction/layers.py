"""Layers that make channels: what they use, what they make of constants, what they shrink to.

Letters: W the weights, b the biases, c the constants that enter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .channels import Value

CONVOLUTIONS = {nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3}

# What a layer calls its numbers of inputs and outputs.
_SIZES = {
    nn.Linear: ("in_features", "out_features"),
    **dict.fromkeys(CONVOLUTIONS, ("in_channels", "out_channels")),
}
_TRANSPOSED_SIZES = ("nx", "nf")


def is_transposed(module: Any) -> bool:
    """Tell whether a module is GPT-2's `Conv1D`: ``x W + b``, the weights (inputs, outputs).

    It is no class of torch's, so that it is known by its name, its parts and what it computes.
    """
    if type(module).__name__ != "Conv1D" or [*module.children(), *module.buffers()]:
        return False
    if {name for name, _ in module.named_parameters()} != {"weight", "bias"}:
        return False
    sizes: tuple[Any, ...] = tuple(getattr(module, name, None) for name in _TRANSPOSED_SIZES)
    if module.weight.shape != sizes or module.bias.shape != sizes[1:]:
        return False
    x = torch.linspace(-1, 1, 2 * sizes[0], device=module.weight.device).to(module.weight.dtype)
    x = x.view(1, 2, -1)
    return bool(torch.equal(module(x), torch.addmm(module.bias, x[0], module.weight)[None]))


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
        return cls(name, module, inputs.ids, outputs, entering(module, inputs), nonzero(module))

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
        weight = matrix(self.module)
        weight = weight[:, chosen.to(weight.device)].double()
        weight = weight.flatten(2).sum(2) if weight.ndim > 2 else weight
        return weight.cpu() @ self.constants[chosen]

    def shrink(self, stays: Any) -> list[Change]:
        """Remove what does not stay; constants that leave go into the biases."""
        rows, columns = stays[list(self.outputs)], stays[list(self.inputs)]
        self._fold(~columns & ~torch.isnan(self.constants))
        transposed = is_transposed(self.module)
        keep(self.module, "weight", rows, int(transposed))
        keep(self.module, "weight", columns, int(not transposed))
        keep(self.module, "bias", rows, 0)
        inputs, outputs = _SIZES.get(type(self.module), _TRANSPOSED_SIZES)
        sizes = {inputs: ("inputs", columns), outputs: ("outputs", rows)}
        return resize(self.name, self.module, sizes)

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


def nonzero(module: Any) -> Any:
    """Mark the pairs of an output and an input whose weights are not all zero."""
    used = matrix(module) != 0
    return (used.flatten(2).any(2) if used.ndim > 2 else used).cpu()


def matrix(module: Any) -> Any:
    """Give the weights as (outputs, inputs), and the kernel's axes."""
    return module.weight.t() if is_transposed(module) else module.weight


def keep(module: Any, name: str, mask: Any, axis: int) -> None:
    """Put a parameter or buffer with fewer entries in the place of one."""
    tensor = getattr(module, name)
    if tensor is None or bool(mask.all()):
        return
    smaller = tensor.detach().index_select(axis, mask.nonzero().flatten().to(tensor.device))
    if isinstance(tensor, nn.Parameter):
        smaller = nn.Parameter(smaller, requires_grad=tensor.requires_grad)
    setattr(module, name, smaller)


def resize(name: str, module: Any, sizes: dict[str, tuple[str, Any]]) -> list[Change]:
    """Tell a module the numbers that masks leave; each attribute has a word and a mask."""
    for attribute, (_, mask) in sizes.items():
        setattr(module, attribute, int(mask.sum()))
    found = [Change(name, what, len(mask), int(mask.sum())) for what, mask in sizes.values()]
    return [change for change in found if change.after < change.before]


def finite(constants: Any) -> Any:
    """Constants, those that overflow no longer called so."""
    return torch.where(torch.isfinite(constants), constants, torch.nan)
