"""Projections onto balls, the simplex and sparse arrays: the prox of a set's indicator."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from . import _core
from .arrays import Array, dtype_name, empty_like, in_double
from .checks import count, nearest, non_negative, positive, share

__all__ = ["L1Ball", "LinfBall", "Projection", "Simplex", "TopK"]

Rows = Literal["rows"] | None
_SCOPES = ("array", "global")
_SLACK = {"bfloat16": 2.0**-7, "float16": 2.0**-10}  # of the radius, in one unit of rounding


class Projection:
    """What all projections share; not used by itself.

    They couple all elements, so they serve `proxstep.prox` and `proxstep.solve`, and
    `proxstep.step` refuses them, `TopK` excepted.
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


@dataclass(frozen=True)
class TopK(Projection):
    """The arrays with at most k nonzeros: the prox keeps the k elements of largest magnitude.

    The set is not convex. Of equal magnitudes the earlier elements are kept, in the order of
    memory, and the others become zero, with the same result on every device. NaN counts as larger
    than infinity: a diverged run stays visible.

    As the penalty of `proxstep.step` and `proxstep.Optimizer` (in CPU memory so far) it gives the
    sparsity exactly: rule, then selection among its points z. Under an adaptive rule in the
    diagonal metric the elements with the largest ``z_i**2 / s_i`` stay, s_i their own steps, which
    is the exact prox in that metric; else, and among arrays with different rates, the largest
    ``|z_i|``. 16-bit arrays are ranked before they are rounded, those
    with a master by their master.

    Parameters
    ----------
    k : int or float
        An int is how many elements may differ from zero, at least 0; all are kept where there are
        fewer. A float from 0 to 1 is the share of the elements kept, the density, to the nearest
        count (a half is rounded up): ``1`` keeps one element, ``1.0`` all of them.
    over : {None, "rows"}
        Project the whole array, or each of its rows (first axis) on its own; a step does the
        former only.
    scope : {"array", "global"}
        For optimizers: select in each array (tensor) on its own, or once among all the arrays of
        all groups that bear this very object. Then k counts in all of them together, and ties stay
        in the order of the arrays. An array that a step leaves out, as those of `proxstep.torch`
        leave out parameters without a gradient, neither counts nor changes in it.
    schedule : callable, optional
        For steps: what replaces k at update 0, 1, 2, ..., again an int or a float; see
        `schedules.CubicRamp`. The update is the number of steps that the optimizer or the state
        has taken before.

    Raises
    ------
    TypeError, ValueError
        For a k that is no number, negative or a share above 1, and settings that do not fit.

    References
    ----------
    Blumensath and Davies, *Iterative thresholding for sparse approximations*, Journal of Fourier
    Analysis and Applications 14 (2008).

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> ps.TopK(2).prox(np.array([0.5, -3.0, 0.5, 0.1]))
    array([ 0.5, -3. ,  0. ,  0. ])
    >>> ps.TopK(0.5, over="rows").prox(np.array([[0.9, -1.6], [3.0, -1.0]]))
    array([[ 0. , -1.6],
           [ 3. ,  0. ]])
    >>> w, b = np.array([3.0, 0.2, -2.0]), np.array([0.1])
    >>> opt = ps.Optimizer([w, b], ps.SGD(lr=0.5), ps.TopK(0.5, scope="global"))
    >>> opt.step([np.array([0.0, 0.0, 1.0]), np.ones(1)])
    >>> w, b
    (array([ 3. ,  0. , -2.5]), array([0.]))
    """

    k: int | float
    over: Rows = None
    scope: Literal["array", "global"] = field(default="array", kw_only=True)
    schedule: Callable[[int], int | float] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", _count_or_share("k", self.k))
        if self.scope not in _SCOPES:
            raise ValueError(f"scope is {self.scope!r}; {nearest(str(self.scope), _SCOPES)}")
        if not (self.schedule is None or callable(self.schedule)):
            raise TypeError(f"schedule is {self.schedule!r}; a callable is needed")
        super().__post_init__()

    def at(self, update: int) -> int | float:
        """Return what is kept at an update: the count, or the share as a float.

        Parameters
        ----------
        update : int
            Steps taken before.

        Raises
        ------
        TypeError, ValueError
            For a schedule that gives neither a count nor a share.

        Examples
        --------
        >>> import proxstep as ps
        >>> ps.TopK(0.1, schedule=lambda t: 1.0 if t < 5 else 0.25).at(5)
        0.25
        """
        if self.schedule is None:
            return self.k
        return _count_or_share(f"schedule({update})", self.schedule(update))

    def _project(self, z: Array, out: Array, dtype: str | None) -> None:
        _core.top_k(z, out, self.k, self.over == "rows", dtype)

    def _inside(self, rows: Any, dtype: str) -> Any:
        return np.count_nonzero(rows, axis=1) <= _core.kept_of(self.k, rows.shape[1])


def _count_or_share(name: str, given: Any) -> int | float:
    """Return a count that the core holds, or a share, in plain types."""
    if isinstance(given, float | np.floating):
        share(name, given)
        return float(given)
    return min(count(name, given), sys.maxsize)
