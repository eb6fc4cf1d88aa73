"""Units of steps: one over the mean squares of the columns, where the penalty allows for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..penalties import Penalty
from ..problems import Problem
from ..projections import LinfBall


def metric(problem: Problem, penalty: Any) -> tuple[Any, Any]:
    """Return the diagonal of the metric, one over the mean squares of the columns, and itself.

    It undoes unequal units of the columns. Penalties whose prox needs one step take one number.
    First as an array of x's shape, where X lies, then as one number a column, on the host.
    """
    scales, xp = _usable_scales(problem), problem.xp
    largest = float(scales.max(initial=0.0)) or 1.0
    by_element = isinstance(penalty, Penalty | LinfBall)
    if not by_element or scales.min(initial=largest, where=scales > 0) > largest / 4:
        return 1.0 / largest, np.asarray(1.0 / largest)
    diagonal = 1.0 / np.where(scales > 0, scales, largest)
    column = diagonal.reshape((-1,) + (1,) * (len(problem.shape) - 1))
    whole = np.ascontiguousarray(np.broadcast_to(column, problem.shape))
    array = xp.asarray(whole, problem.dtype)
    return array, xp.to_host(array if array.ndim == 1 else array[:, 0]).astype(np.float64)


def _usable_scales(problem: Problem) -> Any:
    """Return the columns' mean squares, 0 where they are rounding or their inverse no number."""
    design = problem.design
    scales = np.where(design.constant, 0.0, design.scales)
    means = problem.xp.to_host(design.means)
    rounding = (64 * problem.eps) ** 2 * (scales + means**2)  # of products in the dtype
    return np.where(scales <= rounding + least_scale(problem), 0.0, scales)


def fits(problem: Problem) -> bool:
    """Whether steps in the units of X are numbers of its dtype."""
    least, largest = least_scale(problem), float(problem.design.scales.max(initial=0.0))
    return largest == 0 or least < largest < 1.0 / least


def least_scale(problem: Problem) -> float:
    """Return the least mean square of a column whose inverse is far from overflow."""
    return float(np.finfo(np.float32 if problem.eps > 1e-10 else np.float64).tiny) * 1e4
