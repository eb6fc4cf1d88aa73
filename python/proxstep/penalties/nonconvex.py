"""Penalties that leave large elements alone, or nearly so; not convex."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from .base import ElementwisePenalty

__all__ = ["L0", "L1_2", "L2_3", "MCP", "SCAD"]


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
