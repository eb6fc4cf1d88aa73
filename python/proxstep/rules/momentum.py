"""Rules whose step is one number: gradient steps, and momentum.

The formulas are in csrc/op/update.hpp. Letters: x parameters, g gradient, m moments, z the point at
which the prox is taken, s its step, t the number of the step from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import from_0_below_1, from_0_to_1, non_negative
from .base import Rule

__all__ = ["SGD", "Momentum", "Nesterov"]


@dataclass(frozen=True)
class SGD(Rule):
    """``z = (1 - lr weight_decay) x - lr g``, ``s = lr``: the proximal gradient step.

    Parameters
    ----------
    lr : float
        Learning rate, finite and not negative.
    weight_decay : float
        Coupled: the gradient of ``weight_decay/2 ||x||**2``. Finite and not negative.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range.

    References
    ----------
    Robbins and Monro, *A stochastic approximation method*, Ann. Math. Stat. 22 (1951).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> x = np.array([1.0, -1.0])
    >>> ps.step(x, np.array([4.0, -9.5]), ps.SGD(lr=0.1), ps.L1(1.0))
    >>> x
    array([0.5, 0. ])
    """

    weight_decay: float = 0.0
    name: ClassVar[str] = "sgd"

    def _check(self) -> None:
        super()._check()
        non_negative("weight_decay", self.weight_decay)


@dataclass(frozen=True)
class Momentum(Rule):
    """Heavy ball: ``v = momentum v + (1 - dampening) g'``, ``z = x - lr v``, ``s = lr``.

    Here ``g' = g + weight_decay x``. The moment is "velocity", v, in units of the gradient; it
    starts at 0, and the first gradient is not damped. The form is that of ``torch.optim.SGD``.

    Parameters
    ----------
    lr : float
        Learning rate, finite and not negative.
    momentum : float
        Decay of the velocity, at least 0 and below 1.
    weight_decay : float
        Coupled, finite and not negative.
    dampening : float
        At least 0 and at most 1.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range.

    References
    ----------
    Polyak, *Some methods of speeding up the convergence of iteration methods*, USSR Comput. Math.
    Math. Phys. 4 (1964).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> rule = ps.Momentum(lr=0.1, momentum=0.8)
    >>> x = np.array([1.0, -2.0])
    >>> state = rule.init(x)
    >>> for _ in range(2):
    ...     ps.step(x, np.array([0.3, 0.4]), rule, ps.L1(0.1), state)
    >>> x.round(3)
    array([ 0.896, -2.092])
    """

    momentum: float = 0.9
    weight_decay: float = 0.0
    dampening: float = 0.0
    name: ClassVar[str] = "momentum"
    moments: ClassVar[tuple[str, ...]] = ("velocity",)

    def _check(self) -> None:
        super()._check()
        from_0_below_1("momentum", self.momentum)
        non_negative("weight_decay", self.weight_decay)
        from_0_to_1("dampening", self.dampening)


@dataclass(frozen=True)
class Nesterov(Rule):
    """``v = momentum v + g'``, ``z = x - lr (g' + momentum v)``, ``s = lr``.

    Here ``g' = g + weight_decay x``. The moment is "velocity", v, which starts at 0; the form is
    that of ``torch.optim.SGD``.

    Parameters
    ----------
    lr : float
        Learning rate, finite and not negative.
    momentum : float
        Decay of the velocity, at least 0 and below 1.
    weight_decay : float
        Coupled, finite and not negative.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range.

    References
    ----------
    Sutskever, Martens, Dahl, Hinton, *On the importance of initialization and momentum*, ICML 2013.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> rule = ps.Nesterov(lr=0.1, momentum=0.8)
    >>> x = np.array([1.0, -2.0])
    >>> state = rule.init(x)
    >>> for _ in range(2):
    ...     ps.step(x, np.array([0.3, 0.4]), rule, ps.L1(0.1), state)
    >>> x.round(3)
    array([ 0.853, -2.15 ])
    """

    momentum: float = 0.9
    weight_decay: float = 0.0
    name: ClassVar[str] = "nesterov"
    moments: ClassVar[tuple[str, ...]] = ("velocity",)

    def _check(self) -> None:
        super()._check()
        from_0_below_1("momentum", self.momentum)
        non_negative("weight_decay", self.weight_decay)
