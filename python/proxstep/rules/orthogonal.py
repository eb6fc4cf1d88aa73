"""Muon: the step of a matrix along the orthogonal factor of its momentum.

The look-ahead of the momentum is a native step of its own, the iteration that makes it orthogonal
is in newton_schulz.py, and what then steps x is `SGD`'s formula on that direction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from .. import _core
from ..arrays import Array
from ..checks import at_least_one, flag, from_0_below_1, nearest, non_negative, positive
from .base import Moments, Rule, State
from .momentum import Momentum, Nesterov

__all__ = ["Muon"]

Scale = Literal["spectral", "rms"]
_SCALES = {
    "spectral": lambda rows, columns: math.sqrt(max(1.0, rows / columns)),
    "rms": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
}
_SMALLEST_EPS = 1e-15  # whose square's reciprocal is finite in float32


@dataclass(frozen=True)
class Muon(Rule):
    """``z = (1 - lr weight_decay) x - lr c O``, ``s = lr``: steepest descent in the spectral norm.

    ``v = momentum v + g`` and ``u = g + momentum v`` (without `nesterov` ``u = v``). O is nearly
    the orthogonal factor ``U V'`` of the singular value decomposition ``u = U S V'``: after
    ``u / max(||u||_F, eps)``, each of the `iterations` maps every singular value s to
    ``3.4445 s - 4.7750 s**3 + 2.0315 s**5``, which after five lie between 0.68 and 1.21, but for
    those that were below about 0.002 of the norm. The moment is "velocity", v, which starts at 0.

    Parameters
    ----------
    lr : float
        Learning rate, finite and not negative.
    momentum : float
        Decay of the velocity, at least 0 and below 1.
    nesterov : bool
        Whether the direction looks ahead.
    weight_decay : float
        Decoupled, finite and not negative.
    iterations : int
        Of Newton and Schulz, at least 1.
    eps : float
        At least 1e-15. A shorter u makes a shorter step; a zero gradient makes none.
    scale : {"spectral", "rms"}
        c for a matrix of r rows and k columns: ``sqrt(max(1, r / k))``, for learning rates that
        serve all widths, or ``0.2 sqrt(max(r, k))``, with which elements move as far as by `AdamW`.
    parts : int
        Blocks of rows, equally many in each, that are made orthogonal on their own: 3 for the
        weights of queries, keys and values in one array. c is then that of a block.

    Raises
    ------
    TypeError, ValueError
        For settings out of their range and, once it meets an array, for one that is not 2-D or
        whose rows `parts` do not divide.

    Notes
    -----
    Muon is for the hidden matrices of a network; embeddings, gains and biases need another rule, in
    a group of their own of the same `Optimizer`. The direction has no scale, so `max_norm` neither
    counts nor clips the gradients of Muon's arrays. Products are float32 (float64 for float64),
    made by the BLAS of the array's library. A direction for a 16-bit array is rounded to 16 bits.

    References
    ----------
    Jordan et al., *Muon: an optimizer for hidden layers in neural networks* (2024),
    https://kellerjordan.github.io/posts/muon; Liu et al., *Muon is scalable for LLM training*
    (2025), https://arxiv.org/abs/2502.16982, for the scale "rms".

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> rule = ps.Muon(lr=0.1)
    >>> x = np.zeros((2, 2))
    >>> state = rule.init(x)
    >>> ps.step(x, np.array([[3.0, 0.0], [0.0, -1.0]]), rule, ps.L1(0.1), state)
    >>> x.round(2)
    array([[-0.07,  0.  ],
           [ 0.  ,  0.1 ]])
    """

    momentum: float = 0.95
    nesterov: bool = True
    weight_decay: float = 0.0
    iterations: int = 5
    eps: float = 1e-7
    scale: Scale = "spectral"
    parts: int = 1
    name: ClassVar[str] = "sgd"
    moments: ClassVar[tuple[str, ...]] = ("velocity",)
    directed: ClassVar[bool] = True

    def _check(self) -> None:
        super()._check()
        from_0_below_1("momentum", self.momentum)
        non_negative("weight_decay", self.weight_decay)
        at_least_one("iterations", self.iterations)
        at_least_one("parts", self.parts)
        positive("eps", self.eps)
        if self.eps < _SMALLEST_EPS:
            raise ValueError(f"eps is {self.eps}; it must be at least {_SMALLEST_EPS}")
        flag("nesterov", self.nesterov)
        if self.scale not in _SCALES:
            raise ValueError(f"scale is {self.scale!r}; {nearest(str(self.scale), _SCALES)}")

    def settings(self) -> list[float]:
        """Return the numbers that the core takes for the step along the direction."""
        return [float(self.lr), float(self.weight_decay)]

    def look_ahead(self) -> _core.RuleSpec:
        """Return the rule that takes 0 to the negative look-ahead -u."""
        kind = Nesterov if self.nesterov else Momentum
        return kind(lr=1.0, momentum=self.momentum).spec

    def factor(self, shape: tuple[int, int]) -> float:
        """Return c for a block of this shape."""
        return _SCALES[self.scale](*shape)

    def init(self, x: Array, *, dtype: str | None = None, moments: Moments = None) -> State:
        """Make the state before the first step on x, a matrix; see `Rule.init`.

        Raises
        ------
        TypeError, ValueError
            As for every rule, and for x that is not 2-D or whose rows `parts` do not divide.
        """
        state = super().init(x, dtype=dtype, moments=moments)
        shape = tuple(x.shape)
        if len(shape) != 2:
            raise ValueError(f"x has shape {shape}; Muon steps matrices, which have 2 dimensions")
        if shape[0] % self.parts:
            raise ValueError(f"{self.parts} parts do not divide the rows of x of shape {shape}")
        return state
