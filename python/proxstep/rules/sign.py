"""Lion: every element moves by the learning rate, up or down.

The formula is in csrc/op/update.hpp. Letters: x parameters, g gradient, m the moment, z the point
at which the prox is taken, s its step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import non_negative
from .base import Rule, pair_of_betas

__all__ = ["Lion"]


@dataclass(frozen=True)
class Lion(Rule):
    """``z = (1 - lr weight_decay) x - lr sign(b1 m + (1 - b1) g)``, ``s = lr``.

    Then ``m = b2 m + (1 - b2) g``. The moment is "exp_avg", m, which starts at 0. The sign of 0 is
    0, that of NaN is NaN.

    Parameters
    ----------
    lr : float
        Learning rate, finite and not negative: what an element moves by. Three to ten times
        smaller than `AdamW`'s serves as a start, with a weight decay as much larger.
    betas : pair of float
        b1 and b2, each at least 0 and below 1.
    weight_decay : float
        Decoupled, finite and not negative.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range.

    References
    ----------
    Chen et al., *Symbolic discovery of optimization algorithms*, NeurIPS 2023.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> rule = ps.Lion(lr=0.1)
    >>> x = np.array([1.0, -2.0, 0.05])
    >>> state = rule.init(x)
    >>> ps.step(x, np.array([0.3, -4.0, 0.0]), rule, ps.L1(0.6), state)
    >>> x.round(3)
    array([ 0.84, -1.84,  0.  ])
    """

    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0
    name: ClassVar[str] = "lion"
    moments: ClassVar[tuple[str, ...]] = ("exp_avg",)

    def _check(self) -> None:
        super()._check()
        object.__setattr__(self, "betas", pair_of_betas(self.betas))
        non_negative("weight_decay", self.weight_decay)

    def settings(self) -> list[float]:
        """Return the numbers that the core takes, in its order."""
        return [float(v) for v in (self.lr, *self.betas, self.weight_decay)]
