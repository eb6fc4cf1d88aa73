"""Schedules: frozen settings that map an update number (0, 1, 2, ...) to a rate or a density.

A schedule has no state, so a resumed run continues exactly. Each learning rate takes ``floor`` and
``cap`` by keyword and clips its rate to them; settings that are not positive and finite, or a
floor above the cap, raise ValueError.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from .checks import at_least_one, count, from_0_to_1, function, number, positive

__all__ = [
    "Anneal",
    "Constant",
    "Cosine",
    "CubicRamp",
    "InverseTime",
    "Linear",
    "Schedule",
    "Step",
    "WarmUp",
]

#: Anything callable on the update number; a user's own function serves as well.
Schedule = Callable[[int], float]


@dataclass(frozen=True, kw_only=True)
class _Clipped(ABC):
    """Common part: the floor, the cap, and the checks."""

    floor: float = 0.0
    cap: float = math.inf

    def __post_init__(self) -> None:
        for name in ("floor", "cap"):
            number(name, getattr(self, name))
        if not 0.0 <= self.floor <= self.cap:
            raise ValueError(
                f"floor is {self.floor}, cap is {self.cap}; 0 <= floor <= cap is needed"
            )

    def __call__(self, step: int) -> float:
        """Return the rate of update number ``step``."""
        if not step >= 0:
            raise ValueError(f"step must be at least 0, got {step}")
        return min(max(self._rate(step), self.floor), self.cap)

    @abstractmethod
    def _rate(self, step: int) -> float: ...


@dataclass(frozen=True)
class Anneal(_Clipped):
    """A mirrored sigmoid from 1 down to 0, such as the rho of `Quantize`.

    With the share ``f = (t - start) / (end - start)`` of the way and
    ``g(f) = 1 / (1 + exp(steepness * (f - center)))`` it is 1 until `start`, 0 from `end` on, and
    ``(g(f) - g(1)) / (g(0) - g(1))`` between
    (Jin, Ma, Liu, Gromov, Defazio, Xiao, *PARQ*, ICML 2025).

    Parameters
    ----------
    start, end : int
        Updates between which it falls, ``0 <= start < end``.
    steepness : float
        Positive; nearly a line below 1, nearly a step at 100.
    center : float
        Share of the way at which the sigmoid falls fastest, from 0 to 1.

    Examples
    --------
    >>> from proxstep.schedules import Anneal
    >>> [round(Anneal(100, 200)(t), 4) for t in (99, 100, 125, 150, 200, 900)]
    [1.0, 1.0, 0.9299, 0.5, 0.0, 0.0]
    """

    start: int
    end: int
    steepness: float = 10.0
    center: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        count("start", self.start)
        if count("end", self.end) <= self.start:
            raise ValueError(f"end is {self.end}, start is {self.start}; it must come later")
        positive("steepness", self.steepness)
        from_0_to_1("center", self.center)

    def _rate(self, step: int) -> float:
        share = (step - self.start) / (self.end - self.start)
        first, last = self._sigmoid(0.0), self._sigmoid(1.0)
        return (self._sigmoid(min(max(share, 0.0), 1.0)) - last) / (first - last)

    def _sigmoid(self, share: float) -> float:
        """1 / (1 + exp(y)) as a tanh, which does not overflow."""
        return 0.5 - 0.5 * math.tanh(0.5 * self.steepness * (share - self.center))


@dataclass(frozen=True)
class Constant(_Clipped):
    """The same rate at every update: ``rate(t) = lr``.

    Parameters
    ----------
    lr : float
        Rate, positive.

    Examples
    --------
    >>> from proxstep.schedules import Constant
    >>> Constant(0.1)(1000)
    0.1
    """

    lr: float

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("lr", self.lr)

    def _rate(self, step: int) -> float:
        return self.lr


@dataclass(frozen=True)
class Step(_Clipped):
    """A staircase: ``rate(t) = lr * factor ** floor(t / every)``.

    Parameters
    ----------
    lr : float
        Rate of the first stair.
    every : int
        Updates on one stair.
    factor : float
        Ratio of one stair to the one before.

    Examples
    --------
    >>> from proxstep.schedules import Step
    >>> [Step(0.8, every=10, factor=0.5, floor=0.3)(t) for t in (0, 9, 10, 25)]
    [0.8, 0.8, 0.4, 0.3]
    """

    lr: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("lr", "factor"):
            positive(name, getattr(self, name))
        at_least_one("every", self.every)

    def _rate(self, step: int) -> float:
        return float(self.lr * self.factor ** (step // self.every))


@dataclass(frozen=True)
class InverseTime(_Clipped):
    """Decay in time (Robbins and Monro 1951): ``rate(t) = lr / (1 + decay * t) ** power``.

    Parameters
    ----------
    lr : float
        Rate of the first update.
    decay : float
        Decay per update.
    power : float
        1 for strongly convex losses, 1/2 for convex ones.

    Examples
    --------
    >>> from proxstep.schedules import InverseTime
    >>> [InverseTime(0.5, decay=0.25)(t) for t in (0, 4, 12)]
    [0.5, 0.25, 0.125]
    """

    lr: float
    decay: float
    power: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("lr", "decay", "power"):
            positive(name, getattr(self, name))

    def _rate(self, step: int) -> float:
        return float(self.lr / (1.0 + self.decay * step) ** self.power)


@dataclass(frozen=True)
class Cosine(_Clipped):
    """Half a cosine from ``lr`` down to ``floor`` over ``steps`` updates, then ``floor``.

    ``rate(t) = floor + (lr - floor) * (1 + cos(pi * t / steps)) / 2``
    (Loshchilov and Hutter, ICLR 2017, equation 5).

    Parameters
    ----------
    lr : float
        Rate of the first update.
    steps : int
        Updates until the floor is reached.

    Examples
    --------
    >>> from proxstep.schedules import Cosine
    >>> [round(Cosine(0.5, steps=100, floor=0.1)(t), 6) for t in (0, 50, 100, 900)]
    [0.5, 0.3, 0.1, 0.1]
    """

    lr: float
    steps: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_fall(self.lr, self.steps, self.floor)

    def _rate(self, step: int) -> float:
        share = 0.5 + 0.5 * math.cos(math.pi * min(step / self.steps, 1.0))
        return self.floor + (self.lr - self.floor) * share


@dataclass(frozen=True)
class Linear(_Clipped):
    """A line from ``lr`` down to ``floor`` over ``steps`` updates, then ``floor``.

    ``rate(t) = lr - (lr - floor) * t / steps``; down to 0 it is what the last iterate of
    (sub)gradient methods wants (Defazio, Cutkosky, Mehta, Mishchenko, *Optimal linear decay
    learning rate schedules and further refinements*, 2023).

    Parameters
    ----------
    lr : float
        Rate of the first update.
    steps : int
        Updates until the floor is reached.

    Examples
    --------
    >>> from proxstep.schedules import Linear
    >>> [round(Linear(0.5, steps=100, floor=0.1)(t), 6) for t in (0, 50, 100, 900)]
    [0.5, 0.3, 0.1, 0.1]
    """

    lr: float
    steps: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_fall(self.lr, self.steps, self.floor)

    def _rate(self, step: int) -> float:
        left = 1.0 - min(step / self.steps, 1.0)
        return self.floor + (self.lr - self.floor) * left


@dataclass(frozen=True)
class WarmUp(_Clipped):
    """A linear rise over ``steps`` updates, followed by another schedule.

    ``rate(t) = then(0) * (t + 1) / steps`` for ``t < steps``, ``then(t - steps)`` afterwards.
    The first rate is above zero, so that no update is wasted
    (Goyal et al. 2017, section 2.2).

    Parameters
    ----------
    then : callable
        Schedule that follows the rise.
    steps : int
        Updates of the rise; 0 for none.

    Examples
    --------
    >>> from proxstep.schedules import Cosine, WarmUp
    >>> rate = WarmUp(Cosine(0.4, steps=100), steps=4)
    >>> [round(rate(t), 6) for t in (0, 1, 3, 4, 54, 104)]
    [0.1, 0.2, 0.4, 0.4, 0.2, 0.0]
    """

    then: Schedule
    steps: int

    def __post_init__(self) -> None:
        super().__post_init__()
        function("then", self.then)
        count("steps", self.steps)

    def _rate(self, step: int) -> float:
        if step < self.steps:
            return self.then(0) * (step + 1) / self.steps
        return self.then(step - self.steps)


def _check_fall(lr: float, steps: int, floor: float) -> None:
    positive("lr", lr)
    at_least_one("steps", steps)
    if floor > lr:
        raise ValueError(f"floor {floor} exceeds lr {lr}")


@dataclass(frozen=True)
class CubicRamp:
    """A density, the share of nonzeros, that falls quickly at first and slowly at the end.

    ``density(t) = end + (start - end) * (1 - (t - t0) / (t1 - t0))**3`` between the updates
    ``t0 = begin_step`` and ``t1 = end_step``, ``start`` before and ``end`` afterwards
    (Zhu and Gupta, *To prune, or not to prune*, 2017, equation 1). For `proxstep.TopK`.

    Parameters
    ----------
    start, end : float
        Densities from 0 to 1.
    begin_step, end_step : int
        The updates between which the density changes, ``0 <= begin_step < end_step``.

    Raises
    ------
    TypeError, ValueError
        For settings out of these ranges.

    Examples
    --------
    >>> from proxstep.schedules import CubicRamp
    >>> ramp = CubicRamp(1.0, 0.1, begin_step=100, end_step=300)
    >>> [round(ramp(t), 4) for t in (0, 100, 150, 200, 300, 900)]
    [1.0, 1.0, 0.4797, 0.2125, 0.1, 0.1]
    """

    start: float
    end: float
    begin_step: int
    end_step: int

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            from_0_to_1(name, getattr(self, name))
        for name in ("begin_step", "end_step"):
            count(name, getattr(self, name))
        if self.begin_step >= self.end_step:
            raise ValueError(f"begin_step {self.begin_step} is not before end_step {self.end_step}")

    def __call__(self, step: int) -> float:
        """Return the density of update number ``step``."""
        if not step >= 0:
            raise ValueError(f"step must be at least 0, got {step}")
        passed = (step - self.begin_step) / (self.end_step - self.begin_step)
        rest = (1.0 - min(max(passed, 0.0), 1.0)) ** 3
        return float(self.start * rest + self.end * (1.0 - rest))  # exact at both ends
