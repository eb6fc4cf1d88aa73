"""Convex penalties of single elements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..checks import number
from .base import ElementwisePenalty

__all__ = ["L1", "Box", "ElasticNet", "NonNegativeL1", "SquaredL2"]


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
