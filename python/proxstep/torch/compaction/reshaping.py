"""Rules for what lays channels out anew: views, transpositions, parts, indices.

A rule returns what those of rules.py do. Where the code has sizes that may not follow, it asks for
a `Layout`.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from .grids import Grid
from .reading import NOTHING, Reading, argument


def reshape(reading: Reading, node: Any) -> Any:
    """Understand views and reshapes; an axis of channels follows where its size is -1."""
    sizes = node.args[1:] or tuple(node.kwargs.values())
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = tuple(sizes[0])
    if len(sizes) != reading.rank(node) or any(isinstance(s, torch.dtype) for s in sizes):
        return None
    return _laid_out(reading, node, sizes)


def flatten(reading: Reading, node: Any) -> Any:
    """Join axes, whatever their sizes."""
    return _laid_out(reading, node, (-1,) * reading.rank(node))


def unflatten(reading: Reading, node: Any) -> Any:
    """Part an axis."""
    dim, parts = argument(node, 1, "dim", 0), argument(node, 2, "sizes", None)
    if not isinstance(dim, int) or not isinstance(parts, (tuple, list)):
        return None
    rank = reading.rank(node.args[0])
    dim %= rank
    return _laid_out(reading, node, (*[-1] * dim, *parts, *[-1] * (rank - dim - 1)))


def _laid_out(reading: Reading, node: Any, sizes: tuple[Any, ...]) -> Any:
    """Follow the channels from the old axes to the new ones that hold the same elements."""
    grid = reading.grid(node.args[0])
    old, new = reading.shape(node.args[0]), reading.shape(node)
    blocks = None if grid is None else _blocks(old, new)
    if grid is None or blocks is None:
        return None
    hit = [block for block in blocks if set(block[0]) & set(grid.axes)]
    if any(before[0] not in grid.axes for before, _ in hit):
        return None  # channels would repeat, as often as the batch is long
    if sorted(axis for before, _ in hit for axis in before if axis in grid.axes) != [*grid.axes]:
        return None
    axes = tuple(axis for _, after in hit for axis in after)
    shape = [new[axis] for axis in axes]
    ids, constants = (_spread(t, grid, hit, old).reshape(shape) for t in (grid.ids, grid.constants))
    made = Grid(ids, axes, constants)
    reading.lay_out(node, made, [sizes[axis] for axis in axes])
    return made.settled()


def _spread(array: Any, grid: Grid, hit: Any, old: tuple[int, ...]) -> Any:
    """Repeat an array of the grid over all old axes of the blocks that it is in."""
    axes = [axis for before, _ in hit for axis in before]
    shape = [old[axis] if axis in grid.axes else 1 for axis in axes]
    return array.reshape(shape).expand([old[axis] for axis in axes])


def _blocks(old: tuple[int, ...], new: tuple[int, ...]) -> list[tuple[list[int], list[int]]] | None:
    """Part old and new axes into the smallest blocks of equal numbers of elements."""
    if math.prod(old) == 0 or not old or not new:
        return None
    blocks: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(old) and j < len(new):
        a, b, before, after = [i], [j], old[i], new[j]
        while before != after:
            if before < after:
                a.append(a[-1] + 1)
                before *= old[a[-1]]
            else:
                b.append(b[-1] + 1)
                after *= new[b[-1]]
        i, j = a[-1] + 1, b[-1] + 1
        blocks.append((a, b))
    blocks[-1][0].extend(range(i, len(old)))
    blocks[-1][1].extend(range(j, len(new)))
    return blocks


def transpose(reading: Reading, node: Any) -> Any:
    """Swap two axes."""
    rank = reading.rank(node)
    first, second = argument(node, 1, "dim0", None), argument(node, 2, "dim1", None)
    if not (isinstance(first, int) and isinstance(second, int)):
        return None
    order = list(range(rank))
    order[first % rank], order[second % rank] = order[second % rank], order[first % rank]
    return _permuted(reading, node, order)


def permute(reading: Reading, node: Any) -> Any:
    """Put the axes into another order."""
    order = node.args[1:] or tuple(node.kwargs.values())
    if len(order) == 1 and isinstance(order[0], (tuple, list)):
        order = tuple(order[0])
    if not all(isinstance(axis, int) for axis in order):
        return None
    return _permuted(reading, node, [axis % reading.rank(node) for axis in order])


def _permuted(reading: Reading, node: Any, order: list[int]) -> Any:
    grid = reading.grid(node.args[0])
    return None if grid is None else grid.moved([order.index(a) for a in grid.axes]).settled()


def split(reading: Reading, node: Any) -> Any:
    """Part an axis into pieces of one size: of channels the pieces lose as many each."""
    size, dim = argument(node, 1, "split_size", None), argument(node, 2, "dim", 0)
    if isinstance(size, (tuple, list)):
        size = 0 if len(set(size)) == 1 else None  # fixed
    return _parts(reading, node, dim, size)


def chunk(reading: Reading, node: Any) -> Any:
    """Part an axis into a number of pieces."""
    return _parts(reading, node, argument(node, 2, "dim", 0), -1)


def _parts(reading: Reading, node: Any, dim: Any, size: Any) -> Any:
    grid, shape = reading.grid(node.args[0]), reading.shape(node.args[0])
    made = reading.shapes(node)
    count = len(made)
    if grid is None or not isinstance(dim, int) or not count or size is None:
        return None
    dim %= len(shape)
    if dim not in grid.axes:
        return [grid.settled()] * count
    if len(set(made)) > 1:
        return None
    k = grid.axes.index(dim)
    ids = grid.ids.unflatten(k, (count, -1)).movedim(k, 0)
    constants = grid.constants.unflatten(k, (count, -1)).movedim(k, 0)
    # Axes: the pieces, then those of the grid.
    sizes = [*[-1] * k, size, *[-1] * (len(grid.axes) - k - 1)]
    reading.lay_out(node, Grid(ids, (0, *grid.axes), constants), [count, *sizes])
    return [Grid(i, grid.axes, c).settled() for i, c in zip(ids, constants, strict=True)]


def unbind(reading: Reading, node: Any) -> Any:
    """Take an axis apart."""
    dim = argument(node, 1, "dim", 0)
    if not isinstance(dim, int) or reading.grid(node.args[0]) is None:
        return None
    rank = reading.rank(node.args[0])
    before = (slice(None),) * (dim % rank)
    count = reading.shape(node.args[0])[dim % rank]
    return [indexed(reading, node, (*before, i)) for i in range(count)]


def getitem(reading: Reading, node: Any) -> Any:
    """Take a part of what was parted, or index a tensor."""
    source, index = node.args
    value = reading.values.get(source)
    if value is NOTHING:
        return NOTHING
    if isinstance(value, list):
        return value[index] if isinstance(index, int) else None
    return indexed(reading, node, index if isinstance(index, tuple) else (index,))


def indexed(reading: Reading, node: Any, index: tuple[Any, ...]) -> Any:
    """Index by slices, numbers, None and an ellipsis; channels that are cut stay."""
    grid, shape = reading.grid(node.args[0]), reading.shape(node.args[0])
    if grid is None or not all(_is_plain(i) for i in index):
        return None
    missing = len(shape) - sum(i is not None and i is not Ellipsis for i in index)
    where = index.index(Ellipsis) if Ellipsis in index else len(index)
    index = (*index[:where], *[slice(None)] * missing, *index[where + 1 :])
    made = [i for i in index if not isinstance(i, int)]  # the new axes
    old = [i for i in index if i is not None]
    places = iter([new for new, i in enumerate(made) if i is not None])
    kept = {axis: next(places) for axis, i in enumerate(old) if isinstance(i, slice)}
    cuts = tuple(old[axis] for axis in grid.axes)
    for k, cut in enumerate(cuts):
        if cut != slice(None):
            reading.keep_whole(node, grid, k)
    axes = tuple(kept[axis] for axis in grid.axes if axis in kept)
    return Grid(grid.ids[cuts], axes, grid.constants[cuts]).settled() if axes else None


def _is_plain(index: Any) -> bool:
    if isinstance(index, slice):
        return all(i is None or type(i) is int for i in (index.start, index.stop, index.step))
    return index is None or index is Ellipsis or type(index) is int
