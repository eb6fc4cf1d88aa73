"""One problem as every solver gets it, and the only objective that anybody is judged by.

Letters: X the data, y the targets, w the coefficients, b the intercept, u = X w + b. Losses are
means over samples. NumPy in float64; no solver's own value is ever used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

GROUP = 10  # features in a group
ELEMENTS = 0.5  # of a sparse-group penalty; the rest lies on the groups, times sqrt(GROUP)

FIT, PATH, MANY = "fit", "path", "many"
LEAST_SQUARES, LOGISTIC, SOFTMAX = "least squares", "logistic", "softmax"
L1, GROUPS, SPARSE_GROUPS, ROWS = "l1", "groups", "sparse groups", "rows"


@dataclass(frozen=True)
class Form:
    """What is minimised, whatever the data: the key under which solvers offer their fits."""

    kind: str
    loss: str
    penalty: str


@dataclass(frozen=True)
class Task:
    """Data of one form with its strengths: one, or those of a path from the largest down.

    y holds numbers, 0/1, or class indices. `MANY` problems have y of shape (problems, n), and X of
    shape (n, p) for all or (problems, n, p).
    """

    form: Form
    X: Any
    y: Any
    lam: Any
    intercept: bool

    @property
    def classes(self) -> int:
        return int(self.y.max()) + 1

    @property
    def solution_bytes(self) -> int:
        """What w takes in float64."""
        each = self.classes if self.form.loss == SOFTMAX else 1
        if self.form.kind == PATH:
            each = len(self.lam)
        elif self.form.kind == MANY:
            each = len(self.y)
        elif self.form.loss == LEAST_SQUARES and self.y.ndim == 2:
            each = self.y.shape[1]
        return 8 * each * int(self.X.shape[-1])

    @property
    def n(self) -> int:
        return int(self.y.shape[-1] if self.form.kind == MANY else self.y.shape[0])

    @property
    def bytes(self) -> int:
        parts = (
            [self.X] if isinstance(self.X, np.ndarray)
            else [self.X.data, self.X.indices, self.X.indptr]
        )  # fmt: skip
        return sum(part.nbytes for part in parts)


def objectives(task: Task, w: Any, b: Any) -> Any:
    """Return the objective of each problem of the task, shape (1,) or (strengths,)."""
    w = np.asarray(w, np.float64)
    if task.form.kind == FIT:
        return np.array([_objective(task, w, b, task.lam)])
    if task.form.kind == PATH:
        each = zip(w.T, np.broadcast_to(b, len(task.lam)), task.lam, strict=True)
        return np.array([_objective(task, *one) for one in each])
    return np.array([_mean_of_many(task, w, b)])


def _objective(task: Task, w: Any, b: Any, lam: float) -> float:
    loss = LOSSES[task.form.loss](task.X @ w + b, task.y)
    return loss + lam * PENALTIES[task.form.penalty](w)


def _mean_of_many(task: Task, w: Any, b: Any) -> float:
    u = w @ task.X.T if task.X.ndim == 2 else np.einsum("mnp,mp->mn", task.X, w)
    losses = 0.5 * np.mean((u + np.reshape(b, (-1, 1)) - task.y) ** 2, axis=1)
    return float(np.mean(losses + task.lam * np.abs(w).sum(axis=1)))


def squares(u: Any, y: Any) -> float:
    return float(0.5 * np.sum((u - y) ** 2) / len(y))


def cross_entropy(u: Any, y: Any) -> float:
    return float(np.mean(np.logaddexp(0.0, u) - y * u))


def multinomial(u: Any, y: Any) -> float:
    top = u.max(axis=1)
    logs = top + np.log(np.exp(u - top[:, None]).sum(axis=1))
    return float(np.mean(logs - u[np.arange(len(y)), y]))


def group_norms(w: Any) -> Any:
    return np.linalg.norm(w.reshape(-1, GROUP), axis=1)


LOSSES: dict[str, Callable[[Any, Any], float]] = {
    LEAST_SQUARES: squares,
    LOGISTIC: cross_entropy,
    SOFTMAX: multinomial,
}
PENALTIES: dict[str, Callable[[Any], float]] = {
    L1: lambda w: float(np.abs(w).sum()),
    GROUPS: lambda w: float(group_norms(w).sum()),
    SPARSE_GROUPS: lambda w: float(
        ELEMENTS * np.abs(w).sum() + (1 - ELEMENTS) * GROUP**0.5 * group_norms(w).sum()
    ),
    ROWS: lambda w: float(np.linalg.norm(w, axis=1).sum()),
}
