"""Which rule serves which module, function or method; what is not here is not understood."""

from __future__ import annotations

import builtins
import operator
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from . import attending, reshaping, rules
from .elementwise import FUNCTIONS, METHODS, MODULES, elementwise
from .layers import CONVOLUTIONS
from .scaling import NORMS

_DROPOUTS = [
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "AlphaDropout",
    "FeatureAlphaDropout",
]
_MAXIMA = ["MaxPool{}d", "AdaptiveMaxPool{}d", "AdaptiveAvgPool{}d"]
_MAXIMA_FUNCTIONS = ["max_pool{}d", "adaptive_max_pool{}d", "adaptive_avg_pool{}d"]

RULES: dict[Any, rules.Rule] = {
    nn.Linear: rules.linear,
    **dict.fromkeys(CONVOLUTIONS, rules.convolution),
    **dict.fromkeys(NORMS, rules.batch_norm),
    nn.PReLU: rules.prelu,
    **dict.fromkeys([*MODULES, *FUNCTIONS, *METHODS], elementwise),
    nn.Identity: rules.same,
    **{getattr(nn, name): rules.same for name in _DROPOUTS},
    **dict.fromkeys([F.dropout, F.dropout1d, F.dropout2d, F.dropout3d], rules.dropout),
    **dict.fromkeys([nn.Flatten, torch.flatten, "flatten"], reshaping.flatten),
    **dict.fromkeys(["view", "reshape", torch.reshape], reshaping.reshape),
    **dict.fromkeys(["unflatten", torch.unflatten], reshaping.unflatten),
    **dict.fromkeys(["transpose", torch.transpose], reshaping.transpose),
    **dict.fromkeys(["permute", torch.permute], reshaping.permute),
    **dict.fromkeys(["split", torch.split], reshaping.split),
    **dict.fromkeys(["chunk", torch.chunk], reshaping.chunk),
    **dict.fromkeys(["unbind", torch.unbind], reshaping.unbind),
    operator.getitem: reshaping.getitem,
    F.scaled_dot_product_attention: attending.attention,
    **dict.fromkeys([nn.Softmax, torch.softmax, F.softmax, "softmax"], attending.softmax),
    **dict.fromkeys([torch.matmul, operator.matmul, "matmul"], attending.product),
    **dict.fromkeys(["to", "type", "type_as", "float"], rules.convert),
    torch.mean: rules.mean,
    "mean": rules.mean,
    torch.cat: rules.concatenate,
    torch.concat: rules.concatenate,
    "size": rules.size,
    builtins.getattr: rules.attribute,
}

for d in (1, 2, 3):
    for name in _MAXIMA:
        RULES[getattr(nn, name.format(d))] = partial(rules.pool, dimensions=d)
    for name in _MAXIMA_FUNCTIONS:
        RULES[getattr(F, name.format(d))] = partial(rules.pool, dimensions=d)
    RULES[getattr(nn, f"AvgPool{d}d")] = partial(rules.average, dimensions=d)
    RULES[getattr(F, f"avg_pool{d}d")] = partial(rules.average, dimensions=d)
