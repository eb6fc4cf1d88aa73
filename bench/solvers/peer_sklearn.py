"""scikit-learn: coordinate descent, saga and liblinear; C is one over samples times strength."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .peer import PASSES, Fit, Peer, in_columns, in_rows
from .task import FIT, L1, LEAST_SQUARES, LOGISTIC, MANY, PATH, ROWS, SOFTMAX, Form, Task

MOST = 10**6  # iterations


def lasso(task: Task) -> Fit:
    from sklearn.linear_model import Lasso

    X = in_columns(task.X)

    def fit(tol: float) -> tuple[Any, Any]:
        model = Lasso(task.lam, tol=tol, max_iter=MOST, fit_intercept=task.intercept)
        model.fit(X, task.y)
        return model.coef_, model.intercept_

    return fit


def multi_task(task: Task) -> Fit:
    from sklearn.linear_model import MultiTaskLasso

    X, y = in_columns(task.X), np.asfortranarray(task.y)

    def fit(tol: float) -> tuple[Any, Any]:
        model = MultiTaskLasso(task.lam, tol=tol, max_iter=MOST, fit_intercept=task.intercept)
        model.fit(X, y)
        return model.coef_.T, model.intercept_

    return fit


def path(task: Task) -> Fit:
    from sklearn.linear_model import lasso_path

    X = in_columns(task.X)

    def fit(tol: float) -> tuple[Any, Any]:
        _, coefs, _ = lasso_path(X, task.y, alphas=task.lam, tol=tol, max_iter=MOST)
        return coefs, 0.0

    return fit


def loop(task: Task) -> Fit:
    """One fit after the other, as there is no call for many.

    A Gram matrix made once for all, or by each fit, is slower here: with 100 samples the checks of
    a fit cost more than its descent.
    """
    from sklearn.linear_model import Lasso

    shared = in_columns(task.X) if task.X.ndim == 2 else None
    each = [in_columns(X) for X in task.X] if shared is None else [shared] * len(task.y)

    def fit(tol: float) -> tuple[Any, Any]:
        model = Lasso(task.lam, tol=tol, max_iter=MOST, fit_intercept=task.intercept)
        coefs = [model.fit(X, y).coef_.copy() for X, y in zip(each, task.y, strict=True)]
        return np.array(coefs), 0.0

    return fit


def logistic(task: Task, solver: str, lam: float | None = None) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(
        C=1.0 / (task.n * (task.lam if lam is None else lam)), l1_ratio=1.0, solver=solver,
        fit_intercept=task.intercept, random_state=0,
    )  # fmt: skip


def by_liblinear(task: Task) -> Fit:
    X = in_rows(task.X)

    def fit(tol: float) -> tuple[Any, Any]:
        model = logistic(task, "liblinear").set_params(tol=tol, max_iter=MOST).fit(X, task.y)
        return model.coef_[0], model.intercept_

    return fit


def liblinear_path(task: Task) -> Fit:
    """Every strength from zero: liblinear has no warm start."""
    X = in_rows(task.X)
    models = [logistic(task, "liblinear", lam) for lam in task.lam]

    def fit(tol: float) -> tuple[Any, Any]:
        fitted = [m.set_params(tol=tol, max_iter=MOST).fit(X, task.y) for m in models]
        return np.array([m.coef_[0] for m in fitted]).T, 0.0

    return fit


def by_saga(task: Task) -> Fit:
    """So many passes over the data: its own tolerance says little about the objective."""
    X = in_rows(task.X)

    def fit(passes: float) -> tuple[Any, Any]:
        model = logistic(task, "saga").set_params(tol=0.0, max_iter=int(passes))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # stopped before its tolerance
            model.fit(X, task.y)
        w, b = model.coef_.T, model.intercept_
        return (w, b) if task.form.loss == SOFTMAX else (w[:, 0], b)

    return fit


SQUARES = {
    Form(FIT, LEAST_SQUARES, L1): lasso,
    Form(FIT, LEAST_SQUARES, ROWS): multi_task,
    Form(PATH, LEAST_SQUARES, L1): path,
}
LOOP = {Form(MANY, LEAST_SQUARES, L1): loop}
LIBLINEAR = {Form(FIT, LOGISTIC, L1): by_liblinear, Form(PATH, LOGISTIC, L1): liblinear_path}
SAGA = {Form(FIT, loss, L1): by_saga for loss in (LOGISTIC, SOFTMAX)}
MODULE = "sklearn.linear_model"
PEERS = [
    Peer("scikit-learn", MODULE, SQUARES),
    Peer("scikit-learn loop", MODULE, LOOP, threaded=False),
    Peer("scikit-learn liblinear", MODULE, LIBLINEAR, threaded=False),
    Peer("scikit-learn saga", MODULE, SAGA, PASSES, threaded=False),
]
