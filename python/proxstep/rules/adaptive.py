"""Rules with a step for every element, made of squared gradients.

The formulas are in csrc/op/update.hpp. Letters: x parameters, g gradient, m moments, z the point at
which the prox is taken, s its step, t the number of the step from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import non_negative
from .base import Rule, pair_of_betas

__all__ = ["Adagrad", "Adam", "AdamW"]


@dataclass(frozen=True)
class Adagrad(Rule):
    """``n += g'**2``, ``s = lr_t / (sqrt(n) + eps)``, ``z = x - s g'``.

    Here ``g' = g + weight_decay x`` and ``lr_t = lr / (1 + (t - 1) lr_decay)``. The moment is
    "sum_sq", n, which starts at 0.

    Parameters
    ----------
    lr : float
        Learning rate, finite and not negative.
    eps, weight_decay, lr_decay : float
        Finite and not negative.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range.

    References
    ----------
    Duchi, Hazan, Singer, *Adaptive subgradient methods for online learning and stochastic
    optimization*, JMLR 12 (2011).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> rule = ps.Adagrad(lr=0.1)
    >>> x = np.array([1.0, -2.0])
    >>> state = rule.init(x)
    >>> for _ in range(2):
    ...     ps.step(x, np.array([0.3, 0.4]), rule, ps.L1(0.1), state)
    >>> x.round(3)
    array([ 0.772, -2.128])
    """

    eps: float = 1e-10
    weight_decay: float = 0.0
    lr_decay: float = 0.0
    name: ClassVar[str] = "adagrad"
    moments: ClassVar[tuple[str, ...]] = ("sum_sq",)

    def _check(self) -> None:
        super()._check()
        for name in ("eps", "weight_decay", "lr_decay"):
            non_negative(name, getattr(self, name))


@dataclass(frozen=True)
class Adam(Rule):
    """Adam with decoupled weight decay, bias-corrected.

    ``m = b1 m + (1 - b1) g``, ``v = b2 v + (1 - b2) g**2``,
    ``s = lr / (sqrt(v / (1 - b2**t)) + eps)``, ``z = (1 - lr weight_decay) x - s m / (1 - b1**t)``.
    The moments are "exp_avg", m, and "exp_avg_sq", v; both start at 0.

    The decay is decoupled in `Adam` and in `AdamW`, which differ in its default alone. (The decay
    of ``torch.optim.Adam`` is coupled; use a `SquaredL2` gradient for that.)

    Parameters
    ----------
    lr : float
        Learning rate, finite and not negative.
    betas : pair of float
        b1 and b2, each at least 0 and below 1.
    eps, weight_decay : float
        Finite and not negative.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range.

    References
    ----------
    Kingma and Ba, *Adam: a method for stochastic optimization*, ICLR 2015; Loshchilov and Hutter,
    *Decoupled weight decay regularization*, ICLR 2019.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> rule = ps.Adam(lr=0.1, betas=(0.8, 0.95))
    >>> x = np.array([1.0, -2.0])
    >>> state = rule.init(x)
    >>> for _ in range(2):
    ...     ps.step(x, np.array([0.3, 0.4]), rule, ps.L1(0.1), state)
    >>> x.round(3)
    array([ 0.733, -2.15 ])
    """

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    name: ClassVar[str] = "adam"
    moments: ClassVar[tuple[str, ...]] = ("exp_avg", "exp_avg_sq")

    def _check(self) -> None:
        super()._check()
        object.__setattr__(self, "betas", pair_of_betas(self.betas))
        non_negative("eps", self.eps)
        non_negative("weight_decay", self.weight_decay)

    def settings(self) -> list[float]:
        """Return the numbers that the core takes, in its order."""
        return [float(v) for v in (self.lr, *self.betas, self.eps, self.weight_decay)]


@dataclass(frozen=True)
class AdamW(Adam):
    """`Adam` with a decoupled weight decay of 0.01 by default.

    Parameters
    ----------
    lr, betas, eps, weight_decay
        As for `Adam`.

    References
    ----------
    Loshchilov and Hutter, *Decoupled weight decay regularization*, ICLR 2019.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> rule = ps.AdamW(lr=0.1)
    >>> x = np.array([1.0, -2.0])
    >>> state = rule.init(x)
    >>> ps.step(x, np.array([0.3, 0.4]), rule, ps.L1(0.1), state)
    >>> x.round(3), state.step
    (array([ 0.866, -2.073]), 1)
    """

    weight_decay: float = 0.01
