"""Bad arguments of ps.train."""

from __future__ import annotations

import problem_cases as cases
import proxstep as ps
import pytest

REFUSED = [
    ({"problem": 3}, TypeError, r"problem is 3; a problem such as LeastSquares\(X, y\)"),
    ({"rule": "adam"}, TypeError, "rule is 'adam'"),
    ({"penalty": ps.L1Ball(1.0)}, TypeError, "couples all elements"),
    ({"penalty": 0.1}, TypeError, "penalty is 0.1"),
    ({"batch_size": 2.5}, TypeError, "batch_size is 2.5; an integer is needed"),
    ({"epochs": 1e3}, TypeError, "epochs is 1000.0; an integer is needed"),
    ({"batch_size": 0}, ValueError, "batch_size is 0"),
    ({"epochs": -1}, ValueError, "epochs is -1"),
    ({"patience": 0}, ValueError, "patience is 0"),
    ({"patience": 3}, ValueError, "patience is 3, but there is no validation problem"),
    ({"validation": [1]}, TypeError, r"validation must be a Logistic like the problem, got \[1\]"),
    ({"validation": cases.problem(cases.data("Softmax"))}, TypeError, "must be a Logistic"),
    ({"validation": cases.problem(cases.data("Logistic", p=3))}, ValueError, r"shape \(3,\)"),
    ({"validation": cases.problem(cases.data("Logistic"), "float32")}, ValueError, "float32"),
    ({"x0": [1, 2]}, ValueError, r"x0 has shape \(2,\)"),
    ({"intercept0": [1, 2]}, ValueError, r"intercept0 has shape \(2,\)"),
    ({"metric": "diag"}, ValueError, "diag"),
    ({"max_norm": 0.0}, ValueError, "max_norm is 0"),
]


@pytest.mark.parametrize(("change", "error", "words"), REFUSED)
def test_bad_settings_are_refused_with_their_values(change, error, words):
    given = {
        "problem": cases.problem(cases.data("Logistic")),
        "rule": ps.SGD(0.1),
        "batch_size": 10,
        "epochs": 2,
        **change,
    }
    with pytest.raises(error, match=words):
        ps.train(given.pop("problem"), given.pop("rule"), **given)
