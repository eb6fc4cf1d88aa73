"""Which arrays of a plan are drawn to levels by a schedule, and what it says of a step."""

from __future__ import annotations

from collections.abc import Callable

from . import _core
from .penalties import Penalty
from .quantize import Quantize
from .top_k import TopK

__all__ = ["Annealed", "first_spec"]


def first_spec(penalty: Penalty | TopK | None) -> _core.PenaltySpec | None:
    """Return what the core takes for a penalty, of a schedule that of the first step."""
    if isinstance(penalty, Quantize):
        penalty = penalty.at(0)
    return getattr(penalty, "spec", None)


class Annealed:
    """The arrays whose `Quantize` has a schedule for rho."""

    def __init__(self) -> None:
        self._entries: list[tuple[int, Quantize]] = []

    def __bool__(self) -> bool:
        return bool(self._entries)

    def spec(self, entry: int, penalty: Penalty | TopK | None) -> _core.PenaltySpec | None:
        """Return what the core takes for this entry of the plan; a schedule is remembered."""
        if isinstance(penalty, Quantize) and callable(penalty.rho):
            self._entries.append((entry, penalty))
        return first_spec(penalty)

    def set(self, plan: _core.Plan, update: Callable[[Quantize], int]) -> None:
        """Tell the plan what the schedules say of this step; each is asked once."""
        asked = {id(penalty): penalty for _, penalty in self._entries}
        rhos = {key: penalty.rho_at(update(penalty)) for key, penalty in asked.items()}
        for entry, penalty in self._entries:
            plan.set_rho(entry, rhos[id(penalty)])
