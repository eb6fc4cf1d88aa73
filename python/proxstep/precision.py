"""What an optimizer keeps in 16 bits and what in 32: checked settings and their arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .arrays import Array, dtype_name, widened
from .checks import count, flag, nearest
from .rules import Moments, Rule, check_moments

__all__ = ["Precision", "Rounding"]

Rounding = Literal["nearest", "stochastic"]
_ROUNDINGS = ("nearest", "stochastic")


@dataclass(frozen=True)
class Precision:
    """How the state and 16-bit parameters of an optimizer are stored."""

    moments: Moments
    rounding: Rounding
    master: bool
    seed: int

    def __post_init__(self) -> None:
        check_moments(self.moments)
        if self.rounding not in _ROUNDINGS:
            raise ValueError(
                f"rounding is {self.rounding!r}; {nearest(str(self.rounding), _ROUNDINGS)}"
            )
        flag("master", self.master)
        if self.master and self.rounding == "stochastic":
            raise ValueError(
                "a master is rounded to nearest; give master=True or rounding, not both"
            )
        if count("seed", self.seed) >= 2**64:
            raise ValueError(f"seed is {self.seed}; it must be below 2**64")

    @property
    def stochastic(self) -> bool:
        """Whether 16-bit parameters are rounded so."""
        return self.rounding == "stochastic"

    def state(self, rule: Rule, x: Array, dtype: str | None) -> dict[str, Array]:
        """Make what is kept of one array: the rule's moments and, where asked for, "master"."""
        kept = rule.init(x, dtype=dtype, moments=self.moments).moments
        if self.master and dtype_name(x) not in ("float64", "float32"):
            kept["master"] = widened(x, dtype)
        return kept
