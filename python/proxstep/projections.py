"""Projections onto balls and the simplex: the prox of a set's indicator, which no step changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from . import _core
from .arrays import Array, empty_like
from .checks import nearest, non_negative, positive

__all__ = ["L1Ball", "LinfBall", "Projection", "Simplex"]

Rows = Literal["rows"] | None


@dataclass(frozen=True)
class Projection:
    """What all projections share; not used by itself.

    They couple all elements, so they serve `proxstep.prox` and `proxstep.solve`, and
    `proxstep.step` refuses them.

    Parameters
    ----------
    radius : float
        Size of the set.
    over : {None, "rows"}
        Project the whole array, or each of its rows (first axis) on its own.
    """

    radius: float = 1.0
    over: Rows = None
    set_name: ClassVar[str]

    def __post_init__(self) -> None:
        self._check_radius()
        if self.over not in (None, "rows"):
            raise ValueError(f"over is {self.over!r}; {nearest(str(self.over), ['rows'])}")

    def _check_radius(self) -> None:
        non_negative("radius", self.radius)

    def prox(
        self, z: Array, step: float | Array = 1.0, *, out: Array = None, dtype: str | None = None
    ) -> Array:
        """Return the nearest point of the set to z; `step` has no influence. See `Penalty.prox`."""
        if out is None:
            out = empty_like(z, "z")
        _core.project(z, out, self.set_name, float(self.radius), self.over == "rows", dtype)
        return out

    def value(self, x: Array, *, dtype: str | None = None) -> float:
        """Return 0 inside the set (to a relative 1e-5), infinity outside."""
        rows = np.asarray(x, dtype=np.float64)
        rows = rows.reshape(rows.shape[0] if self.over == "rows" else 1, -1)
        slack = 1e-5 * max(self.radius, 1e-300)
        return 0.0 if bool(self._inside(rows, slack).all()) else float("inf")

    def _inside(self, rows: Any, slack: float) -> Any:
        raise TypeError(f"{type(self).__name__} is not a set of the core")


@dataclass(frozen=True)
class L1Ball(Projection):
    """``sum |x_i| <= radius``, exactly, in expected linear time.

    References
    ----------
    Duchi, Shalev-Shwartz, Singer, Chandra, *Efficient projections onto the l1-ball*, ICML 2008.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.L1Ball(2.0).prox(np.array([3.0, -2.0, 0.5]))
    array([ 1.5, -0.5,  0. ])
    """

    set_name: ClassVar[str] = "l1_ball"

    def _inside(self, rows: Any, slack: float) -> Any:
        return np.abs(rows).sum(axis=1) <= self.radius + slack


@dataclass(frozen=True)
class Simplex(Projection):
    """``x >= 0, sum x_i = radius``, exactly, in expected linear time.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.Simplex().prox(np.array([0.9, 0.6, -1.0]))
    array([0.65, 0.35, 0.  ])
    """

    set_name: ClassVar[str] = "simplex"

    def _check_radius(self) -> None:
        positive("radius", self.radius)

    def _inside(self, rows: Any, slack: float) -> Any:
        return (rows >= 0).all(axis=1) & (np.abs(rows.sum(axis=1) - self.radius) <= slack)


@dataclass(frozen=True)
class LinfBall(Projection):
    """``max |x_i| <= radius``: the prox clips.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.LinfBall(0.5).prox(np.array([3.0, -0.2]))
    array([ 0.5, -0.2])
    """

    set_name: ClassVar[str] = "linf_ball"

    def prox(
        self, z: Array, step: float | Array = 1.0, *, out: Array = None, dtype: str | None = None
    ) -> Array:
        """Clip z. See `Penalty.prox`."""
        if out is None:
            out = empty_like(z, "z")
        radius = float(self.radius)
        _core.prox(z, _core.PenaltySpec("box", [-radius, radius]), 1.0, out, dtype)
        return out

    def _inside(self, rows: Any, slack: float) -> Any:
        return (np.abs(rows) <= self.radius + slack).all(axis=1)
