"""What people try first and get wrong: each mistake is named in the library's own words."""

from pathlib import Path
from typing import Any

import numpy as np
import proxstep as ps
import pytest
from proxstep.lm.data import read_text


def line() -> ps.LeastSquares:
    X = np.linspace(-1.0, 1.0, 20).reshape(5, 4)
    return ps.LeastSquares(X, X @ np.array([1.5, 0.0, -0.7, 0.2]))


def test_an_optimizer_of_one_bare_array_asks_for_a_list() -> None:
    with pytest.raises(TypeError, match=r"one array of shape \(3, 2\); give a list"):
        ps.Optimizer(np.ones((3, 2)), ps.SGD(lr=0.1))


@pytest.mark.parametrize("schedule", ["cosine", 0.1, ps.schedules.Cosine])
def test_a_schedule_is_an_object_that_can_be_called(schedule: Any) -> None:
    with pytest.raises(TypeError, match=r"schedule is .*schedules\.Cosine"):
        ps.train(line(), ps.SGD(lr=0.1), None, batch_size=2, epochs=1, schedule=schedule)


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        (ps.L1(0.3, weights=[1.0, 2.0]), r"weights have shape \(2,\), x has shape \(4,\)"),
        (ps.Group(ps.L1(0.3), over=[2, 1]), "segments of 3 elements do not cover x of 4"),
    ],
)
def test_solve_refuses_penalties_of_another_size(penalty: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ps.solve(line(), penalty)


def test_an_empty_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    with pytest.raises(ValueError, match=r"empty\.txt: no text"):
        read_text([tmp_path / "empty.txt"])
