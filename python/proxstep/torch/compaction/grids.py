"""Channels along several axes, as heads and their width, and what a layout asks of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from .channels import Value


@dataclass(frozen=True)
class Grid:
    """The channels of an activation along ascending axes, an axis of ``ids`` for each.

    ``constants`` has the shape of ``ids``; otherwise all is as in `Value`.
    """

    ids: Any
    axes: tuple[int, ...]
    constants: Any

    @classmethod
    def of(cls, value: Value) -> Grid:
        """Take a value of one axis for a grid."""
        ids = torch.tensor(list(value.ids), dtype=torch.long, device="cpu")
        return cls(ids, (value.axis,), value.constants)

    def settled(self) -> Grid | Value:
        """Take a grid of one axis for a value."""
        if len(self.axes) > 1:
            return self
        return Value(self.ids.tolist(), self.axes[0], self.constants)

    def moved(self, axes: Sequence[int]) -> Grid:
        """Put the channels along these axes, in whatever order."""
        order = sorted(range(len(axes)), key=lambda i: axes[i])
        ids, constants = self.ids.permute(order), self.constants.permute(order)
        return Grid(ids, tuple(sorted(axes)), constants)

    def without_constants(self) -> Grid:
        """Know nothing of the values."""
        return Grid(self.ids, self.axes, torch.full_like(self.constants, torch.nan))


@dataclass(frozen=True)
class Layout:
    """What a layout asks: of every axis of ``ids`` a part stays, and all of it where not ``free``.

    ``tags`` are for each axis the attribute that gives its size and may be changed, or None.
    """

    ids: Any
    free: tuple[bool, ...]
    reason: str
    tags: tuple[Any, ...] = ()

    def lines(self, stays: Any) -> list[Any]:
        """Mark for each axis what stays."""
        mask = stays[self.ids]
        axes = range(mask.ndim)
        return [mask.movedim(i, 0).reshape(mask.shape[i], -1).any(1) for i in axes]

    def sizes(self, stays: Any) -> list[tuple[Any, int]]:
        """Give the attributes and the sizes that they must have."""
        counts = [int(line.sum()) for line in self.lines(stays)]
        return [(tag, n) for tag, n in zip(self.tags, counts, strict=False) if tag is not None]

    def holds(self, stays: Any, editable: set[Any]) -> bool:
        """Tell whether what stays has this layout."""
        lines = self.lines(stays)
        product = torch.ones((), dtype=torch.bool, device="cpu")
        for line in lines:
            product = product[..., None] & line
        tags = self.tags or (None,) * len(lines)
        able = [f or (t in editable) for f, t in zip(self.free, tags, strict=True)]
        whole = all(a or bool(line.all()) for a, line in zip(able, lines, strict=True))
        return whole and bool((product == stays[self.ids]).all())
