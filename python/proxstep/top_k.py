"""TopK: the sparse arrays as a set to project onto, and as what a step keeps."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from . import _core
from .arrays import Array
from .checks import count, from_0_to_1, function, nearest
from .projections import Projection, Rows

__all__ = ["TopK"]

_SCOPES = ("array", "global")


@dataclass(frozen=True)
class TopK(Projection):
    """The arrays with at most k nonzeros: the prox keeps the k elements of largest magnitude.

    The set is not convex. Of equal magnitudes the earlier elements are kept, in the order of
    memory, and the others become zero, with the same result on every device. NaN counts as larger
    than infinity: a diverged run stays visible.

    As the penalty of `proxstep.step` and `proxstep.Optimizer` it gives the sparsity exactly: rule,
    then selection among its points z. Under an adaptive rule in the diagonal metric the elements
    with the largest ``z_i**2 / s_i`` stay, s_i their own steps, which is the exact prox in that
    metric; else, and among arrays with different rates, the largest ``|z_i|``. 16-bit arrays are
    ranked before they are rounded, those with a master by their master.

    Parameters
    ----------
    k : int or float
        An int is how many elements may differ from zero, at least 0; all are kept where there are
        fewer. A float from 0 to 1 is the share of the elements kept, the density, to the nearest
        count (a half is rounded up): ``1`` keeps one element, ``1.0`` all of them.
    over : {None, "rows"}
        Project the whole array, or each of its rows (first axis) on its own; a step does the
        former only.
    scope : {"array", "tensor", "global"}
        For optimizers: select in each array (tensor) on its own, or once among all the arrays of
        all groups that bear this very object. Then k counts in all of them together, and ties stay
        in the order of the arrays. An array that a step leaves out, as those of `proxstep.torch`
        leave out parameters without a gradient, neither counts nor changes in it; nor does one at a
        learning rate of 0 beside others that move. While all are at 0, magnitudes tell.
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
    scope: Literal["array", "tensor", "global"] = field(default="array", kw_only=True)
    schedule: Callable[[int], int | float] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", _count_or_share("k", self.k))
        if self.scope == "tensor":  # torch's word
            object.__setattr__(self, "scope", "array")
        if self.scope not in _SCOPES:
            raise ValueError(f"scope is {self.scope!r}; {nearest(str(self.scope), _SCOPES)}")
        if self.schedule is not None:
            function("schedule", self.schedule)
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
        from_0_to_1(f"the share {name}", given)
        return float(given)
    return min(count(name, given), sys.maxsize)
