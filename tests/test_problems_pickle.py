"""Laws of pickled problems: what comes back is the same problem, for processes as well."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest

sp = pytest.importorskip("scipy.sparse")


@pytest.mark.parametrize("through", [lambda P: pickle.loads(pickle.dumps(P)), copy.deepcopy])
@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("kind", cases.KINDS)
def test_a_problem_comes_back_as_it_was(kind: str, used: bool, through: Any) -> None:
    problem = cases.problem(cases.data(kind, weighted=True), standardize=True)
    penalty = ps.Group(ps.L1(0.05), "rows") if len(problem.shape) == 2 else ps.L1(0.05)
    if used:
        ps.solve(problem, penalty)  # native parts are there now
    again, result = through(problem), ps.solve(problem, penalty, tol=1e-9)
    np.testing.assert_array_equal(ps.solve(again, penalty, tol=1e-9).x, result.x)
    assert repr(again) == repr(problem)


def test_a_sparse_problem_comes_back_too() -> None:
    X = sp.csc_array(np.random.default_rng(0).standard_normal((40, 6)))
    problem = ps.Logistic(X, np.arange(40) % 2, offset=np.linspace(-1, 1, 40))
    again = pickle.loads(pickle.dumps(problem))
    assert again.lambda_max(ps.L1(1.0)) == problem.lambda_max(ps.L1(1.0))
