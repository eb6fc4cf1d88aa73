"""What people try first and get wrong: each mistake is named in the library's own words."""

import re
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


def test_the_largest_magnitude_is_bounded_in_a_step_by_a_box_which_the_refusal_names() -> None:
    x, g = np.array([0.9, -2.0, 0.1]), np.array([0.5, 1.5, -3.0])
    nearest = ps.prox(x - 0.3 * g, ps.LinfBall(0.7))
    with pytest.raises(TypeError, match=re.escape("its equal, Box(-0.7, 0.7)")):
        ps.step(x, g, ps.SGD(lr=0.3), ps.LinfBall(0.7))  # type: ignore[arg-type]
    ps.step(x, g, ps.SGD(lr=0.3), ps.Box(-0.7, 0.7))
    np.testing.assert_array_equal(x, nearest)


@pytest.mark.parametrize("schedule", ["cosine", 0.1, ps.schedules.Cosine])
def test_a_schedule_is_an_object_that_can_be_called(schedule: Any) -> None:
    with pytest.raises(TypeError, match=r"schedule is .*schedules\.Cosine"):
        ps.train(line(), ps.SGD(lr=0.1), None, batch_size=2, epochs=1, schedule=schedule)


class Frame:
    """A table of some other library: all it has is a NumPy copy."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.eye(3, dtype=dtype)


@pytest.mark.parametrize("X", [np.eye(3).tolist(), tuple(np.eye(3)), Frame()])
def test_a_table_that_is_no_array_is_told_how_to_become_one(X: Any) -> None:
    hint = re.escape("; pass np.asarray(X, dtype=float)")
    with pytest.raises(TypeError, match=f"X must be an array .*, got {type(X).__name__}{hint}$"):
        ps.LeastSquares(X, np.arange(3.0))
    ps.LeastSquares(np.asarray(X, dtype=float), np.arange(3.0))


def test_what_holds_no_numbers_gets_no_such_advice() -> None:
    with pytest.raises(TypeError, match=r"X must be an array .*, got dict$"):
        ps.LeastSquares({"age": [61.0]}, [1.0])


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


def test_a_prox_names_what_it_was_given() -> None:
    z = np.ones(3)
    with pytest.raises(ValueError, match=r"weights have shape \(\), z has shape \(3,\)"):
        ps.L1(0.1, weights=2.0).prox(z)
    with pytest.raises(ValueError, match=r"step has shape \(\), z has shape \(3,\)"):
        ps.L1(0.1).prox(z, step=np.array(1.0))
    with pytest.raises(TypeError, match="step has dtype float32, float64 is needed beside z"):
        ps.L1(0.1).prox(z, step=np.ones(3, np.float32))


def test_an_empty_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    with pytest.raises(ValueError, match=r"empty\.txt: no text"):
        read_text([tmp_path / "empty.txt"])
