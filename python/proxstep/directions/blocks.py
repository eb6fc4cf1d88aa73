"""Blocks of rows that are made orthogonal on their own, and their shares for threads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Array, dtype_name, is_torch
from ..rules import Muon
from .newton_schulz import NewtonSchulz, Scratch

__all__ = ["Block", "Share", "cut", "shared_out"]


@dataclass(frozen=True)
class Block:
    """One of them; room is as large, and one of both becomes the direction."""

    make: NewtonSchulz
    ahead: Array
    room: Array


class Share:
    """Blocks for one thread, with scratch of its own."""

    def __init__(self) -> None:
        self._blocks: list[tuple[Block, Scratch]] = []
        self._scratch: dict[tuple[int, str], Scratch] = {}
        self.cost = 0.0

    def add(self, block: Block) -> None:
        """Take a block; those of one size take turns at the scratch."""
        key = (min(block.ahead.shape), dtype_name(block.ahead))
        if key not in self._scratch:
            self._scratch[key] = Scratch(block.ahead)
        self._blocks.append((block, self._scratch[key]))
        self.cost += block.make.cost

    def run(self) -> None:
        """Make all of them directions; what is not finite is for the step to show."""
        with np.errstate(all="ignore"):
            for block, scratch in self._blocks:
                block.make(block.ahead, block.room, scratch)


def shared_out(blocks: list[Block], count: int) -> list[Share]:
    """Give each block, the largest first, to the share that has least to do."""
    shares = [Share() for _ in range(count)]
    for block in sorted(blocks, key=lambda block: -block.make.cost):
        min(shares, key=lambda share: share.cost).add(block)
    return shares


def cut(rule: Muon, make: NewtonSchulz, ahead: Array, room: Array) -> list[Block]:
    """Cut both arrays into blocks in C order; the transpose serves where all is one block.

    Raises
    ------
    ValueError
        For several parts of arrays that are not in C order.
    """
    if not _is_c_order(ahead):
        if rule.parts > 1:
            shape = tuple(ahead.shape)
            raise ValueError(f"x of shape {shape} must be in C order for {rule.parts} parts")
        ahead, room = ahead.T, room.T
    rows, columns = len(ahead) // rule.parts, ahead.shape[1]
    if rows == 0 or columns == 0:
        return []
    slices = [slice(first, first + rows) for first in range(0, len(ahead), rows)]
    return [Block(make, ahead[rows], room[rows]) for rows in slices]


def _is_c_order(x: Array) -> bool:
    return bool(x.is_contiguous() if is_torch(x) else x.flags.c_contiguous)
