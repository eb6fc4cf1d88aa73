"""Penalties h: each has `value(x)` and `prox(z, step)`. The formulas are in csrc/op/prox.hpp.

Letters: x parameters, z the point a prox is taken at, s its step, lam the strength, w a weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from . import _core
from .arrays import Array, empty_like
from .checks import nearest, non_negative

__all__ = [
    "L0",
    "L1",
    "L1_2",
    "L2_3",
    "MCP",
    "SCAD",
    "Box",
    "ElasticNet",
    "ElementwisePenalty",
    "Group",
    "NonNegativeL1",
    "Penalty",
    "SparseGroup",
    "SquaredL2",
]


@dataclass(frozen=True, eq=False)
class Penalty:
    """What all penalties share; not used by itself.

    A penalty is immutable and checked when it is made. Weights are copied.
    """

    spec: _core.PenaltySpec = field(init=False, repr=False)  # the compiled form

    def __post_init__(self) -> None:
        object.__setattr__(self, "spec", self._make_spec())

    def _make_spec(self) -> _core.PenaltySpec:
        raise TypeError(f"{type(self).__name__} is not a penalty of the core")

    def __reduce__(self) -> tuple[Any, ...]:  # the compiled part is made anew
        return type(self), tuple(getattr(self, f.name) for f in fields(self) if f.init)

    def prox(
        self, z: Array, step: float | Array = 1.0, *, out: Array = None, dtype: str | None = None
    ) -> Array:
        """Return the minimiser of ``sum((x - z)**2 / (2 * step)) + h(x)``.

        Parameters
        ----------
        z : array
            Dense, float64, float32, bfloat16 or float16.
        step : float or array
            Positive. An array of z's shape in the compute type (float64 for float64, else
            float32) gives every element its own step: the prox in that diagonal metric.
        out : array, optional
            Like `z`; may be `z` itself. A new array by default.
        dtype : str, optional
            What 16-bit integers stand for: "bfloat16" or "float16".

        Returns
        -------
        array
            `out`.

        Raises
        ------
        TypeError, ValueError
            For arrays that do not fit; nothing is written then.

        Examples
        --------
        >>> import numpy as np, proxstep as ps
        >>> ps.L1(0.5).prox(np.array([1.0, -0.25, -2.0]), step=2.0)
        array([ 0.,  0., -1.])
        """
        if out is None:
            out = empty_like(z, "z")
        _core.prox(z, self.spec, step, out, dtype)
        return out

    def value(self, x: Array, *, dtype: str | None = None) -> float:
        """Return h(x) in float64, infinite outside the domain.

        Examples
        --------
        >>> import numpy as np, proxstep as ps
        >>> ps.L1(0.5).value(np.array([1.0, -3.0]))
        2.0
        """
        return _core.value(x, self.spec, dtype)


@dataclass(frozen=True, eq=False)
class ElementwisePenalty(Penalty):
    """h(x) = sum_i w_i phi(x_i) for a scalar phi; `weights` w default to 1.

    A weight of 0 leaves its element unpenalised, a weight of infinity pins it to exact zero.
    """

    name: ClassVar[str]

    def settings(self) -> list[float]:
        """Return the numbers that the core takes, in its order."""
        return [float(getattr(self, name)) for name in self._numbers()]

    def _numbers(self) -> list[str]:
        return [f.name for f in fields(self) if f.init and f.name != "weights"]

    def _check(self) -> None:
        for name in self._numbers():
            non_negative(name, getattr(self, name))

    def _make_spec(self) -> _core.PenaltySpec:
        self._check()
        return _core.PenaltySpec(self.name, self.settings(), getattr(self, "weights", None))


@dataclass(frozen=True, eq=False)
class L1(ElementwisePenalty):
    """``lam * |x|``: the prox is the soft threshold ``sign(z) max(|z| - s lam, 0)``.

    Parameters
    ----------
    lam : float
        Strength, finite and not negative.
    weights : array_like, optional
        One factor per element, of x's shape.

    References
    ----------
    Parikh and Boyd, *Proximal Algorithms*, Foundations and Trends in Optimization 1 (2014), 6.5.2.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.L1(1.0, weights=[1.0, 0.0, np.inf]).prox(np.array([3.0, 3.0, 3.0]))
    array([2., 3., 0.])
    """

    lam: float
    weights: Any = field(default=None, repr=False)
    name: ClassVar[str] = "l1"


@dataclass(frozen=True, eq=False)
class SquaredL2(ElementwisePenalty):
    """``lam / 2 * x**2``: the prox is ``z / (1 + s lam)``.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.SquaredL2(3.0).prox(np.array([8.0]))
    array([2.])
    """

    lam: float
    weights: Any = field(default=None, repr=False)
    name: ClassVar[str] = "squared_l2"


@dataclass(frozen=True, eq=False)
class ElasticNet(ElementwisePenalty):
    """``l1 * |x| + l2 / 2 * x**2`` (Zou and Hastie, JRSS B 67, 2005).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.ElasticNet(l1=1.0, l2=3.0).prox(np.array([9.0, -0.5]))
    array([2., 0.])
    """

    l1: float
    l2: float
    weights: Any = field(default=None, repr=False)
    name: ClassVar[str] = "elastic_net"


@dataclass(frozen=True, eq=False)
class NonNegativeL1(ElementwisePenalty):
    """``lam * x`` on ``x >= 0``, infinite below: the prox is ``max(z - s lam, 0)``.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.NonNegativeL1(0.5).prox(np.array([2.0, -2.0]))
    array([1.5, 0. ])
    """

    lam: float
    weights: Any = field(default=None, repr=False)
    name: ClassVar[str] = "non_negative_l1"


@dataclass(frozen=True, eq=False)
class Box(ElementwisePenalty):
    """The indicator of ``lower <= x <= upper``: the prox clips. Either bound may be infinite.

    As a group penalty it bounds the norm by `upper`; `lower` must not be positive then.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.Box(-1.0, 2.0).prox(np.array([-3.0, 0.5, 3.0]))
    array([-1. ,  0.5,  2. ])
    """

    lower: float
    upper: float
    weights: Any = field(default=None, repr=False)
    name: ClassVar[str] = "box"

    def _check(self) -> None:
        if not self.lower <= self.upper:
            raise ValueError(
                f"lower is {self.lower}, upper is {self.upper}; lower <= upper is needed"
            )


@dataclass(frozen=True, eq=False)
class L0(ElementwisePenalty):
    """``lam`` for every ``x != 0``: the prox keeps ``|z| > sqrt(2 s lam)`` (hard threshold).

    Not convex; the prox is the global minimiser for every step.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.L0(2.0).prox(np.array([1.9, 2.1]))
    array([0. , 2.1])
    """

    lam: float
    weights: Any = field(default=None, repr=False)
    name: ClassVar[str] = "l0"


@dataclass(frozen=True, eq=False)
class MCP(ElementwisePenalty):
    """The minimax concave penalty: ``lam |x| - x**2 / (2 gamma)`` up to ``gamma lam``, then flat.

    The prox is the global minimiser for every step: the firm threshold where ``s < gamma``, a hard
    threshold at ``lam sqrt(gamma s)`` beyond.

    Parameters
    ----------
    lam : float
    gamma : float
        Positive; large values approach L1.

    References
    ----------
    Zhang, *Nearly unbiased variable selection under minimax concave penalty*, Ann. Stat. 38 (2010).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.MCP(1.0, gamma=2.0).prox(np.array([0.9, 1.5, 3.0]))
    array([0., 1., 3.])
    """

    lam: float
    gamma: float = 3.0
    weights: Any = field(default=None, repr=False)
    name: ClassVar[str] = "mcp"

    def _check(self) -> None:
        super()._check()
        if self.gamma <= 0:
            raise ValueError(f"gamma is {self.gamma}; it must be positive")


@dataclass(frozen=True, eq=False)
class SCAD(ElementwisePenalty):
    """The smoothly clipped absolute deviation: L1 up to `lam`, flat from ``a * lam`` on.

    The prox is the global minimiser for every step.

    Parameters
    ----------
    lam : float
    a : float
        Above 2.

    References
    ----------
    Fan and Li, *Variable selection via nonconcave penalized likelihood*, JASA 96 (2001).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.SCAD(1.0).prox(np.array([0.9, 1.75, 5.0]))
    array([0.  , 0.75, 5.  ])
    """

    lam: float
    a: float = 3.7
    weights: Any = field(default=None, repr=False)
    name: ClassVar[str] = "scad"

    def _check(self) -> None:
        super()._check()
        if self.a <= 2:
            raise ValueError(f"a is {self.a}; it must be above 2")


@dataclass(frozen=True, eq=False)
class L1_2(ElementwisePenalty):
    """``lam * |x|**(1/2)`` (Xu, Chang, Xu, Zhang, IEEE TNNLS 23, 2012). Not convex; exact prox.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.L1_2(1.0).prox(np.array([1.4, 4.0])).round(4)
    array([0.    , 3.7415])
    """

    lam: float
    weights: Any = field(default=None, repr=False)
    name: ClassVar[str] = "l1_2"


@dataclass(frozen=True, eq=False)
class L2_3(ElementwisePenalty):
    """``lam * |x|**(2/3)`` (Cao, Sun, Xu, J. Vis. Commun. Image R. 24, 2013). Not convex; exact.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.L2_3(1.0).prox(np.array([1.2, 4.0])).round(4)
    array([0.    , 3.5635])
    """

    lam: float
    weights: Any = field(default=None, repr=False)
    name: ClassVar[str] = "l2_3"


Over = str | int | Sequence[int]


def _layout(over: Over) -> tuple[str, list[int]]:
    if isinstance(over, str):
        if over not in ("rows", "columns"):
            raise ValueError(f"over is {over!r}; {nearest(over, ['rows', 'columns'])}")
        return over, []
    if isinstance(over, int):
        if over < 1:
            raise ValueError(f"over is {over}; a block has at least 1 element")
        return "blocks", [over]
    sizes = [int(size) for size in over]
    if any(size < 0 for size in sizes):
        raise ValueError(f"over has a segment of {min(sizes)} elements")
    return "segments", sizes


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
    over : {"rows", "columns"}, int or sequence of int
        What the groups are: one per index of the first axis, one per index of the last axis,
        consecutive blocks of so many elements in C order, or segments of the given lengths.
    weights : array_like, optional
        One factor per group; ``sqrt`` of the group's size is customary for groups of different
        sizes. 0: unpenalised, infinity: exact zero.

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
    weights: Any = field(default=None, repr=False)

    def _make_spec(self) -> _core.PenaltySpec:
        if not isinstance(self.penalty, ElementwisePenalty):
            raise TypeError(f"penalty is {self.penalty!r}; an elementwise penalty is needed")
        if getattr(self.penalty, "weights", None) is not None:
            raise ValueError("penalty has weights of its own; give Group one weight per group")
        if isinstance(self.penalty, Box) and not (self.penalty.lower <= 0 <= self.penalty.upper):
            raise ValueError(f"penalty is {self.penalty!r}; a norm's Box needs lower <= 0 <= upper")
        spec = _core.PenaltySpec("none", [])
        over, sizes = _layout(self.over)
        spec.group(self.penalty.name, self.penalty.settings(), over, sizes, self.weights)
        return spec


@dataclass(frozen=True, eq=False)
class SparseGroup(Penalty):
    """``l1 * sum_i w_i |x_i| + lam * sum_g w_g ||x_g||``: zeros within groups, and whole groups.

    Parameters
    ----------
    l1, lam : float
        Strengths for the elements and for the groups' norms.
    over : {"rows", "columns"}, int or sequence of int
        As for `Group`.
    weights, group_weights : array_like, optional
        Factors of the elements and of the groups.

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

    def _make_spec(self) -> _core.PenaltySpec:
        non_negative("l1", self.l1)
        non_negative("lam", self.lam)
        spec = _core.PenaltySpec("l1", [float(self.l1)], self.weights)
        over, sizes = _layout(self.over)
        spec.group("l1", [float(self.lam)], over, sizes, self.group_weights)
        return spec
