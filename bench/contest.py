"""What is measured: contestants that do the same work, and the goals set for their times.

Data only; nothing here runs or prints.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

OURS = "proxstep"


@dataclass(frozen=True)
class Contestant:
    """A call without arguments.

    `moved` counts the bytes that its passes over memory must move, in all; None: what the operation
    itself must move, as for chains of expressions. `within` surrounds its turns.
    """

    name: str
    run: Callable[[], Any]
    moved: int | None = None
    within: Callable[[], AbstractContextManager[Any]] = nullcontext


@dataclass(frozen=True)
class Goal:
    """``factor * time(over) / time(under)`` has a bound; without `under`, a time in microseconds.

    A goal with neither bound is a figure to print.
    """

    text: str
    over: str
    under: str | None = None
    factor: float = 1.0
    at_most: float | None = None
    at_least: float | None = None

    def value(self, seconds: dict[str, float]) -> float:
        if self.under is None:
            return 1e6 * self.factor * seconds[self.over]
        return self.factor * seconds[self.over] / seconds[self.under]

    def is_met(self, value: float) -> bool | None:
        if self.at_most is not None:
            return value <= self.at_most
        return None if self.at_least is None else value >= self.at_least

    @property
    def bound(self) -> str:
        unit = " µs" if self.under is None else ""
        if self.at_most is not None:
            return f"≤ {self.at_most:g}{unit}"
        return "" if self.at_least is None else f"≥ {self.at_least:g}{unit}"


@dataclass(frozen=True)
class Case:
    """One operation at one size. The first contestant is the one that others are compared with.

    `moved` is what the operation must move in one pass. Contestants share their arrays, so that
    none has the better pages or the warmer cache. `serial` work never wakes a second thread.
    """

    name: str
    n: int
    moved: int
    contestants: list[Contestant]
    goals: list[Goal] = field(default_factory=list)
    note: str = ""
    serial: bool = False

    def bytes_of(self, contestant: Contestant) -> int:
        return self.moved if contestant.moved is None else contestant.moved

    def find(self, name: str) -> Contestant:
        return next(c for c in self.contestants if c.name == name)

    def goals_at_hand(self) -> list[Goal]:
        """Those whose contestants take part: peers may not be installed."""
        names = {c.name for c in self.contestants} | {None}
        return [goal for goal in self.goals if {goal.over, goal.under} <= names]
