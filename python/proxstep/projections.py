"""Projections onto balls and the simplex: the prox of a set's indicator."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from . import _core
from .arrays import Array, dtype_name, empty_like, in_double
from .checks import nearest, non_negative, positive

__all__ = ["L1Ball", "LinfBall", "Projection", "Rows", "Simplex"]

Rows = Literal["rows"] | None
_SLACK = {"bfloat16": 2.0**-7, "float16": 2.0**-10}  # of the radius, in one unit of rounding


class Projection:
    """What all projections share; not used by itself.

    They serve `proxstep.prox` and `proxstep.solve`. They couple all elements, so `proxstep.step`
    refuses them: `TopK` excepted, and instead of `LinfBall` it takes a `Box`.
    """

    over: Rows

    def __post_init__(self) -> None:
        if self.over not in (None, "rows"):
            raise ValueError(f"over is {self.over!r}; {nearest(str(self.over), ['rows'])}")

    def prox(
        self, z: Array, step: float | Array = 1.0, *, out: Array = None, dtype: str | None = None
    ) -> Array:
        """Return the nearest point of the set: ``argmin ||x - z||_2`` over x in the set.

        Parameters
        ----------
        z : array
            Dense, float64, float32, bfloat16 or float16; two dimensions or more in C order with
            ``over="rows"``.
        step : float or array
            Without influence; here for the call to be that of `Penalty.prox`.
        out : array, optional
            Like z; may be z itself. A new array by default.
        dtype : str, optional
            What 16-bit integers stand for: "bfloat16" or "float16".

        Returns
        -------
        array
            `out`.

        Raises
        ------
        TypeError, ValueError
            For arrays that do not fit; nothing is written then.

        Examples
        --------
        >>> import numpy as np, proxstep as ps
        >>> ps.Simplex(over="rows").prox(np.array([[0.9, 0.6], [3.0, -1.0]]))
        array([[0.65, 0.35],
               [1.  , 0.  ]])
        """
        if out is None:
            out = empty_like(z, "z")
        self._project(z, out, dtype)
        return out

    def value(self, x: Array, *, dtype: str | None = None) -> float:
        """Return the indicator of the set: 0 inside, infinity outside, NaN where x has a NaN.

        Parameters
        ----------
        x : array
            Of any library and any shape, float64, float32, bfloat16 or float16. From a device it
            is copied to the host.
        dtype : str, optional
            What 16-bit integers stand for: "bfloat16" or "float16".

        Returns
        -------
        float
            Inside is meant to a relative 1e-5, for bfloat16 and float16 to their rounding.

        Raises
        ------
        TypeError, ValueError
            For what is not an array of such numbers, or has no rows.

        Examples
        --------
        >>> import numpy as np, proxstep as ps
        >>> ps.L1Ball(2.0).value(np.array([1.5, -0.5])), ps.L1Ball(2.0).value(np.ones(3))
        (0.0, inf)
        """
        rows = self._rows(in_double(x, dtype))
        if np.isnan(rows).any():
            return math.nan
        return 0.0 if bool(self._inside(rows, dtype or dtype_name(x)).all()) else math.inf

    def _rows(self, x: Any) -> Any:
        if self.over != "rows":
            return x.reshape(1, -1)
        if x.ndim < 2:
            raise ValueError(f"rows need 2 dimensions or more, x has shape {x.shape}")
        return x.reshape(len(x), x.size // max(1, len(x)))

    def _project(self, z: Array, out: Array, dtype: str | None) -> None:
        raise TypeError(f"{type(self).__name__} is not a set of the core")

    def _inside(self, rows: Any, dtype: str) -> Any:
        raise TypeError(f"{type(self).__name__} is not a set of the core")


@dataclass(frozen=True)
class _Ball(Projection):
    """A set of a certain size."""

    radius: float = 1.0
    over: Rows = None
    set_name: ClassVar[str]

    def __post_init__(self) -> None:
        self._check_radius()
        super().__post_init__()

    def _check_radius(self) -> None:
        non_negative("radius", self.radius)

    def _project(self, z: Array, out: Array, dtype: str | None) -> None:
        _core.project(z, out, self.set_name, float(self.radius), self.over == "rows", dtype)

    def _slack(self, dtype: str) -> float:
        return _SLACK.get(dtype, 1e-5) * max(self.radius, 1e-300)


@dataclass(frozen=True)
class L1Ball(_Ball):
    """The set ``sum_i |x_i| <= radius``, projected onto exactly, in expected linear time.

    ``x_i = sign(z_i) max(|z_i| - tau, 0)`` with the tau that makes ``sum_i |x_i| = radius``, or
    ``x = z`` where z lies inside.

    Parameters
    ----------
    radius : float
        Size of the set, finite and not negative.
    over : {None, "rows"}
        Project the whole array, or each of its rows (first axis) on its own.

    Raises
    ------
    TypeError, ValueError
        For a radius or an `over` that does not fit.

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

    def _inside(self, rows: Any, dtype: str) -> Any:
        return np.abs(rows).sum(axis=1) <= self.radius + self._slack(dtype)


@dataclass(frozen=True)
class Simplex(_Ball):
    """The set ``x_i >= 0, sum_i x_i = radius``, projected onto in expected linear time.

    ``x_i = max(z_i - tau, 0)`` with the tau that makes ``sum_i x_i = radius``.

    Parameters
    ----------
    radius : float
        Size of the set, finite and positive.
    over : {None, "rows"}
        Project the whole array, or each of its rows (first axis) on its own.

    Raises
    ------
    TypeError, ValueError
        For a radius or an `over` that does not fit.

    References
    ----------
    Duchi, Shalev-Shwartz, Singer, Chandra, *Efficient projections onto the l1-ball*, ICML 2008.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.Simplex().prox(np.array([0.9, 0.6, -1.0]))
    array([0.65, 0.35, 0.  ])
    """

    set_name: ClassVar[str] = "simplex"

    def _check_radius(self) -> None:
        positive("radius", self.radius)

    def _inside(self, rows: Any, dtype: str) -> Any:
        return (rows >= 0).all(axis=1) & (
            np.abs(rows.sum(axis=1) - self.radius) <= self._slack(dtype)
        )


@dataclass(frozen=True)
class LinfBall(_Ball):
    """The set ``max_i |x_i| <= radius``: the prox clips, ``x_i = min(max(z_i, -radius), radius)``.

    Parameters
    ----------
    radius : float
        Size of the set, finite and not negative.
    over : {None, "rows"}
        Project the whole array, or each of its rows (first axis) on its own.

    Raises
    ------
    TypeError, ValueError
        For a radius or an `over` that does not fit.

    References
    ----------
    Parikh and Boyd, *Proximal Algorithms*, Foundations and Trends in Optimization 1 (2014).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.LinfBall(0.5).prox(np.array([3.0, -0.2]))
    array([ 0.5, -0.2])
    """

    def _project(self, z: Array, out: Array, dtype: str | None) -> None:
        radius = float(self.radius)
        _core.prox(z, _core.PenaltySpec("box", [-radius, radius]), 1.0, out, dtype)

    def _inside(self, rows: Any, dtype: str) -> Any:
        return (np.abs(rows) <= self.radius + self._slack(dtype)).all(axis=1)
