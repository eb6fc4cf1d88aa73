"""Strengths and duality gaps in NumPy, apart from all solvers: what references are checked with.

Letters as in task.py; r is the gradient of the loss by u, v = X' r, c <= 1 scales r until v lies in
the unit ball of the penalty's dual norm. See Ndiaye et al., "Gap safe screening rules", JMLR 2017.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

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
    SPARSE_GROUPS,
    Task,
    group_norms,
    objectives,
)


def lambda_max(task: Task) -> float:
    """Return the smallest strength with w = 0; the median of many problems'."""
    if task.form.kind == MANY:
        return float(np.median(np.abs(_correlations(task, task.y)).max(axis=1))) / task.n
    p, columns = task.X.shape[1], _outputs(task)
    u = task.X @ np.zeros((p, columns) if columns else p)
    b = best_intercept(task, u, 0.0)
    return dual_norm(task.form.penalty, task.X.T @ _residual(task, u + b))


def gap(task: Task, w: Any, b: Any) -> float:
    """Return the duality gap at w over its objective: the largest of a path, the mean of many."""
    if task.form.kind == PATH:
        each = zip(w.T, task.lam, strict=True)
        return max(gap(single(task, lam), one, b) for one, lam in each)
    if task.form.kind == MANY:
        return _gap_of_many(task, w)
    u = task.X @ w
    b = best_intercept(task, u, b)
    r = _residual(task, u + b)
    c = 1.0 / max(1.0, dual_norm(task.form.penalty, task.X.T @ r) / task.lam)
    objective = objectives(task, w, b)[0]
    return float(objective - _dual(task, c * r)) / objective


def single(task: Task, lam: float) -> Task:
    return replace(task, form=replace(task.form, kind=FIT), lam=lam)


def dual_norm(penalty: str, v: Any) -> float:
    if penalty == L1:
        return float(np.abs(v).max())
    if penalty == SPARSE_GROUPS:
        return _sparse_group_norm(np.abs(v.reshape(-1, GROUP)))
    return float((group_norms(v) if penalty == GROUPS else np.linalg.norm(v, axis=1)).max())


def _sparse_group_norm(v: Any) -> float:
    """Return the largest t of ``|(v_g - t a)_+| = t b``; both sides meet once in each group."""
    low, high = np.zeros(len(v)), v.max(axis=1) / ELEMENTS
    for _ in range(100):
        middle = 0.5 * (low + high)
        left = np.linalg.norm(np.maximum(v - ELEMENTS * middle[:, None], 0.0), axis=1)
        above = left > (1 - ELEMENTS) * GROUP**0.5 * middle
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return float(high.max())


def best_intercept(task: Task, u: Any, b: Any) -> Any:
    """Return the intercept that fits best beside u: of a softmax by Newton's steps from b."""
    if not task.intercept:
        return 0.0
    if task.form.loss == LEAST_SQUARES:
        return (task.y - u).mean(axis=0)
    b = np.log(np.bincount(task.y)) if not u.any() else np.array(b, np.float64)
    for _ in range(50):
        p = _softmax(u + b)
        slope = (p - np.eye(task.classes)[task.y]).mean(axis=0)
        b -= np.linalg.lstsq(np.diag(p.mean(axis=0)) - p.T @ p / task.n, slope, rcond=1e-12)[0]
        if np.abs(slope).max() < 1e-16:
            break
    return b


def _residual(task: Task, u: Any) -> Any:
    if task.form.loss == LEAST_SQUARES:
        return (u - task.y) / task.n
    if task.form.loss == LOGISTIC:
        return (1 / (1 + np.exp(-u)) - task.y) / task.n
    return (_softmax(u) - np.eye(task.classes)[task.y]) / task.n


def _dual(task: Task, r: Any) -> float:
    """Return minus the conjugate of the loss at r."""
    y, n = task.y, task.n
    if task.form.loss == LEAST_SQUARES:
        y = y - y.mean(axis=0) if task.intercept else y
        return float(-np.sum(r * y) - 0.5 * n * np.sum(r * r))
    if task.form.loss == LOGISTIC:
        q = np.clip(y + n * r, 0.0, 1.0)
        return float(-np.mean(_entropy(q) + _entropy(1 - q)))
    return float(-np.sum(_entropy(np.clip(np.eye(task.classes)[y] + n * r, 0.0, 1.0))) / n)


def _entropy(q: Any) -> Any:
    return q * np.log(np.maximum(q, 1e-300))


def _softmax(u: Any) -> Any:
    p = np.exp(u - u.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def _outputs(task: Task) -> int | None:
    if task.form.loss == LEAST_SQUARES:
        return task.y.shape[1] if task.form.penalty == ROWS else None
    return None if task.form.loss == LOGISTIC else task.classes


def _correlations(task: Task, r: Any) -> Any:
    return r @ task.X if task.X.ndim == 2 else np.einsum("mnp,mn->mp", task.X, r)


def _gap_of_many(task: Task, w: Any) -> float:
    u = w @ task.X.T if task.X.ndim == 2 else np.einsum("mnp,mp->mn", task.X, w)
    r = (u - task.y) / task.n
    c = 1.0 / np.maximum(1.0, np.abs(_correlations(task, r)).max(axis=1) / task.lam)[:, None]
    dual = -np.sum(c * r * task.y, axis=1) - 0.5 * task.n * np.sum((c * r) ** 2, axis=1)
    objective = objectives(task, w, 0.0)[0]
    return float(objective - dual.mean()) / objective
