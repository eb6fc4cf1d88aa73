"""Which arrays of a plan a `TopK` selects among, and how many of their elements stay in a step."""

from __future__ import annotations

from collections.abc import Callable

from .penalties import Penalty
from .top_k import TopK

__all__ = ["Selections"]

_NONE = -1


class Selections:
    """Numbers as the core wants them: one for each array, or for all that bear a global TopK."""

    def __init__(self) -> None:
        self._penalties: list[TopK] = []

    def __bool__(self) -> bool:
        return bool(self._penalties)

    @property
    def scheduled(self) -> bool:
        """Whether what stays follows a schedule, which only the host can ask."""
        return any(penalty.schedule is not None for penalty in self._penalties)

    def number(self, penalty: Penalty | TopK | None) -> int:
        """Return the number of the selection that an array with this penalty takes part in."""
        if not isinstance(penalty, TopK):
            return _NONE
        if penalty.scope == "global":
            for number, known in enumerate(self._penalties):
                if known is penalty:
                    return number
        self._penalties.append(penalty)
        return len(self._penalties) - 1

    def kept(self, update: Callable[[TopK], int]) -> list[int | float]:
        """Return what each selection keeps; a schedule is asked once for its TopK's update."""
        now = {id(penalty): penalty for penalty in self._penalties}
        kept = {key: penalty.at(update(penalty)) for key, penalty in now.items()}
        return [kept[id(penalty)] for penalty in self._penalties]
