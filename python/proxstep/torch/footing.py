"""What plans stand on: whether parameters, moments and groups are still where they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress
from operator import is_
from typing import Any

import torch

from .inputs import local
from .step_plan import Terms

__all__ = ["Footing"]


class Footing:
    """Remembers where everything lies that a step changes.

    torch lets anyone move it: ``p.data = ...``, ``model.to(...)``, a state that is replaced, a
    group that is added. Looking costs less than a microsecond per parameter.
    """

    def __init__(self, state: Mapping[Any, Any], terms: Terms) -> None:
        groups = terms.groups
        self._state, self._size, self._keys = state, len(state), terms.keys
        self._groups = [_terms(group) for group in groups]
        self._penalties = [group["penalty"] for group in groups]
        self._params = params = [p for group in groups for p in group["params"]]
        self._waiting = [p for p in params if "step" not in state.get(p, ())]  # for a gradient
        own = set(map(id, params))
        self._selectors = [id(key) in own for key in state]  # others may keep theirs there as well
        self._states = self._present_states(state)
        self._tensors = self._present_tensors()
        everything = [p for p in params if p in state] + [t for t in self._tensors if t is not None]
        self._whole = [tensor for tensor in everything if local(tensor) is tensor]
        self._sharded = [tensor for tensor in everything if local(tensor) is not tensor]
        self._addresses = self._present_addresses()

    def holds(self, state: Mapping[Any, Any], groups: Sequence[Any]) -> bool:
        """Whether nothing has moved."""
        return (
            state is self._state
            and len(state) == self._size
            and [_terms(group) for group in groups] == self._groups
            and _are([group["penalty"] for group in groups], self._penalties)
            and _are([p for group in groups for p in group["params"]], self._params)
            and _are(self._present_states(state), self._states)
            and all(p.grad is None for p in self._waiting)
            and _are(self._present_tensors(), self._tensors)
            and self._present_addresses() == self._addresses
        )

    def _present_states(self, state: Mapping[Any, Any]) -> list[Any]:
        return list(compress(state.values(), self._selectors))

    def _present_tensors(self) -> list[Any]:
        return [own.get(key) for own in self._states for key in self._keys]

    def _present_addresses(self) -> list[Any]:
        whole = [*map(torch.Tensor.data_ptr, self._whole)]
        forms = [*map(torch.Tensor.numel, self._params), *map(torch.Tensor.stride, self._params)]
        return whole + forms + [local(tensor).data_ptr() for tensor in self._sharded]


def _are(present: list[Any], known: list[Any]) -> bool:
    """Whether these are the same objects."""
    return len(present) == len(known) and all(map(is_, present, known))


def _terms(group: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what plans take over from a group, besides its parameters, penalty and rule."""
    own = (group["metric"], group["min_ndim"], bool(group["maximize"]))
    return (*own, group["skip_zero_rows"], len(group["params"]))
