"""Rules whose step is one number and whose gradient is taken at an extrapolated point.

The formulas are in csrc/op/update.hpp. Letters: x parameters, g gradient, m moments, z the point at
which the prox is taken, s its step, t the number of the step from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import from_0_below_1
from .base import Rule

__all__ = ["FISTA"]


@dataclass(frozen=True)
class FISTA(Rule):
    """Accelerated proximal gradient: ``x+ = prox(y - lr g)``, ``y = x+ + beta (x+ - x)``.

    The gradient belongs to y, the moment of that name, which starts at x. x itself is the iterate
    with the exact zeros.

    Parameters
    ----------
    lr : float
        Finite and not negative; at most 1 / L for a gradient with Lipschitz constant L.
    momentum : float, optional
        A constant beta, at least 0 and below 1; by default ``beta = (t - 1) / (t + 2)``.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range.

    References
    ----------
    Beck and Teboulle, SIAM J. Imaging Sci. 2 (2009); Chambolle and Dossal, JOTA 166 (2015).

    Examples
    --------
    Least squares towards b, whose gradient at y is y - b:

    >>> import numpy as np, proxstep as ps
    >>> rule, b = ps.FISTA(lr=0.5), np.array([3.0, 0.1])
    >>> x = np.zeros(2)
    >>> state = rule.init(x)
    >>> for _ in range(30):
    ...     ps.step(x, state.moments["y"] - b, rule, ps.L1(1.0), state)
    >>> x.round(3)
    array([2., 0.])
    """

    momentum: float | None = None
    name: ClassVar[str] = "fista"
    moments: ClassVar[tuple[str, ...]] = ("y",)
    starts_at_x: ClassVar[tuple[str, ...]] = ("y",)

    def _check(self) -> None:
        super()._check()
        if self.momentum is not None:
            from_0_below_1("momentum", self.momentum)

    def settings(self) -> list[float]:
        """Return the numbers that the core takes; a negative beta asks for the sequence in t."""
        return [float(self.lr), -1.0 if self.momentum is None else float(self.momentum)]
