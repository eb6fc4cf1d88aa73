"""celer: working sets with dual extrapolation, in Cython."""

from __future__ import annotations

from typing import Any

import numpy as np

from .peer import Fit, Peer, in_columns, signs
from .task import FIT, GROUP, GROUPS, L1, LEAST_SQUARES, LOGISTIC, PATH, ROWS, Form, Task

MOST = 1000  # working sets


def lasso(task: Task) -> Fit:
    from celer import Lasso

    X = in_columns(task.X)

    def fit(tol: float) -> tuple[Any, Any]:
        model = Lasso(task.lam, tol=tol, max_iter=MOST, fit_intercept=task.intercept)
        model.fit(X, task.y)
        return model.coef_, model.intercept_

    return fit


def groups(task: Task) -> Fit:
    from celer import GroupLasso

    X = in_columns(task.X)

    def fit(tol: float) -> tuple[Any, Any]:
        model = GroupLasso(GROUP, task.lam, tol=tol, max_iter=MOST, fit_intercept=task.intercept)
        model.fit(X, task.y)
        return model.coef_, model.intercept_

    return fit


def multi_task(task: Task) -> Fit:
    """By its path of one strength: its estimator calls what scikit-learn 1.9 has no more."""
    from celer.homotopy import mtl_path

    X, strengths = in_columns(task.X), np.array([task.lam])

    def fit(tol: float) -> tuple[Any, Any]:
        means = X.mean(axis=0), task.y.mean(axis=0)
        centred = np.asfortranarray(task.y - means[1])
        w = mtl_path(X - means[0], centred, alphas=strengths, tol=tol, max_iter=MOST)[1][..., 0].T
        return w, means[1] - means[0] @ w

    return fit


def logistic(task: Task) -> Fit:
    from celer import LogisticRegression

    X, C = in_columns(task.X), 1.0 / (task.n * task.lam)

    def fit(tol: float) -> tuple[Any, Any]:
        model = LogisticRegression(C, tol=tol, max_iter=MOST).fit(X, task.y)
        return model.coef_[0], 0.0

    return fit


def path(task: Task) -> Fit:
    from celer import celer_path

    squares = task.form.loss == LEAST_SQUARES
    X, y = in_columns(task.X), task.y if squares else signs(task.y)
    # Its logistic loss is a sum over samples, its squares are a mean
    kind, strengths = ("lasso", task.lam) if squares else ("logreg", task.n * task.lam)

    def fit(tol: float) -> tuple[Any, Any]:
        how = {"alphas": strengths, "tol": tol, "max_iter": MOST, "use_PN": not squares}
        return celer_path(X, y, kind, **how)[1], 0.0

    return fit


PEERS = [
    Peer(
        "celer",
        "celer",
        {
            Form(FIT, LEAST_SQUARES, L1): lasso,
            Form(FIT, LEAST_SQUARES, GROUPS): groups,
            Form(FIT, LEAST_SQUARES, ROWS): multi_task,
            Form(FIT, LOGISTIC, L1): logistic,
            Form(PATH, LEAST_SQUARES, L1): path,
            Form(PATH, LOGISTIC, L1): path,
        },
    )
]
