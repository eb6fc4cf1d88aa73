"""adelie: groups, also of the classes of a feature, in C++; a path of one strength.

Its wheel asks for NumPy below 2 and runs with NumPy 2: `pip install --no-deps adelie==1.1.52`.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .peer import Fit, Peer, in_columns
from .task import FIT, GROUP, GROUPS, LEAST_SQUARES, ROWS, SOFTMAX, Form, Task


def grouped(task: Task, loss: Any, how: dict[str, Any], outputs: int) -> Fit:
    import adelie

    X = in_columns(task.X)
    given = X if isinstance(X, np.ndarray) else adelie.matrix.sparse(X)
    # Losses of many outputs are divided by their number
    how |= {"lmda_path": np.array([task.lam / outputs]), "intercept": task.intercept}
    how |= {"n_threads": int(os.environ["OMP_NUM_THREADS"]), "progress_bar": False}

    def fit(tol: float) -> tuple[Any, Any]:
        state = adelie.grpnet(given, loss, tol=tol, irls_tol=tol, early_exit=False, **how)
        w = np.asarray(state.betas[0].todense()).ravel()
        return (w.reshape(-1, outputs) if outputs > 1 else w), state.intercepts[0]

    return fit


def groups(task: Task) -> Fit:
    import adelie

    count = task.X.shape[1] // GROUP
    how = {"groups": GROUP * np.arange(count), "penalty": np.ones(count)}
    return grouped(task, adelie.glm.gaussian(task.y), how, 1)


def rows(task: Task) -> Fit:
    import adelie

    shares = np.eye(task.classes)[task.y]
    how = {"penalty": np.ones(task.X.shape[1])}
    return grouped(task, adelie.glm.multinomial(shares), how, task.classes)


def multi_task(task: Task) -> Fit:
    import adelie

    how = {"penalty": np.ones(task.X.shape[1])}
    loss = adelie.glm.multigaussian(np.ascontiguousarray(task.y))
    return grouped(task, loss, how, task.y.shape[1])


PEERS = [
    Peer(
        "adelie",
        "adelie",
        {
            Form(FIT, LEAST_SQUARES, GROUPS): groups,
            Form(FIT, LEAST_SQUARES, ROWS): multi_task,
            Form(FIT, SOFTMAX, ROWS): rows,
        },
    )
]
