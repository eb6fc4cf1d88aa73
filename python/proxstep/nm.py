"""N:M sparsity, such as the 2:4 of sparse tensor cores, as a penalty.

The formula is in csrc/op/nm.hpp. Letters: x parameters, z and s the point and the step of a prox.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import _core
from .checks import integer
from .penalties import Penalty

__all__ = ["NM"]

_LONGEST = 32  # block


@dataclass(frozen=True, eq=False)
class NM(Penalty):
    """The indicator of at most n nonzeros in every m consecutive elements of the last axis.

    The prox minimises ``sum((x - z)**2 / (2 * s))``, to which an element that stays adds nothing
    and one that goes adds ``z_i**2 / (2 * s_i)``: it keeps of every block the n elements with the
    largest ``z_i**2 / s_i``, as they are, and makes the others zero. With one step for all these
    are the largest magnitudes. Under an adaptive rule in the diagonal metric s is the element's own
    step, ``lr / (sqrt(v) + eps)`` for Adam, so that what had large gradients stays more easily.

    At a tie the earlier element stays. NaN ranks first. An element whose step is 0 cannot move: it
    ranks above all finite ones, but last where it is zero.

    Parameters
    ----------
    n : int
        ``0 <= n <= m``.
    m : int
        A power of two from 2 to 32; it must divide the last axis of x, which is in C order.

    Raises
    ------
    TypeError
        For what is not an integer.
    ValueError
        For an n or m out of its range; later for an x whose last axis m does not divide, or that is
        not in C order.

    References
    ----------
    Zhou et al., *Learning N:M fine-grained structured sparse neural networks from scratch*, ICLR
    2021. Mishra et al., *Accelerating sparse deep neural networks*, arXiv:2104.08378 (2021).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> z = np.array([1.0, -4.0, 2.0, 3.0, 5.0, 5.0, 5.0, 0.5])
    >>> ps.NM(2, 4).prox(z)
    array([ 0., -4.,  0.,  3.,  5.,  5.,  0.,  0.])
    >>> ps.NM(2, 4).prox(z[:4], step=np.array([0.01, 1.0, 1.0, 1.0]))
    array([ 1., -4.,  0.,  0.])
    >>> ps.NM(2, 4).value(z)
    inf
    """

    n: int
    m: int

    def __post_init__(self) -> None:
        for name in ("n", "m"):
            object.__setattr__(self, name, integer(name, getattr(self, name)))
        super().__post_init__()

    def _make_spec(self) -> _core.PenaltySpec:
        if not 2 <= self.m <= _LONGEST or self.m & (self.m - 1):
            raise ValueError(f"m is {self.m}; it must be a power of two from 2 to {_LONGEST}")
        if not 0 <= self.n <= self.m:
            raise ValueError(f"n is {self.n}; it must lie between 0 and m, which is {self.m}")
        spec = _core.PenaltySpec("none", [])
        spec.keep(self.n, self.m)
        return spec
