"""Channels: what is removed together, and which of them must stay.

A channel is one output of a layer, wherever it goes on. Channels are numbers; those that an
addition ties, or a concatenation carries on, are the same channel from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Value:
    """The channels of an activation, along one of its axes.

    ``constants`` (float64) holds, for each position of the axis, the value that the activation has
    there whatever the input and the place; NaN where there is none.
    """

    ids: Sequence[int]
    axis: int
    constants: Any

    def known(self) -> Any:
        """Tell where the activation is constant."""
        return ~torch.isnan(self.constants)


def unknown(count: int) -> Any:
    """Constants of an activation that has none."""
    return torch.full((count,), torch.nan, dtype=torch.float64, device="cpu")


class Channels:
    """Disjoint sets of channels, some of them pinned: they stay."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._pinned: dict[int, str] = {}

    def new(self, count: int) -> range:
        """Make so many channels."""
        first = len(self._parent)
        self._parent.extend(range(first, first + count))
        return range(first, first + count)

    def pinned(self, count: int, reason: str) -> range:
        """Make so many channels that stay."""
        ids = self.new(count)
        self.pin(ids, reason)
        return ids

    def pin(self, ids: Iterable[int], reason: str) -> None:
        """Let these stay; of several reasons the first counts."""
        for i in ids:
            self._pinned.setdefault(i, reason)

    def tie(self, left: Iterable[int], right: Iterable[int]) -> None:
        """Make pairs of channels one each."""
        for a, b in zip(left, right, strict=True):
            self._parent[self._root(a)] = self._root(b)

    def roots(self) -> Any:
        """Give every channel the number that stands for its set."""
        roots = [self._root(i) for i in range(len(self._parent))]
        return torch.tensor(roots, dtype=torch.long, device="cpu")

    def stay(self) -> list[int]:
        """Numbers of the sets that hold a pinned channel."""
        return [self._root(i) for i in self._pinned]

    def reasons(self, needed: Mapping[int, str]) -> dict[int, str]:
        """Tell of every channel why its set stays: for a pinned channel, or one that is needed."""
        words: dict[int, str] = {}
        for i, reason in (*self._pinned.items(), *needed.items()):
            words.setdefault(self._root(i), reason)
        roots = ((i, self._root(i)) for i in range(len(self._parent)))
        return {i: words[root] for i, root in roots if root in words}

    def _root(self, i: int) -> int:
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i
