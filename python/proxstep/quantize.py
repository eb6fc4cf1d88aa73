"""Quantising as a penalty: elements are drawn to a few levels, softly at first and then hard.

The formulas are in csrc/op/quantize.hpp. Letters: x parameters, z and s the point and the step of a
prox, a the scale of a group, l and r neighbouring levels, rho the inverse slope between them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from . import _core
from .arrays import frozen_weights
from .checks import at_least_one, count, from_0_to_1, integer, nearest, number
from .penalties import Penalty

__all__ = ["Quantize"]

_MOST_BITS = 8
_MOST_LEVELS = 256


@dataclass(frozen=True, eq=False)
class Quantize(Penalty):
    """Draws the elements of every group to multiples of its scale (PARQ).

    A point z of a group of scale a lies between neighbouring levels l and r at ``u = z / a``. With
    c midway between them the prox is ::

        x = a min(max(c + (u - c) / rho, l), r)

    flat at the levels, with slope ``1 / rho`` between, and the outermost level beyond these. The
    step does not enter: for every step s this is the prox of ::

        h(x) = (1 - rho) / (2 s) sum_i (x_i - a l_i) (a r_i - x_i)

    which is zero at the levels and infinite beyond the outermost. ``rho = 0`` rounds to the nearest
    level: the projection onto the levels. At a tie the smaller one in magnitude is taken, and of
    ``-r`` and ``r`` the latter. ``rho = 1`` is no penalty: z stays as it is, wherever it lies.
    `schedules.Anneal` leads from 1 to 0.

    Parameters
    ----------
    bits : int, optional
        1 to 8. The levels are the integers from ``-m`` to ``m`` with ``m = 2**(bits - 1) - 1``:
        three for 2 bits, 15 for 4; for 1 bit they are -1 and 1.
    levels : sequence of float, optional
        Instead of `bits`: 2 to 256 finite numbers, increasing. They are multiples of the scale.
    over : {None, "rows"} or int
        What has a scale of its own: the whole array, each row (index of the first axis), or
        consecutive blocks of so many elements, which must divide x. Rows and blocks are of
        arrays in C order.
    scale : {"absmax", "mean"}, float or array_like
        "absmax": the largest of the levels' magnitudes stands for the largest ``|z|`` of the group,
        found in the same pass and rounded as x is stored: ``x = (k / m) max|z|`` with k / m
        rounded. "mean", with `bits`: for the smaller of that and bits times the mean of ``|z|``,
        which for 1 bit is the least squares fit. Numbers are the scales themselves, finite and not
        negative, one or one per group: ``x = k scale``. They are copied.
    rho : float or callable
        Inverse slope from 0 to 1. A callable is a schedule: it takes the number of the update (0,
        1, 2, ...), which `Optimizer`, and `step` from its state, ask for in every step; `prox` and
        `value` need `at`.

    Raises
    ------
    TypeError
        For what is not a number of the kind.
    ValueError
        For settings out of their range; later for arrays that blocks do not divide, that are not in
        C order, or whose groups are not as many as the scales.

    Notes
    -----
    What is stored is exactly the level times the scale, rounded once, and zeros are +0. So a second
    prox with ``rho=0`` changes nothing where the scale is given, or "absmax" with outermost levels
    of one magnitude. NaN stays NaN. A group whose own scale cannot be found, as it holds a NaN or
    an infinity, becomes NaN as a whole, so that a diverged run stays visible; with a given scale
    infinities go to the outermost levels. A group of zeros stays zero.

    Arrays in CUDA memory get the bits of the CPU but for "mean", whose sum is in another order.

    `value` is h with a step of 1, and for ``rho=0`` the indicator of the levels: 0 or infinity. It
    takes the scales from x, a step's `StepInfo.penalty` those of its prox: they are the same for
    "absmax", but not for "mean".

    The prox replaces x. Under a rule whose point starts from x, such as SGD or AdamW, an element
    that moves by less than half the distance of two levels then returns with ``rho=0``, and with a
    small rho. `RDA` and `FTRL` start from their sums of gradients, as PARQ does from its latent
    weights, and can leave a level at any time.

    References
    ----------
    Jin, Ma, Liu, Gromov, Defazio, Xiao, *PARQ: Piecewise-affine regularized quantization*, ICML
    2025. Courbariaux, Bengio, David, *BinaryConnect*, NeurIPS 2015.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> z = np.array([0.9, -0.2, 0.3, -1.0])
    >>> ps.Quantize(bits=2).prox(z)
    array([ 1.,  0.,  0., -1.])
    >>> ps.Quantize(bits=2, rho=0.5).prox(z).round(3)
    array([ 1. ,  0. ,  0.1, -1. ])
    >>> ps.Quantize(levels=(-1, 0, 2), scale=0.25).prox(z)
    array([ 0.5 , -0.25,  0.5 , -0.25])
    >>> anneal = ps.schedules.Anneal(start=100, end=900)
    >>> h = ps.Quantize(bits=4, over="rows", rho=anneal)
    >>> round(h.at(300).rho, 3)
    0.93
    """

    bits: int | None = None
    levels: Sequence[float] | None = None
    over: Literal["rows"] | int | None = None
    scale: Any = "absmax"
    rho: float | Callable[[int], float] = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", _checked_bits(self.bits, self.levels))
        object.__setattr__(self, "levels", _checked_levels(self.levels))
        object.__setattr__(self, "over", _checked_over(self.over))
        object.__setattr__(self, "scale", _checked_scale(self.scale, self.bits))
        if not callable(self.rho):
            object.__setattr__(self, "rho", _checked_rho("rho", self.rho))
        super().__post_init__()

    def rho_at(self, update: int) -> float:
        """Return rho of update number 0, 1, 2, ...; it is the same for all without a schedule.

        Parameters
        ----------
        update : int
            Steps taken before.

        Raises
        ------
        TypeError, ValueError
            Where the schedule gives no number from 0 to 1.

        Examples
        --------
        >>> import proxstep as ps
        >>> ps.Quantize(2, rho=lambda t: 1 / (1 + t)).rho_at(3)
        0.25
        """
        if not callable(self.rho):
            return self.rho
        update = count("update", update)
        return _checked_rho(f"rho({update})", self.rho(update))

    def at(self, update: int) -> Quantize:
        """Return the penalty of update number 0, 1, 2, ..., without a schedule.

        Parameters
        ----------
        update : int
            Steps taken before.

        Raises
        ------
        TypeError, ValueError
            Where the schedule gives no number from 0 to 1.

        Examples
        --------
        >>> import proxstep as ps
        >>> ps.Quantize(2, rho=lambda t: 1 / (1 + t)).at(1)
        Quantize(bits=2, levels=None, over=None, scale='absmax', rho=0.5)
        """
        return dataclasses.replace(self, rho=self.rho_at(update)) if callable(self.rho) else self

    def _make_spec(self) -> _core.PenaltySpec:
        spec = _core.PenaltySpec("none", [])
        given = not isinstance(self.scale, str)
        most, one = _integers(self.bits)
        table = self.levels or ()
        largest = 1.0 if given else max(map(abs, table), default=1.0)
        spec.quantize(
            most,
            one if given else most,
            [level / largest for level in table],
            math.nan if callable(self.rho) else self.rho,
            "given" if given else self.scale,
            self.bits or 0,
            self.scale if given else None,
        )
        if self.over is not None:
            block = self.over if isinstance(self.over, int) else 0
            spec.quantize_over("blocks" if block else "rows", block)
        return spec


def _integers(bits: int | None) -> tuple[float, float]:
    """Return the largest level and what 1 is, in levels that are one apart."""
    return (0.5, 0.5) if bits == 1 else (2.0 ** ((bits or 2) - 1) - 1.0, 1.0)


def _checked_bits(bits: Any, levels: Any) -> int | None:
    if (bits is None) == (levels is None):
        raise ValueError(f"bits is {bits}, levels is {levels}; exactly one of them is needed")
    if bits is None:
        return None
    given = integer("bits", bits)
    if not 1 <= given <= _MOST_BITS:
        raise ValueError(f"bits is {given}; it must lie between 1 and {_MOST_BITS}")
    return given


def _checked_levels(levels: Any) -> tuple[float, ...] | None:
    if levels is None:
        return None
    given = tuple(levels)
    for k, level in enumerate(given):
        number(f"levels[{k}]", level)
    numbers = tuple(float(level) + 0.0 for level in given)  # -0 becomes 0
    if not 2 <= len(numbers) <= _MOST_LEVELS:
        raise ValueError(f"there are {len(numbers)} levels; 2 to {_MOST_LEVELS} are needed")
    for k, level in enumerate(numbers):
        if not math.isfinite(level):
            raise ValueError(f"levels[{k}] is {level}; levels must be finite")
        if k and level <= numbers[k - 1]:
            raise ValueError(f"levels[{k}] is {level}, after {numbers[k - 1]}; they must increase")
    return numbers


def _checked_over(over: Any) -> Any:
    if over is None or over == "rows":
        return over
    if isinstance(over, str):
        raise ValueError(f"over is {over!r}; {nearest(over, ['rows'])}")
    return at_least_one("over", over)


def _checked_scale(scale: Any, bits: int | None) -> Any:
    if not isinstance(scale, str):
        if np.ndim(scale) == 0:
            number("scale", scale)
        scales = frozen_weights(scale).reshape(-1)
        bad = np.flatnonzero(~(np.isfinite(scales) & (scales >= 0)))
        if bad.size:
            raise ValueError(f"scale is {scales[bad[0]]}; it must be finite and not negative")
        if not scales.size:
            raise ValueError("scale has no elements")
        return float(scales[0]) if np.ndim(scale) == 0 else scales
    if scale not in ("absmax", "mean"):
        raise ValueError(f"scale is {scale!r}; {nearest(scale, ['absmax', 'mean'])}")
    if scale == "mean" and bits is None:
        raise ValueError("scale is 'mean', which counts bits; levels go with 'absmax' or numbers")
    return scale


def _checked_rho(name: str, rho: Any) -> float:
    from_0_to_1(name, rho)
    return float(rho)
