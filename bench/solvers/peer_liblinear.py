"""liblinear without scikit-learn around it: X is handed over once, outside the time."""

from __future__ import annotations

from typing import Any

import numpy as np

from .peer import Fit, Peer, signs
from .task import FIT, L1, LOGISTIC, Form, Task

L1_LOGISTIC = 6  # its number of the solver


def logistic(task: Task) -> Fit:
    from liblinear.liblinear import problem
    from liblinear.liblinearutil import train
    from scipy import sparse

    given = problem(signs(task.y), sparse.csr_matrix(task.X))
    C = 1.0 / (task.n * task.lam)

    def fit(tol: float) -> tuple[Any, Any]:
        model = train(given, f"-s {L1_LOGISTIC} -c {C!r} -e {tol!r} -B -1 -q")
        sign = 1.0 if model.label[0] == 1 else -1.0
        return sign * np.ctypeslib.as_array(model.w, (model.nr_feature,)), 0.0

    return fit


MAKERS = {Form(FIT, LOGISTIC, L1): logistic}
PEERS = [Peer("liblinear", "liblinear.liblinearutil", MAKERS, threaded=False)]
