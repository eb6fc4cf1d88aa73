"""`proxstep.solve` as a contestant."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import proxstep as ps

from .peer import Fit, Peer, in_columns
from .task import (
    ELEMENTS,
    FIT,
    GROUP,
    GROUPS,
    L1,
    LEAST_SQUARES,
    LOGISTIC,
    MANY,
    PATH,
    ROWS,
    SOFTMAX,
    SPARSE_GROUPS,
    Form,
    Task,
)

PROBLEMS = {LEAST_SQUARES: ps.LeastSquares, LOGISTIC: ps.Logistic, SOFTMAX: ps.Softmax}
PENALTIES: dict[str, Callable[[float], Any]] = {
    L1: ps.L1,
    GROUPS: lambda lam: ps.Group(ps.L1(lam), GROUP),
    SPARSE_GROUPS: lambda lam: ps.SparseGroup(
        ELEMENTS * lam, (1 - ELEMENTS) * GROUP**0.5 * lam, GROUP
    ),
    ROWS: lambda lam: ps.Group(ps.L1(lam), "rows"),
}


def problem_of(task: Task) -> Any:
    return PROBLEMS[task.form.loss](task.X, task.y, fit_intercept=task.intercept)


def penalty_of(task: Task, lam: float) -> Any:
    return PENALTIES[task.form.penalty](lam)


def single(task: Task) -> Fit:
    X = in_columns(task.X)
    make = PROBLEMS[task.form.loss]
    penalty = penalty_of(task, task.lam)

    def fit(tol: float) -> tuple[Any, Any]:
        problem = make(X, task.y, fit_intercept=task.intercept)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ps.ConvergenceWarning)
            result = ps.solve(problem, penalty, tol, max_iter=10**7)
        return result.x, result.intercept

    return fit


def path(task: Task) -> Fit:
    X, make = in_columns(task.X), PROBLEMS[task.form.loss]

    def fit(tol: float) -> tuple[Any, Any]:
        problem = make(X, task.y, fit_intercept=task.intercept)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ps.ConvergenceWarning)
            found = ps.path(problem, ps.L1(1.0), lambdas=task.lam, tol=tol, max_iter=10**7)
        return found.x.T, 0.0

    return fit


def many(task: Task) -> Fit:
    Y = task.y.T if task.X.ndim == 2 else task.y

    def fit(tol: float) -> tuple[Any, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ps.ConvergenceWarning)
            found = ps.solve_many(
                task.X, Y, ps.L1(task.lam), tol, fit_intercept=task.intercept, max_iter=10**7
            )
        return found.x, found.intercept

    return fit


FITS = [
    *(Form(FIT, LEAST_SQUARES, penalty) for penalty in PENALTIES),
    *(Form(FIT, SOFTMAX, penalty) for penalty in (L1, ROWS)),
    Form(FIT, LOGISTIC, L1),
]
PATHS = [Form(PATH, loss, L1) for loss in (LEAST_SQUARES, LOGISTIC)]
MANIES = [Form(MANY, LEAST_SQUARES, L1)]
MAKERS = {
    **dict.fromkeys(FITS, single),
    **dict.fromkeys(PATHS, path),
    **dict.fromkeys(MANIES, many),
}
PROXSTEP = Peer("proxstep", "proxstep", MAKERS)
