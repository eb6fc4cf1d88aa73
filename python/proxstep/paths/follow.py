"""`path`: solve at each strength in turn, each time from the solution before."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..arrays import Array
from ..checks import function
from ..penalties import Penalty
from ..problems import LeastSquares, Problem
from ..problems.by_gram import gram_pays
from ..solvers.arguments import check, checked_limits
from ..solvers.dispatch import chosen, shared_parts, solve_quietly
from ..solvers.reduction import reduction_of, restricted
from ..solvers.result import ConvergenceWarning, Result
from ..solvers.strength import with_strength
from .budget import Budget
from .coefficients import Nonzeros
from .criteria import Likelihood
from .grid import Grid, strengths
from .point import Point
from .progress import bar
from .result import Path
from .shortfall import shortfall


@dataclass(frozen=True)
class Plan:
    """Strengths to follow, the limits, what to call after each fit, and what may end it there."""

    penalty: Penalty
    lambdas: Array
    solver: str
    budget: Budget
    tick: Callable[[], None]
    until: Callable[[Point], bool] | None = None


def path(
    problem: Problem,
    penalty: Penalty,
    n_lambdas: int = 100,
    *,
    lambda_ratio: float | None = None,
    lambdas: Any = None,
    tol: float = 1e-6,
    max_iter: int = 10_000,
    max_time: float | None = None,
    solver: str = "auto",
    until: Callable[[Point], bool] | None = None,
    progress: bool = False,
) -> Path:
    """Solve at falling strengths of a penalty, each from the solution of the one before.

    The strengths are ``lambda_max * lambda_ratio**(i / (n_lambdas - 1))``. The strength is ``lam``;
    ``l1`` for ElasticNet, with the ratio ``l2 / l1`` of the given penalty held (scikit-learn's
    ``l1_ratio``); that of the inner penalty for Group; ``lam`` for SparseGroup, with ``l1 / lam``
    held. The given penalty's own strength does not matter otherwise, and its weights stay. Every
    point carries its own certificate, as a cold `solve` does. For a penalty that is not convex
    the path is that of local optima from zero on.

    Parameters
    ----------
    problem : Problem
        The loss, as LeastSquares or Logistic.
    penalty : Penalty
        A penalty with a strength.
    n_lambdas : int
        Number of strengths.
    lambda_ratio : float or None
        The last strength over the first; by default 1e-3, and 1e-2 where n < p.
    lambdas : array_like or None, shape (L,)
        Strengths of your own, falling; the three settings of the grid do not matter then.
    tol, max_iter, solver
        As in `solve`, for each strength.
    max_time : float or None
        Most seconds for the whole path.
    until : callable or None
        Called with each `Point` as it is solved; the path ends there, with the reason "stopped",
        when it returns true: early stopping by held-out samples.
    progress : bool
        Show a bar, if tqdm is installed.

    Returns
    -------
    Path
        Solutions and certificates. Ctrl-C and ``max_time`` return the strengths solved so far,
        with the reason "interrupted" or "max_time".

    Raises
    ------
    TypeError
        If the problem is not one, or the penalty has no strength; if none is known that gives
        zeros (as of SquaredL2 and L0) and there are no ``lambdas``.
    ValueError
        If a setting is out of range, strengths do not fall, are negative or not finite, or
        lambda_max is 0.

    Warns
    -----
    ConvergenceWarning
        Once, if the certificate did not reach ``tol`` everywhere, or time ran out.

    References
    ----------
    .. [1] Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models
       via coordinate descent", J. Statistical Software 33 (2010).

    Examples
    --------
    >>> import numpy as np
    >>> import proxstep as ps
    >>> X = np.array([[1.0, 0.1], [2.0, -0.1], [3.0, 0.1], [4.0, -0.1]])
    >>> path = ps.path(ps.LeastSquares(X, [3, 5, 7, 9]), ps.L1(1.0), 3, lambda_ratio=0.01)
    >>> path.lambdas.round(4).tolist(), path.x[:, 0].round(4).tolist(), path.nonzeros.tolist()
    ([2.5, 0.25, 0.025], [0.0, 1.8, 1.98], [0, 1, 1])
    """
    check(problem, solver)
    if until is not None:
        function("until", until)
    budget = Budget(checked_limits(tol, max_iter, max_time))
    grid = strengths(problem, penalty, Grid(n_lambdas, lambda_ratio, lambdas))
    with bar(progress, len(grid)) as tick:
        result = follow(problem, Plan(penalty, grid, solver, budget, tick, until))
    message = shortfall("ps.path", [result], len(grid))
    if message:
        warnings.warn(message, ConvergenceWarning, stacklevel=2)
    return result


def follow(problem: Problem, plan: Plan) -> Path:
    """Return the path, cut short by the budget or by Ctrl-C."""
    points: list[Point] = []
    try:
        reason = _run(_with_gram(problem, plan), plan, points)
    except KeyboardInterrupt:
        reason = "interrupted"
    if reason == "interrupted":
        plan.budget.stop.set()
    tol, likelihood = plan.budget.limits.tol, Likelihood.of(problem)
    return Path(tuple(points), reason, tol, problem.shape, likelihood)


def _with_gram(problem: Problem, plan: Plan) -> Problem:
    """Return least squares on their Gram matrix where that costs less than reading X each time."""
    if not isinstance(problem, LeastSquares) or not gram_pays(
        problem, len(plan.lambdas), plan.budget.for_one().max_time
    ):
        return problem
    by_descent = chosen(problem, plan.penalty, plan.solver) != "fista"
    return problem._with_gram() if by_descent else problem


def _run(problem: Problem, plan: Plan, points: list[Point]) -> str:
    """Append a point for each strength; return why it ended."""
    shorter = reduction_of(problem, with_strength(plan.penalty, float(plan.lambdas[-1])), None)
    if shorter is not None:
        problem = shorter.problem
        plan = replace(plan, penalty=restricted(plan.penalty, shorter.columns))
    start = problem.start(None)
    _in_use = shared_parts(problem, with_strength(plan.penalty, float(plan.lambdas[0])))
    for lam in plan.lambdas:
        if plan.budget.stop.is_set():
            return "interrupted"
        penalty = with_strength(plan.penalty, float(lam))
        limits = plan.budget.for_one()
        result, start = solve_quietly(problem, penalty, limits, start, plan.solver)
        if result.reason in ("interrupted", "max_time"):
            return result.reason
        point = _point(problem, penalty, float(lam), result)
        points.append(point if shorter is None else point.among(shorter.columns, shorter.shape))
        plan.tick()
        if plan.until is not None and plan.until(points[-1]):
            return "stopped"
    return "finished"


def _point(problem: Problem, penalty: Penalty, lam: float, result: Result) -> Point:
    to_host = problem.xp.to_host
    x = problem.design.from_given(problem.xp.asarray(result.x, problem.xp.float64))
    vector = len(problem.shape) > 1
    return Point(
        lam=lam,
        parameters=Nonzeros.of(to_host(result.x)),
        intercept=to_host(result.intercept) if vector else result.intercept,
        objective=result.objective,
        loss=result.objective - penalty.value(x),
        gap=result.gap,
        reason=result.reason,
        n_iter=result.n_iter,
        seconds=result.seconds,
        certificate=result.certificate,
        solver=result.solver,
    )
