"""Penalties of users: any object with value(x) and prox(z, step)."""

from __future__ import annotations

from typing import Any

from ..arrays import Array
from ..namespace import namespace
from ..penalties import L1, Penalty
from ..projections import Projection
from ..quantize import Quantize


class UserPenalty:
    """Calls the user's methods, and makes sure of what they return."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def value(self, x: Array) -> float:
        """Return h(x)."""
        return float(self.given.value(x))

    def prox(self, z: Array, step: float) -> Array:
        """Return the prox as an array of z's library, shape and dtype."""
        xp = namespace(z)
        x = xp.asarray(xp.bring("prox(z, step)", self.given.prox(z, step)), z.dtype)
        if x.shape != z.shape:
            shapes = f"{tuple(x.shape)} for {tuple(z.shape)}"
            raise ValueError(f"prox of {self.given!r} returned shape {shapes}")
        return x

    def __repr__(self) -> str:
        return repr(self.given)


def as_penalty(given: Any) -> Any:
    """Return a penalty of this library, or a user's one wrapped; None has no strength.

    Raises
    ------
    TypeError
        For what is no penalty.
    ValueError
        For a `Quantize` that is neither hard nor off: its h changes with the step.
    """
    if given is None:
        return L1(0.0)
    if isinstance(given, Quantize) and given.rho not in (0.0, 1.0):
        raise ValueError(
            f"{given!r} is another function of x for every step, so that there is no objective to "
            f"minimise; rho=0 and rho=1 have one, and step, Optimizer and train take any rho"
        )
    if isinstance(given, Penalty | Projection):
        return given
    usable = callable(getattr(given, "prox", None)) and callable(getattr(given, "value", None))
    if isinstance(given, type) or not usable:
        raise TypeError(
            f"penalty is {given!r}; an object with value(x) and prox(z, step) is needed"
        )
    return UserPenalty(given)
