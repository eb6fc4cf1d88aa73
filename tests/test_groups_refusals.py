"""What `over` may not say, and the reason."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import proxstep as ps
import pytest
from refusals import refused

LARGEST = sys.maxsize

REFUSED = [
    ([[0, 1], [1, 2, 3], [4, 5]], ValueError, "overlap: element 1 is in 2 of them; .*Repeat its"),
    ([np.array([3, 4]), np.array([4, 5])], ValueError, r"element (np.int64\()?4\)? is in 2 of"),
    ([{0, 5}, {5}, {5}], ValueError, "element 5 is in 3 of them"),
    ([[0, 1], [2, 3], [4, 5]], TypeError, r"over has \[0, 1\]; groups are segments of consecutive"),
    ([[0, 0], [1]], TypeError, r"over has \[0, 0\]; groups are segments"),
    ([2, [2, 3], 2], TypeError, r"over has \[2, 3\]; groups are segments"),
    ([2, "4"], TypeError, r"over\[1\] is '4'"),
    (np.array([[2, 4]]), TypeError, r"over has array\(\[2, 4\]\)"),
    ([2, -1, 5], ValueError, "over has a segment of -1 elements"),
    ([2.0, 4.0], TypeError, r"over\[0\] is 2.0; an integer is needed"),
    ([True, 5], TypeError, r"over\[0\] is True"),
    ([LARGEST, LARGEST, 8], ValueError, f"over has segments of {2 * LARGEST + 8} elements in all"),
    (0, ValueError, "over is 0; it must be at least 1"),
    (2.5, TypeError, "over is 2.5; an integer"),
    (None, TypeError, "over is None"),
]


@pytest.mark.parametrize(("over", "error", "words"), REFUSED)
def test_what_is_no_set_of_segments_is_refused(over: Any, error: Any, words: str) -> None:
    for make in (lambda: ps.Group(ps.L1(0.1), over), lambda: ps.SparseGroup(0.1, 0.2, over)):
        with refused(error, words):
            make()


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ([2, 2], "segments of 4 elements do not cover x of 6"),
        ([4, 4], "segments of 8 elements do not cover x of 6"),
        ([], "segments of 0 elements do not cover"),
        (4, "blocks of 4 do not divide x of 6"),
        ("rows", "need 2 dimensions or more"),
    ],
)
def test_what_does_not_cover_x_is_refused_by_whatever_meets_x(over: Any, words: str) -> None:
    problem, h = ps.LeastSquares(np.eye(6), np.arange(6.0)), ps.Group(ps.L1(0.1), over)
    for meet in (h.value, lambda x: ps.solve(problem, h, x0=x), lambda _: ps.path(problem, h, 3)):
        with refused(ValueError, words):
            meet(np.zeros(6))


def test_sizes_may_be_arrays_without_axes() -> None:
    sizes = [np.array(3), np.array(4)]
    assert ps.Group(ps.L1(0.1), sizes).over == (3, 4)


def test_empty_groups_take_no_part() -> None:
    problem = ps.LeastSquares(np.eye(6), np.arange(6.0))
    ours, plain = (
        ps.solve(problem, ps.Group(ps.L1(0.1), over)) for over in ([0, 2, 0, 0, 4, 0], [2, 4])
    )
    np.testing.assert_array_equal(ours.x, plain.x)
