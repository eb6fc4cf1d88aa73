"""Rules of attention: which heads belong together, and what their values become.

Letters: q queries, k keys, v values, a the weights of attention, H heads.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from .channels import unknown
from .grids import Grid
from .reading import Reading, argument

_SOFTMAX = {nn.Softmax, torch.softmax, F.softmax, "softmax"}
_UNCHANGED = {nn.Dropout, F.dropout, "to", "type", "type_as", "float", "contiguous"}


def attention(reading: Reading, node: Any) -> Any:
    """Attend, head by head; a group of heads leaves with the keys and values that it shares."""
    if len(node.args) < 3 or argument(node, 4, "dropout_p", 0.0) != 0:
        return None
    if not _free_of_heads(reading, argument(node, 3, "attn_mask", None)):
        return None
    q, k, v = (reading.grid(source) for source in node.args[:3])
    rank = reading.rank(node)
    if q is None or k is None or v is None:
        return None
    if not all(grid.axes == (rank - 3, rank - 1) for grid in (q, k, v)):
        return None
    heads, shared = len(q.ids), len(k.ids)
    grouped = bool(argument(node, 7, "enable_gqa", False))
    if len(v.ids) != shared or heads % shared or (heads != shared and not grouped):
        return None
    group = heads // shared
    k, v = (_repeated(grid, group) for grid in (k, v))
    for grid in (q, k, v):
        _tie_heads(reading, q.ids[:, 0], grid.ids)
    return v


def _repeated(grid: Grid, group: int) -> Grid:
    ids, constants = (t.repeat_interleave(group, 0) for t in (grid.ids, grid.constants))
    return Grid(ids, grid.axes, constants)


def _tie_heads(reading: Reading, heads: Any, ids: Any) -> None:
    """Make all channels of a head one with it."""
    width = ids[0].numel()
    reading.channels.tie(heads.repeat_interleave(width).tolist(), ids.flatten().tolist())


def _free_of_heads(reading: Reading, mask: Any) -> bool:
    """Tell whether a mask is the same for all heads."""
    shape = (1, 1, 1) if mask is None else (1, 1, *reading.shape(mask))
    return reading.grid(mask) is None and shape[-3] == 1


def softmax(reading: Reading, node: Any) -> Any:
    """Make weights along an axis that is not that of the heads."""
    grid, dim = reading.grid(node.args[0]), _softmax_axis(reading, node)
    if grid is None or dim is None or dim in grid.axes:
        return None
    return grid.without_constants().settled()


def product(reading: Reading, node: Any) -> Any:
    """Multiply matrices, head by head: scores are ``q k'``, outputs ``a v``."""
    factors = (node.args[0], argument(node, 1, "other", None))
    a, b = map(reading.grid, factors)
    rank = reading.rank(node)
    if a is None or b is None or {*map(reading.rank, factors)} != {rank} or rank < 3:
        return None
    heads = a.axes[0]
    if heads != b.axes[0] or heads >= rank - 2 or len(a.ids) != len(b.ids):
        return None
    # Beside the heads, a may have channels along the axis that is summed over, b along either.
    if a.axes[1:] not in ((), (rank - 1,)) or len(b.axes) > 2:
        return None
    for grid in (a, b):
        _tie_heads(reading, a.ids.flatten(1)[:, 0] if a.ids.ndim > 1 else a.ids, grid.ids)
    if b.axes == (heads, rank - 1):
        return b if _sums_to_one(reading, node.args[0]) else _zeros_of(b)
    first = b.ids.flatten(1)[:, 0] if b.ids.ndim > 1 else b.ids
    return Grid(first, (heads,), unknown(len(first))).settled()


def _zeros_of(grid: Grid) -> Grid:
    """Know of the values only those that are 0."""
    constants = torch.where(grid.constants == 0, 0.0, torch.nan).double()
    return Grid(grid.ids, grid.axes, constants)


def _sums_to_one(reading: Reading, node: Any) -> bool:
    """Tell whether a node is a softmax over its last axis, whatever copied it since."""
    while reading.kind(node) in _UNCHANGED and node.args:
        node = node.args[0]
    return bool(_softmax_axis(reading, node) == reading.rank(node) - 1)


def _softmax_axis(reading: Reading, node: Any) -> int | None:
    """Give the axis of a softmax, None if the node is none."""
    if reading.kind(node) not in _SOFTMAX:
        return None
    module = node.op == "call_module"
    dim = reading.module(node).dim if module else argument(node, 1, "dim", None)
    return dim % reading.rank(node) if isinstance(dim, int) else None
