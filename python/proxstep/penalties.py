"""Penalties h of single elements: each has `value(x)` and `prox(z, step)`.

The formulas are in csrc/op/prox.hpp. Letters: x parameters, z the point a prox is taken at, s its
step, lam the strength, w a weight. `(t)_+` is ``max(t, 0)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np

from . import _core
from .arrays import Array, empty_like, frozen_weights
from .checks import non_negative, number

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
    "NonNegativeL1",
    "Penalty",
    "SquaredL2",
]


class _Compiled:
    spec: _core.PenaltySpec  # made of the settings, and none of the dataclass's fields


@dataclass(frozen=True, eq=False)
class Penalty(_Compiled):
    """What all penalties share; not used by itself.

    A penalty is immutable and checked when it is made. Weights are copied, into read-only float64
    arrays. Penalties of one kind with equal settings and weights are equal.
    """

    def __post_init__(self) -> None:
        for name in ("weights", "group_weights"):
            if getattr(self, name, None) is not None:
                object.__setattr__(self, name, frozen_weights(getattr(self, name)))
        object.__setattr__(self, "spec", self._make_spec())

    def _make_spec(self) -> _core.PenaltySpec:
        raise TypeError(f"{type(self).__name__} is not a penalty of the core")

    def __reduce__(self) -> tuple[Any, ...]:  # the compiled part is made anew
        return type(self), self._settings()

    def _settings(self) -> tuple[Any, ...]:
        return tuple(getattr(self, f.name) for f in fields(self))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Penalty) or type(other) is not type(self):
            return NotImplemented
        return all(map(_equal, self._settings(), other._settings()))

    def __hash__(self) -> int:
        settings = (x.shape if isinstance(x, np.ndarray) else x for x in self._settings())
        return hash((type(self), *settings))

    def prox(
        self, z: Array, step: float | Array = 1.0, *, out: Array = None, dtype: str | None = None
    ) -> Array:
        """Return the minimiser of ``sum((x - z)**2 / (2 * step)) + h(x)``.

        Parameters
        ----------
        z : array
            Dense, float64, float32, bfloat16 or float16.
        step : float or array
            Not negative. An array of z's shape in the compute type (float64 for float64, else
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
        """Return h(x) in float64, infinite outside the domain, NaN where x has a NaN.

        Parameters
        ----------
        x : array
            Dense, float64, float32, bfloat16 or float16.
        dtype : str, optional
            What 16-bit integers stand for: "bfloat16" or "float16".

        Raises
        ------
        TypeError, ValueError
            For an array that does not fit.

        Examples
        --------
        >>> import numpy as np, proxstep as ps
        >>> ps.L1(0.5).value(np.array([1.0, -3.0]))
        2.0
        """
        return _core.value(x, self.spec, dtype)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return bool(one == other)


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
        return [f.name for f in fields(self) if f.name != "weights"]

    def _check(self) -> None:
        for name in self._numbers():
            non_negative(name, getattr(self, name))

    def _make_spec(self) -> _core.PenaltySpec:
        self._check()
        return _core.PenaltySpec(self.name, self.settings(), getattr(self, "weights", None))


@dataclass(frozen=True, eq=False)
class L1(ElementwisePenalty):
    """``lam |x|``: the prox is the soft threshold ``sign(z) (|z| - s lam)_+``.

    Parameters
    ----------
    lam : float
        Strength, finite and not negative.
    weights : array_like, optional
        One factor per element, of x's shape, not negative; infinity is allowed.

    Raises
    ------
    TypeError, ValueError
        For a strength out of its range, and for weights that are negative or NaN.

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

    Parameters
    ----------
    lam : float
        Strength, finite and not negative.
    weights : array_like, optional
        One factor per element, of x's shape, not negative; infinity is allowed.

    Raises
    ------
    TypeError, ValueError
        For a strength out of its range, and for weights that are negative or NaN.

    References
    ----------
    Hoerl and Kennard, *Ridge regression*, Technometrics 12 (1970).

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
    """``l1 |x| + l2 / 2 * x**2``: the prox is ``sign(z) (|z| - s l1)_+ / (1 + s l2)``.

    Parameters
    ----------
    l1, l2 : float
        Strengths, finite and not negative.
    weights : array_like, optional
        One factor per element, of x's shape, not negative; infinity is allowed.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range, and for weights that are negative or NaN.

    References
    ----------
    Zou and Hastie, *Regularization and variable selection via the elastic net*, JRSS B 67 (2005).

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
    """``lam x`` on ``x >= 0``, infinite below: the prox is ``(z - s lam)_+``.

    Parameters
    ----------
    lam : float
        Strength, finite and not negative.
    weights : array_like, optional
        One factor per element, of x's shape, not negative; infinity is allowed.

    Raises
    ------
    TypeError, ValueError
        For a strength out of its range, and for weights that are negative or NaN.

    References
    ----------
    Parikh and Boyd, *Proximal Algorithms*, Foundations and Trends in Optimization 1 (2014).

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
    """The indicator of ``lower <= x <= upper``: the prox is ``min(max(z, lower), upper)``.

    As a group penalty it bounds the norm by `upper`; `lower` must not be positive then. A 16-bit
    array is kept inside: the bounds are rounded inwards to its numbers.

    Parameters
    ----------
    lower, upper : float
        ``lower <= upper``; either may be infinite.
    weights : array_like, optional
        0 frees an element, infinity pins it to zero, all else leaves the box as it is.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range, and for weights that are negative or NaN.

    References
    ----------
    Parikh and Boyd, *Proximal Algorithms*, Foundations and Trends in Optimization 1 (2014).

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
        for name in ("lower", "upper"):
            number(name, getattr(self, name))
        if not self.lower <= self.upper:
            raise ValueError(
                f"lower is {self.lower}, upper is {self.upper}; lower <= upper is needed"
            )


@dataclass(frozen=True, eq=False)
class L0(ElementwisePenalty):
    """``lam`` for every ``x != 0``: the prox is the hard threshold.

    ``prox(z) = z`` where ``|z| > sqrt(2 s lam)``, else 0: the global minimiser for every step of a
    penalty that is not convex.

    Parameters
    ----------
    lam : float
        Strength, finite and not negative.
    weights : array_like, optional
        One factor per element, of x's shape, not negative; infinity is allowed.

    Raises
    ------
    TypeError, ValueError
        For a strength out of its range, and for weights that are negative or NaN.

    References
    ----------
    Blumensath and Davies, *Iterative thresholding for sparse approximations*, J. Fourier Anal.
    Appl. 14 (2008).

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

    The prox is the global minimiser for every step. Where ``s < gamma`` it is the firm threshold:
    ``z`` for ``|z| > gamma lam``, else ``sign(z) (|z| - s lam)_+ / (1 - s / gamma)``. Beyond it is
    a hard threshold: ``z`` for ``|z| > lam sqrt(gamma s)``, else 0.

    Parameters
    ----------
    lam : float
        Strength, finite and not negative.
    gamma : float
        Positive; large values approach L1.
    weights : array_like, optional
        One factor per element, of x's shape, not negative; infinity is allowed.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range, and for weights that are negative or NaN.

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
    """The smoothly clipped absolute deviation: L1 up to `lam`, flat from ``a lam`` on.

    ``lam |x|`` for ``|x| <= lam``, ``(2 a lam |x| - x**2 - lam**2) / (2 (a - 1))`` up to ``a lam``,
    ``(a + 1) lam**2 / 2`` beyond. The prox is the global minimiser for every step. Where
    ``s < a - 1`` it is ``sign(z) (|z| - s lam)_+`` for ``|z| <= (1 + s) lam``,
    ``((a - 1) z - sign(z) s a lam) / (a - 1 - s)`` up to ``a lam``, and ``z`` beyond. For longer
    steps it is the better of ``sign(z) min((|z| - s lam)_+, lam)`` and, for ``|z| > a lam``, ``z``.

    Parameters
    ----------
    lam : float
        Strength, finite and not negative.
    a : float
        Above 2.
    weights : array_like, optional
        One factor per element, of x's shape, not negative; infinity is allowed.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range, and for weights that are negative or NaN.

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
    """``lam |x|**(1/2)``: not convex, with the exact prox for every step.

    ``prox(z) = z v**2`` with the largest root v of ``v**3 - v + s lam / (2 |z|**(3/2)) = 0``, which
    is ``4/3 z cos((pi - acos(k))/3)**2`` for ``k = sqrt(27) s lam / (4 |z|**(3/2))``; 0 for
    ``|z| <= 3/2 (s lam)**(2/3)``.

    Parameters
    ----------
    lam : float
        Strength, finite and not negative.
    weights : array_like, optional
        One factor per element, of x's shape, not negative; infinity is allowed.

    Raises
    ------
    TypeError, ValueError
        For a strength out of its range, and for weights that are negative or NaN.

    References
    ----------
    Xu, Chang, Xu, Zhang, *L1/2 regularization: a thresholding representation theory and a fast
    solver*, IEEE TNNLS 23 (2012).

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
    """``lam |x|**(2/3)``: not convex, with the exact prox for every step.

    ``prox(z) = z v**3`` with the largest root v of ``v**4 - v + 2 s lam / (3 |z|**(4/3)) = 0``; 0
    for ``|z| <= 2 (2/3 s lam)**(3/4)``.

    Parameters
    ----------
    lam : float
        Strength, finite and not negative.
    weights : array_like, optional
        One factor per element, of x's shape, not negative; infinity is allowed.

    Raises
    ------
    TypeError, ValueError
        For a strength out of its range, and for weights that are negative or NaN.

    References
    ----------
    Cao, Sun, Xu, *Fast image deconvolution using closed-form thresholding formulas of Lq (q = 1/2,
    2/3) regularization*, J. Vis. Commun. Image R. 24 (2013).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.L2_3(1.0).prox(np.array([1.2, 4.0])).round(4)
    array([0.    , 3.5635])
    """

    lam: float
    weights: Any = field(default=None, repr=False)
    name: ClassVar[str] = "l2_3"
