"""skglm: working sets with Anderson acceleration, compiled by numba at the first call.

Its tolerance bounds the optimality violation, which is of the strength's size.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .peer import Fit, Peer, in_columns, signs
from .task import (
    ELEMENTS,
    FIT,
    GROUP,
    GROUPS,
    L1,
    LEAST_SQUARES,
    LOGISTIC,
    PATH,
    ROWS,
    SPARSE_GROUPS,
    Form,
    Task,
)

MOST = 1000  # working sets


def lasso(task: Task) -> Fit:
    from skglm import Lasso

    X = in_columns(task.X)

    def fit(tol: float) -> tuple[Any, Any]:
        model = Lasso(
            task.lam, tol=tol * task.lam, max_iter=MOST, fit_intercept=task.intercept
        ).fit(X, task.y)
        return model.coef_, model.intercept_

    return fit


def logistic(task: Task) -> Fit:
    from skglm import SparseLogisticRegression

    X = in_columns(task.X)

    def fit(tol: float) -> tuple[Any, Any]:
        model = SparseLogisticRegression(
            task.lam, tol=tol * task.lam, max_iter=MOST, fit_intercept=task.intercept
        ).fit(X, task.y)
        return model.coef_[0], model.intercept_

    return fit


def multi_task(task: Task) -> Fit:
    from skglm import MultiTaskLasso

    X, y = in_columns(task.X), np.asfortranarray(task.y)

    def fit(tol: float) -> tuple[Any, Any]:
        model = MultiTaskLasso(
            task.lam, tol=tol * task.lam, max_iter=MOST, fit_intercept=task.intercept
        ).fit(X, y)
        return model.coef_.T, model.intercept_

    return fit


def groups(task: Task) -> Fit:
    """Group and sparse-group lasso: the first without weights on the features."""
    from skglm.datafits import QuadraticGroup
    from skglm.penalties import WeightedGroupL2, WeightedL1GroupL2
    from skglm.solvers import GroupBCD
    from skglm.utils.data import grp_converter

    X = in_columns(task.X)
    p = X.shape[1]
    indices, pointers = grp_converter(GROUP, p)
    ones, elements = np.ones(p // GROUP), np.full(p, ELEMENTS)
    if task.form.penalty == GROUPS:
        penalty = WeightedGroupL2(task.lam, ones, pointers, indices)
    else:
        weights = (1 - ELEMENTS) * GROUP**0.5 * ones
        penalty = WeightedL1GroupL2(task.lam, weights, elements, pointers, indices)

    def fit(tol: float) -> tuple[Any, Any]:
        solver = GroupBCD(
            tol=tol * task.lam, max_iter=MOST, fit_intercept=task.intercept,
            ws_strategy="fixpoint",  # the only one that sparse groups have
        )  # fmt: skip
        w, *_ = solver.solve(X, task.y, QuadraticGroup(pointers, indices), penalty)
        return w[:p], w[-1] if task.intercept else 0.0

    return fit


def path(task: Task) -> Fit:
    from skglm.datafits import Logistic, Quadratic
    from skglm.penalties import L1 as Strength
    from skglm.solvers import AndersonCD, ProxNewton

    squares = task.form.loss == LEAST_SQUARES
    X, y = in_columns(task.X), task.y if squares else signs(task.y)
    solver_of, loss = (AndersonCD, Quadratic()) if squares else (ProxNewton, Logistic())

    def fit(tol: float) -> tuple[Any, Any]:
        solver = solver_of(tol=tol * task.lam[-1], max_iter=MOST, fit_intercept=False)
        warm = {"w_init": None, "Xw_init": None}
        coefs = []
        for lam in task.lam:
            w = solver.solve(X, y, loss, Strength(lam), **warm)[0]
            warm = {"w_init": w.copy(), "Xw_init": X @ w}
            coefs.append(w)
        return np.array(coefs).T, 0.0

    return fit


PEERS = [
    Peer(
        "skglm",
        "skglm",
        {
            Form(FIT, LEAST_SQUARES, L1): lasso,
            Form(FIT, LEAST_SQUARES, GROUPS): groups,
            Form(FIT, LEAST_SQUARES, SPARSE_GROUPS): groups,
            Form(FIT, LEAST_SQUARES, ROWS): multi_task,
            Form(FIT, LOGISTIC, L1): logistic,
            Form(PATH, LEAST_SQUARES, L1): path,
            Form(PATH, LOGISTIC, L1): path,
        },
    )
]
