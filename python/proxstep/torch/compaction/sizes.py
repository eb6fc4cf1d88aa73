"""Sizes of a tensor that tell when they are read, in whichever way Python reads a tuple."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch


class Sizes(tuple[int, ...]):
    """Sizes of a tensor; whichever is read is reported with the number of its axis."""

    axes: tuple[int, ...]
    report: Callable[[int], None]

    @classmethod
    def of(cls, sizes: Any, axes: Any, report: Callable[[int], None]) -> Sizes:
        """Take sizes of these axes."""
        made = cls(sizes)
        made.axes, made.report = tuple(axes), report
        return made

    def plain(self) -> tuple[int, ...]:
        """Read all."""
        for axis in self.axes:
            self.report(axis)
        return (*super().__iter__(),)

    def numel(self) -> int:
        """Multiply all, as `torch.Size` does."""
        return math.prod(self.plain())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Sizes.of(super().__getitem__(index), self.axes[index], self.report)
        self.report(self.axes[index])
        return super().__getitem__(index)

    def __iter__(self) -> Iterator[int]:
        return iter(self.plain())

    def __add__(self, other: Any) -> Any:
        return torch.Size((*self, *other))

    def __radd__(self, other: Any) -> Any:
        return torch.Size((*other, *self))

    def __eq__(self, other: object) -> bool:
        return self.plain() == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.plain())
