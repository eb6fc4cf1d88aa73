"""Penalties of groups of elements: Group and SparseGroup, and what `over` may say.

Letters: x_g the elements of a group, w_g its weight, phi an elementwise penalty, z and s the point
and the step of a prox. The formulas are in csrc/op/group.hpp.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import _core
from .checks import at_least_one, integer, nearest, non_negative
from .penalties import Box, ElementwisePenalty, Penalty

__all__ = ["Group", "SparseGroup"]

Over = str | int | Sequence[int] | tuple[str, int]


def _parsed(over: Any) -> str | int | tuple[int, ...] | tuple[str, int]:
    """Return `over` in plain types: names, a block length or a tuple of segment lengths."""
    if isinstance(over, str):
        if over not in ("rows", "columns"):
            hint = ' ("heads" needs their number: ("heads", n))' if over == "heads" else ""
            raise ValueError(f"over is {over!r}; {nearest(over, ['rows', 'columns'])}{hint}")
        return over
    if isinstance(over, tuple) and len(over) == 2 and over[0] == "heads":
        return "heads", at_least_one("the number of heads", over[1])
    try:
        segments = list(over)
    except TypeError:  # no sequence: a block length
        return at_least_one("over", over)
    lists = [part for part in segments if _is_list(part)]
    if lists:
        _refuse_lists(lists)
    sizes = tuple(integer(f"over[{k}]", size) for k, size in enumerate(segments))
    if any(size < 0 for size in sizes):
        raise ValueError(f"over has a segment of {min(sizes)} elements")
    if sum(sizes) > sys.maxsize:
        raise ValueError(f"over has segments of {sum(sizes)} elements in all")
    return sizes


def _is_list(part: Any) -> bool:
    return isinstance(part, Iterable) and not isinstance(part, str) and getattr(part, "ndim", 1) > 0


def _refuse_lists(lists: list[Any]) -> None:
    """Say why lists of elements are no groups."""
    counts = Counter(element for part in lists for element in {repr(each) for each in part})
    element, times = counts.most_common(1)[0] if counts else ("", 0)
    if times > 1:
        raise ValueError(
            f"groups overlap: element {element} is in {times} of them; the prox of overlapping "
            f"groups has no closed form. Repeat its column in X, once for each group"
        )
    raise TypeError(
        f"over has {lists[0]!r}; groups are segments of consecutive elements: put the columns in "
        f"the order of their groups, and give the groups' lengths"
    )


def _layout(over: Any) -> tuple[str, list[int]]:
    """Put a parsed `over` in the core's terms."""
    if isinstance(over, str):
        return over, []
    if isinstance(over, int):
        return "blocks", [over]
    return ("heads", [over[1]]) if over[:1] == ("heads",) else ("segments", list(over))


@dataclass(frozen=True, eq=False)
class Group(Penalty):
    """``h(x) = sum_g w_g phi(||x_g||)`` for any elementwise penalty phi.

    ``prox(z_g) = z_g phi_prox(||z_g||) / ||z_g||``; with a step per element (an adaptive rule in
    the diagonal metric) the norm is found by a safeguarded scalar root per group, for penalties
    that are not convex on a grid of a quarter octave, in float64.

    Parameters
    ----------
    penalty : ElementwisePenalty
        Without weights: `Group(L1(lam), ...)` is the group lasso.
    over : {"rows", "columns"}, ("heads", int), int or sequence of int
        What the groups are: one per index of the first axis (the outputs of a linear layer, the
        filters of a convolution), one per index of the last axis, so many equal parts of the first
        axis (attention heads), consecutive blocks of so many elements in C order, or segments of
        the given lengths, which must cover x. A sequence is kept as a tuple.
    group_weights : array_like, optional
        One factor per group, not negative; ``sqrt`` of the group's size is customary for groups of
        different sizes. 0: unpenalised, infinity: exact zero.

    Raises
    ------
    TypeError
        For a penalty that is not elementwise, and an `over` of floats, booleans or lists.
    ValueError
        For a penalty with weights of its own, a Box without 0, an unknown `over`, groups that
        overlap, and weights that are negative or NaN.

    References
    ----------
    Yuan and Lin, *Model selection and estimation in regression with grouped variables*, JRSS B 68
    (2006).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.Group(ps.L1(2.5), over="rows").prox(np.array([[3.0, 4.0], [1.0, 1.0]]))
    array([[1.5, 2. ],
           [0. , 0. ]])
    """

    penalty: ElementwisePenalty
    over: Over
    group_weights: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "over", _parsed(self.over))
        super().__post_init__()

    def _make_spec(self) -> _core.PenaltySpec:
        if not isinstance(self.penalty, ElementwisePenalty):
            raise TypeError(f"penalty is {self.penalty!r}; an elementwise penalty is needed")
        if getattr(self.penalty, "weights", None) is not None:
            raise ValueError("penalty has weights of its own; give Group its group_weights")
        if isinstance(self.penalty, Box) and not (self.penalty.lower <= 0 <= self.penalty.upper):
            raise ValueError(f"penalty is {self.penalty!r}; a norm's Box needs lower <= 0 <= upper")
        spec = _core.PenaltySpec("none", [])
        over, sizes = _layout(self.over)
        spec.group(self.penalty.name, self.penalty.settings(), over, sizes, self.group_weights)
        return spec


@dataclass(frozen=True, eq=False)
class SparseGroup(Penalty):
    """``l1 sum_i w_i |x_i| + lam sum_g w_g ||x_g||``: zeros within groups, and whole groups.

    The prox is that of the elements, then that of the groups: with
    ``u_i = sign(z_i) (|z_i| - s l1 w_i)_+``, ``prox(z_g) = u_g (1 - s lam w_g / ||u_g||)_+``.

    Parameters
    ----------
    l1, lam : float
        Strengths for the elements and for the groups' norms, finite and not negative.
    over : {"rows", "columns"}, ("heads", int), int or sequence of int
        As for `Group`.
    weights : array_like, optional
        One factor per element, of x's shape, not negative; infinity is allowed.
    group_weights : array_like, optional
        One factor per group, not negative; infinity is allowed.

    Raises
    ------
    TypeError, ValueError
        For strengths out of their range, an `over` that is none, and weights that are negative or
        NaN.

    References
    ----------
    Simon, Friedman, Hastie, Tibshirani, *A sparse-group lasso*, J. Comput. Graph. Stat. 22 (2013).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.SparseGroup(l1=1.0, lam=2.5, over=3).prox(np.array([4.0, -5.0, 0.5]))
    array([ 1.5, -2. ,  0. ])
    """

    l1: float
    lam: float
    over: Over
    weights: Any = field(default=None, repr=False)
    group_weights: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "over", _parsed(self.over))
        super().__post_init__()

    def _make_spec(self) -> _core.PenaltySpec:
        non_negative("l1", self.l1)
        non_negative("lam", self.lam)
        spec = _core.PenaltySpec("l1", [float(self.l1)], self.weights)
        over, sizes = _layout(self.over)
        spec.group("l1", [float(self.lam)], over, sizes, self.group_weights)
        return spec
