"""Layers with numbers of their own for each channel, which neither mix channels nor make any.

Letters: w and b the numbers, c the constants that enter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

from .channels import Value
from .layers import Change, entering, keep, resize

NORMS = {nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d}


class Scaling(NamedTuple):
    """A kind of such layers: its tensors, its numbers of channels, what it makes of constants."""

    tensors: Sequence[str]
    sizes: Sequence[str]
    result: Callable[[Any, Value], Any]


@dataclass(frozen=True)
class Scale:
    """One such layer."""

    name: str
    module: Any
    ids: Sequence[int]
    scaling: Scaling

    def shrink(self, stays: Any) -> list[Change]:
        """Remove what does not stay."""
        mask = stays[list(self.ids)]
        for tensor in self.scaling.tensors:
            keep(self.module, tensor, mask, 0)
        sizes = dict.fromkeys(self.scaling.sizes, ("channels", mask))
        return resize(self.name, self.module, sizes)[:1]


def _normalised(module: Any, inputs: Value) -> Any:
    """Constants behind a batch norm in eval mode: ``(c - mean) / sqrt(var + eps) w + b``.

    Where w is 0 that is b, whatever enters.
    """
    mean, variance = (t.double().cpu() for t in (module.running_mean, module.running_var))
    result = (inputs.constants - mean) / torch.sqrt(variance + module.eps)
    if not module.affine:
        return result
    weight, bias = (t.double().cpu() for t in (module.weight, module.bias))
    return torch.where(weight == 0, bias, result * weight + bias)


def _convolved(module: Any, inputs: Value) -> Any:
    """Constants behind a convolution of each channel, ``w_i c_i + b_i``."""
    weight = module.weight.flatten(1).double().cpu()
    mapped = weight.sum(1) * entering(module, inputs)
    result = torch.where((weight == 0).all(1), 0.0, mapped)
    return result if module.bias is None else result + module.bias.double().cpu()


def _leaky(module: Any, inputs: Value) -> Any:
    c = inputs.constants
    return torch.where(c > 0, c, module.weight.double().cpu() * c)


BATCH_NORM = Scaling(
    ("weight", "bias", "running_mean", "running_var"), ("num_features",), _normalised
)
DEPTHWISE = Scaling(("weight", "bias"), ("in_channels", "out_channels", "groups"), _convolved)
PRELU = Scaling(("weight",), ("num_parameters",), _leaky)
