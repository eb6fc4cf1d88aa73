"""What all update rules share: (x, g, moments) -> (z, s), and the state of one array."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from .. import _core
from ..arrays import Array, bfloat16_zeros, dtype_name, refuse_masked, widened
from ..checks import from_0_below_1, non_negative, own_number, own_numbers

__all__ = ["Moments", "Rule", "State", "check_moments", "pair_of_betas"]

Moments = Literal["bfloat16"] | None


def check_moments(moments: Any) -> None:
    """Raise for what moments cannot be stored in."""
    if moments is not None and moments != "bfloat16":
        raise ValueError(f"moments is {moments!r}; 'bfloat16' or None, the compute type, is needed")


def pair_of_betas(given: Any) -> tuple[float, float]:
    """Return b1 and b2 as a tuple, whatever sequence they came in."""
    betas = tuple(given) if isinstance(given, Iterable) else ()
    if len(betas) != 2:
        raise TypeError(f"betas is {given!r}; a pair of numbers is needed")
    for k, beta in enumerate(betas):
        from_0_below_1(f"betas[{k}]", beta)
    return own_number(betas[0]), own_number(betas[1])


@dataclass
class State:
    """What a rule remembers of one array: the steps taken and its moments.

    The moments are plain arrays of x's library and shape in the compute type (float64 for float64,
    else float32) or, where `Rule.init` was asked for it, in bfloat16: look at them, save them, put
    them back.
    """

    step: int = 0
    moments: dict[str, Array] = field(default_factory=dict)


class _Compiled:
    spec: _core.RuleSpec  # made of the settings, and none of the dataclass's fields


@dataclass(frozen=True)
class Rule(_Compiled):
    """What all rules share; not used by itself."""

    lr: float
    name: ClassVar[str]
    moments: ClassVar[tuple[str, ...]] = ()
    starts_at_x: ClassVar[tuple[str, ...]] = ()  # moments that begin as a copy of x, not as zero
    directed: ClassVar[bool] = False  # moments make a direction, which the core takes for gradient

    @property
    def stepped(self) -> tuple[str, ...]:
        """The moments that the step of x itself changes."""
        return () if self.directed else self.moments

    def __post_init__(self) -> None:
        if not hasattr(self, "name"):
            raise TypeError(f"{type(self).__name__} is no rule of the core, such as SGD")
        own_numbers(self)
        self._check()
        object.__setattr__(self, "spec", _core.RuleSpec(self.name, self.settings(), self.directed))

    def __reduce__(self) -> tuple[Any, ...]:  # the compiled part is made anew
        return type(self), tuple(getattr(self, f.name) for f in fields(self))

    def _check(self) -> None:
        non_negative("lr", self.lr)

    def settings(self) -> list[float]:
        """Return the numbers that the core takes, in its order."""
        return [float(getattr(self, f.name)) for f in fields(self)]

    def init(self, x: Array, *, dtype: str | None = None, moments: Moments = None) -> State:
        """Make the state before the first step on x: zeros, or a copy of x where a rule says so.

        Parameters
        ----------
        x : array
            Float64, float32, bfloat16 or float16, of any library that speaks DLPack.
        dtype : str, optional
            What 16-bit integers stand for: "bfloat16" or "float16".
        moments : {None, "bfloat16"}
            "bfloat16" halves the moments of x that is not float64: every step rounds them
            stochastically, up or down with the probabilities that make the mean right, so that
            decay by little is not lost. Those that start as a copy of x ("y" of `FISTA`, "origin"
            of `RDA`) stay float32.

        Returns
        -------
        State
            Step 0, and the rule's moments: arrays of x's library, shape, layout and device in the
            compute type (float64 for float64, else float32). NumPy has no bfloat16: such moments
            are of x's dtype where that is ml_dtypes' bfloat16, else their bits as uint16.

        Raises
        ------
        TypeError
            For what is not an array, a masked array, and a dtype that is not handled: 16-bit
            integers without `dtype` among them.
        ValueError
            For a `dtype` or `moments` that is unknown, and for bfloat16 moments of float64 x.

        Examples
        --------
        >>> import numpy as np, proxstep as ps
        >>> ps.Momentum(lr=0.1).init(np.ones(2))
        State(step=0, moments={'velocity': array([0., 0.])})
        """
        refuse_masked(x)
        check_moments(moments)
        if moments and dtype_name(x) == "float64":
            raise ValueError("x has dtype float64; bfloat16 moments are for float32 and 16-bit x")
        arrays = {}
        for name in self.moments:
            if moments and name not in self.starts_at_x:
                arrays[name] = bfloat16_zeros(x, dtype)
                continue
            arrays[name] = widened(x, dtype)
            if name not in self.starts_at_x:
                arrays[name][...] = 0
        return State(0, arrays)
