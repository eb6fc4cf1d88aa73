"""The strengths of a path: a geometric grid down from lambda_max, or the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array
from ..checks import at_least_one, positive
from ..penalties import Penalty
from ..problems import Problem
from ..solvers.arguments import check_scale
from ..solvers.strength import with_strength

_RATIO, _WIDE_RATIO = 1e-3, 1e-2  # glmnet's rule: shorter paths where n < p


@dataclass(frozen=True)
class Names:
    """What the caller calls the fields of a `Grid`, for messages."""

    count: str = "n_lambdas"
    ratio: str = "lambda_ratio"
    given: str = "lambdas"


@dataclass(frozen=True)
class Grid:
    """What a user may say about the strengths."""

    n_lambdas: int = 100
    lambda_ratio: float | None = None
    lambdas: Any = None
    names: Names = Names()


def strengths(problem: Problem, penalty: Any, grid: Grid) -> Array:
    """Return the strengths, falling, in float64."""
    if not isinstance(penalty, Penalty):
        raise TypeError(f"penalty is {penalty!r}; a path needs a penalty with a strength, as L1")
    with_strength(penalty, 1.0)
    penalty.value(problem.xp.zeros(problem.shape, problem.dtype))  # weights and groups fit
    if grid.lambdas is not None:
        return _given(grid.lambdas)
    count, ratio = _count_and_ratio(problem, grid)
    check_scale(problem)
    largest = _largest(problem, penalty, grid.names.given)
    return largest * ratio ** (np.arange(count) / max(1, count - 1))


def _given(lambdas: Any) -> Array:
    given = np.array(lambdas, np.float64)
    if given.ndim != 1 or given.size == 0:
        raise ValueError(f"lambdas has shape {given.shape}; a list of at least one is needed")
    wrong = ~(np.isfinite(given) & (given >= 0))
    if wrong.any():
        i = int(wrong.argmax())
        raise ValueError(f"lambdas[{i}] is {given[i]:g}; strengths are finite and not negative")
    rises = np.diff(given) >= 0
    if rises.any():
        i = int(rises.argmax())
        raise ValueError(
            f"lambdas must fall, but lambdas[{i}] is {given[i]:g} and lambdas[{i + 1}] is "
            f"{given[i + 1]:g}; np.unique(lambdas)[::-1] puts them in order"
        )
    return given


def _count_and_ratio(problem: Problem, grid: Grid) -> tuple[int, float]:
    count = at_least_one(grid.names.count, grid.n_lambdas)
    if grid.lambda_ratio is None:
        n, p = problem.X.shape
        return count, _WIDE_RATIO if n < p else _RATIO
    positive(grid.names.ratio, grid.lambda_ratio)
    if grid.lambda_ratio >= 1:
        raise ValueError(f"{grid.names.ratio} is {grid.lambda_ratio}; it must be below 1")
    return count, float(grid.lambda_ratio)


def _largest(problem: Problem, penalty: Penalty, instead: str) -> float:
    try:
        largest = problem.lambda_max(penalty)
    except TypeError as error:
        raise TypeError(f"{error}; a path of it needs {instead}") from None
    if not (np.isfinite(largest) and largest > 0):
        raise ValueError(
            f"lambda_max is {largest:g}: the penalised parameters are zero at every strength; "
            f"pass {instead}"
        )
    return largest
