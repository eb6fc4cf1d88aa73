"""`cross_validate`: a path for each fold and one for all samples, at the same strengths."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ..checks import at_least_one, function
from ..config import get_num_threads
from ..penalties import Penalty
from ..problems import Problem
from ..solvers.arguments import check, checked_limits
from ..solvers.monitor import Limits
from ..solvers.result import ConvergenceWarning
from .assembly import Fold, assemble
from .budget import Budget
from .folds import Split, splits
from .follow import Plan, follow
from .grid import Grid, strengths
from .parallel import run_all
from .progress import bar
from .scoring import Score, held_out_scores
from .shortfall import shortfall
from .validation import CrossValidation


@dataclass(frozen=True)
class Request:
    """What is asked of a cross-validation; the fields are the arguments of `cross_validate`."""

    folds: Any
    seed: int
    score: Score | None
    grid: Grid
    limits: Limits
    solver: str
    workers: int | None
    progress: bool


def cross_validate(
    problem: Problem,
    penalty: Penalty,
    folds: Any = 5,
    *,
    seed: int = 0,
    score: Score | None = None,
    n_lambdas: int = 100,
    lambda_ratio: float | None = None,
    lambdas: Any = None,
    tol: float = 1e-6,
    max_iter: int = 10_000,
    max_time: float | None = None,
    solver: str = "auto",
    workers: int | None = None,
    progress: bool = False,
) -> CrossValidation:
    """Choose the strength of a penalty by held-out samples.

    The strengths are those of `path` for all samples. Each fold follows them without the samples it
    holds out, which have the weight 0: X is neither split nor copied. All samples are fitted at the
    same strengths, so that both choices come with their fit. Folds run in threads; no result
    depends on their number.

    Parameters
    ----------
    problem : Problem
        The loss, as LeastSquares or Logistic.
    penalty, n_lambdas, lambda_ratio, lambdas, tol, max_iter, solver
        As in `path`.
    folds : int, array_like of int with shape (n,), or iterable of pairs
        Number of folds, dealt out at random, in each class alike where y are classes; or a number
        for each sample, which names the fold that holds it out (-1, as any negative one: none does,
        all folds train on it); or pairs (train, test) of index arrays without a common sample, as
        scikit-learn's splitters give.
    seed : int
        Seed of the deal.
    score : callable or None
        ``score(margins, rows)`` returns a number that is better when smaller, for the margins
        ``X x + b`` (no offset) of the held-out rows (NumPy, shape (m,) or (m, classes)) and the
        numbers of these rows. It is called from several threads. By default the mean loss, which
        is half the deviance for all likelihoods (and half the mean squared error).
    max_time : float or None
        Most seconds for all folds together.
    workers : int or None
        Most folds at a time; by default `get_num_threads`. With X on a device it is 1.
    progress : bool
        Show a bar, if tqdm is installed.

    Returns
    -------
    CrossValidation
        Scores, choices and fits. Ctrl-C and ``max_time`` return those folds, and the strengths
        that each of them has solved, that have the most scores together; the reason is then
        "interrupted" or "max_time", and ``folds`` says which these are.

    Raises
    ------
    TypeError, ValueError
        As `path` does; if folds do not fit the samples, a fold trains on a sample that it holds
        out, a class is absent from those that it trains on, or a score is not finite.
    KeyboardInterrupt, RuntimeError
        If the run was interrupted, or time ran out, before a fold had solved a strength.

    Warns
    -----
    ConvergenceWarning
        Once, if the certificate did not reach ``tol`` everywhere, or time ran out.

    References
    ----------
    .. [1] Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 2nd edition,
       section 7.10 (2009).

    Examples
    --------
    >>> import numpy as np
    >>> import proxstep as ps
    >>> X = np.random.default_rng(0).standard_normal((200, 8))
    >>> y = X[:, 0] - 2 * X[:, 1] + np.sin(np.arange(200))
    >>> cv = ps.cross_validate(ps.LeastSquares(X, y), ps.L1(1.0), folds=4, n_lambdas=30)
    >>> cv.scores.shape, cv.one_standard_error.lam >= cv.best.lam
    ((4, 30), True)
    >>> np.flatnonzero(cv.one_standard_error.x).tolist()
    [0, 1]
    """
    check(problem, solver)
    if score is not None:
        function("score", score)
    grid, limits = Grid(n_lambdas, lambda_ratio, lambdas), checked_limits(tol, max_iter, max_time)
    request = Request(folds, seed, score, grid, limits, solver, workers, progress)
    result, message = validate_quietly(problem, penalty, request, "ps.cross_validate")
    if message:
        warnings.warn(message, ConvergenceWarning, stacklevel=2)
    return result


def validate_quietly(
    problem: Problem, penalty: Any, request: Request, name: str
) -> tuple[CrossValidation, str | None]:
    """Return the result, and what whoever has this name should warn of."""
    budget, workers = Budget(request.limits), _workers(problem, request.workers)
    grid = strengths(problem, penalty, request.grid)
    parts = splits(problem, request.folds, request.seed)
    total = (len(parts) + 1) * len(grid)
    with bar(request.progress, total) as tick:
        plan = Plan(penalty, grid, request.solver, budget, tick)
        fits = [partial(_whole, problem, plan)]
        fits += [partial(_fold, problem, plan, part, request.score) for part in parts]
        whole, *done = run_all(fits, workers, budget.stop)
    result = assemble(whole.path, done, parts, budget, request.score)
    return result, shortfall(name, [whole.path, *(fold.path for fold in done)], total)


def _workers(problem: Problem, workers: int | None) -> int:
    if workers is not None:
        at_least_one("workers", workers)
    if not problem.xp.is_on_host:
        return 1
    return get_num_threads() if workers is None else workers


def _whole(problem: Problem, plan: Plan) -> Fold:
    return Fold(follow(problem, plan), np.empty(0))


def _fold(problem: Problem, plan: Plan, part: Split, score: Score | None) -> Fold:
    weights = problem.xp.asarray(part.train, problem.xp.float64)
    path = follow(problem.with_weights(weights), plan)
    try:
        return Fold(path, held_out_scores(problem, path, part.test, score))
    except KeyboardInterrupt:  # without scores the fold takes no part
        plan.budget.stop.set()
        return Fold(replace(path, points=(), reason="interrupted"), np.empty(0))
