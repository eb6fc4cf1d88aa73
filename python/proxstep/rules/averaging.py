"""Rules that start from what they summed, not from where x is.

The formulas are in csrc/op/update.hpp. Letters: x parameters, g gradient, m moments, z the point at
which the prox is taken, s its step, t the number of the step from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import non_negative, positive
from .base import Rule

__all__ = ["FTRL", "RDA"]


@dataclass(frozen=True)
class RDA(Rule):
    """Regularised dual averaging: ``G += g``, ``z = x0 - lr G / sqrt(t)``, ``s = lr sqrt(t)``.

    The moments are "sum", G, which starts at 0, and "origin", x0, where x started. The penalty
    counts once per step, as in the averaged objective. The rate is to stay the same: it scales all
    of G, and at 0 x is x0 again.

    Parameters
    ----------
    lr : float
        Learning rate, finite and not negative.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range.

    References
    ----------
    Xiao, *Dual averaging methods for regularized stochastic learning*, JMLR 11 (2010).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> rule = ps.RDA(lr=0.1)
    >>> x = np.array([1.0, -2.0])
    >>> state = rule.init(x)
    >>> for _ in range(2):
    ...     ps.step(x, np.array([0.3, 0.4]), rule, ps.L1(0.1), state)
    >>> x.round(3)
    array([ 0.943, -2.042])
    """

    name: ClassVar[str] = "rda"
    moments: ClassVar[tuple[str, ...]] = ("sum", "origin")
    starts_at_x: ClassVar[tuple[str, ...]] = ("origin",)


@dataclass(frozen=True)
class FTRL(Rule):
    """FTRL-Proximal: the linear term `a` and the squares `n` of the gradients accumulate.

    ``n += g**2``, ``a += g - (sqrt(n) - sqrt(n_old)) / lr * x``,
    ``s = lr / (beta + sqrt(n))``, ``z = -s a``.
    The moments are "accumulator", a, and "sum_sq", n; both start at 0.

    The penalty counts once in all, as in the paper, so its strength is that of a sum over steps.

    Parameters
    ----------
    lr : float
        Learning rate, finite and positive: the formulas divide by it.
    beta : float
        Finite and not negative.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range.

    Notes
    -----
    x enters through a alone, in proportion to the gradients seen. Where they are zero, FTRL does
    not know where x starts: z is 0. After the first gradient ``z = (|g| x - lr g) / (beta + |g|)``,
    near 0 for gradients that are small beside beta. With ``beta = 0`` that is `Adagrad`'s step, but
    an element without a gradient in the first step becomes NaN (0 / 0).

    References
    ----------
    McMahan et al., *Ad click prediction: a view from the trenches*, KDD 2013.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> rule = ps.FTRL(lr=0.1)
    >>> x = np.array([1.0, -2.0])
    >>> state = rule.init(x)
    >>> for _ in range(2):
    ...     ps.step(x, np.array([0.3, 0.4]), rule, ps.L1(0.1), state)
    >>> x.round(3)
    array([ 0.179, -0.618])
    """

    beta: float = 1.0
    name: ClassVar[str] = "ftrl"
    moments: ClassVar[tuple[str, ...]] = ("accumulator", "sum_sq")

    def _check(self) -> None:
        positive("lr", self.lr)
        non_negative("beta", self.beta)
