"""What problems accept and refuse, and that X is left where it is."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest


def test_x_is_used_as_it_is_and_a_strided_view_is_copied_once():
    d = cases.data("LeastSquares")
    for X in (d.X.copy(), np.asfortranarray(d.X), d.X.astype(np.float32)):
        X.flags.writeable = False
        assert ps.LeastSquares(X, d.y).X is X
    view = np.repeat(d.X, 2, axis=1)[:, ::2]
    assert ps.LeastSquares(view, d.y).X.flags.c_contiguous


def test_a_memory_mapped_x_is_solved(tmp_path):
    d = cases.data("Logistic")
    np.save(tmp_path / "X.npy", d.X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    ours = ps.solve(ps.Logistic(mapped, d.y), ps.L1(0.03))
    assert ours.objective == ps.solve(cases.problem(d), ps.L1(0.03)).objective


def test_problems_say_what_they_are():
    assert repr(cases.problem(cases.data("Softmax"), "float32")) == "Softmax(n=37, p=6, float32)"


X = cases.data("LeastSquares").X[:4, :2].copy()
with_nan, with_inf = X.copy(), X.copy()
with_nan[3, 1], with_inf[2, 0] = np.nan, -np.inf
REFUSED = [
    (ps.LeastSquares, (X.tolist(), [1, 2, 3, 4]), {}, TypeError, r"or torch.*got list"),
    (ps.LeastSquares, (X.astype(int), [1, 2, 3, 4]), {}, TypeError, "int64; pass X.astype"),
    (ps.LeastSquares, (X.astype(np.float16), [1, 2, 3, 4]), {}, TypeError, "got float16"),
    (ps.LeastSquares, (X[0], [1]), {}, ValueError, r"shape \(n, p\) with n > 0, got \(2,\)"),
    (ps.LeastSquares, (X[:0], []), {}, ValueError, r"got \(0, 2\)"),
    (ps.LeastSquares, (with_nan, [1, 2, 3, 4]), {}, ValueError, r"X\[3, 1\] is nan"),
    (ps.LeastSquares, (with_inf, [1, 2, 3, 4]), {}, ValueError, r"X\[2, 0\] is -inf"),
    (ps.LeastSquares, (X, [1, 2, 3]), {}, ValueError, r"y has shape \(3,\), expected \(4,\)"),
    (ps.LeastSquares, (X, [[[1]], [[2]]]), {}, ValueError, r"\(2, 1, 1\), expected \(4,\)"),
    (ps.LeastSquares, (X, [[1], [2], [3]]), {}, ValueError, r"\(3, 1\), expected \(4, 1\)"),
    (ps.LeastSquares, (X, np.ones((4, 0))), {}, ValueError, r"\(4, 0\), expected \(4,\)"),
    (ps.Huber, (X, [[1], [2], [3], [4]]), {}, ValueError, r"\(4, 1\), expected \(4,\)"),
    (ps.Huber, (X, [1, 2, 3, 4]), {"delta": 0}, ValueError, "delta is 0; it must be .* positive"),
    (ps.Huber, (X, [1, 2, 3, 4]), {"delta": np.inf}, ValueError, "delta is inf"),
    (ps.Huber, (X, [1, 2, 3, 4]), {"delta": "auto"}, TypeError, "delta is 'auto'"),
    (ps.Poisson, (X, [1, 2, -3, 4]), {}, ValueError, r"must not be negative, y\[2\] is -3"),
    (ps.Poisson, (X, [1, 2, np.inf, 4]), {}, ValueError, r"y\[2\] is inf"),
    *[
        (make, (X, y), {"offset": offset}, error, words)
        for make, y in [
            (ps.LeastSquares, [1, 2, 3, 4]),
            (ps.Huber, [1, 2, 3, 4]),
            (ps.Logistic, [0, 1, 1, 0]),
            (ps.Poisson, [1, 2, 3, 4]),
        ]
        for offset, error, words in [
            ([1, 2, 3], ValueError, r"offset has shape \(3,\), expected \(4,\)"),
            (np.ones((4, 1)), ValueError, r"offset has shape \(4, 1\), expected \(4,\)"),
            ([1, 2, np.nan, 4], ValueError, r"offset\[2\] is nan"),
            ([1j, 2, 3, 4], TypeError, "offset must be real numbers"),
        ]
    ],
    (ps.Softmax, (X, [0, 1, 2, 1]), {"offset": [0] * 4}, ValueError, r"expected \(4, 3\)"),
    (
        ps.LeastSquares,
        (X.astype("f4"), [1, 2, 3, 3e38]),
        {"offset": [0, 0, 0, -3e38]},
        ValueError,
        r"y - offset\[3\] is inf",
    ),
    (ps.LeastSquares, (X, [1, 2, np.nan, 4]), {}, ValueError, r"y\[2\] is nan"),
    (ps.LeastSquares, (X, ["a", "b", "c", "d"]), {}, TypeError, "y must be real numbers"),
    (ps.LeastSquares, (X, [1j, 2, 3, 4]), {}, TypeError, "complex128"),
    (ps.LeastSquares, (X, [1, 2, 3, 4], [1, 1, -2, 1]), {}, ValueError, r"weight\[2\] is -2"),
    (ps.LeastSquares, (X, [1, 2, 3, 4], [0, 0, 0, 0]), {}, ValueError, "zero for every sample"),
    (ps.LeastSquares, (X, [1, 2, 3, 4], [1, 1]), {}, ValueError, r"\(2,\), expected \(4,\)"),
    (ps.LeastSquares, (X, [1, 2, 3, 4], [1, np.inf, 1, 1]), {}, ValueError, r"weight\[1\] is inf"),
    (ps.Logistic, (X, [0, 1, 2, 1]), {}, ValueError, r"y\[2\] is 2"),
    (ps.Logistic, (X, [-1, 0, 1, 1]), {}, ValueError, r"y\[0\] is -1, and y has values in \[-1, 1"),
    (ps.Softmax, (X, [0, 1, 2, 5]), {"classes": 3}, ValueError, r"from 0 to 2, y\[3\] is 5"),
    (ps.Softmax, (X, [0, 1, -1, 2]), {}, ValueError, r"y\[2\] is -1"),
    (ps.Softmax, (X, [0, 1, 0.5, 2]), {}, ValueError, r"y\[2\] is 0.5"),
    (ps.Softmax, (X, [0, 0, 0, 0]), {}, ValueError, "at least 2 classes"),
    (ps.Softmax, (X, np.full((4, 2), 0.6)), {}, ValueError, "row 0 .* the sum 1.2"),
    (ps.Softmax, (X, [[1.5, -0.5]] * 4), {}, ValueError, "row 0 has its smallest value -0.5"),
    (ps.Softmax, (X, np.eye(4)), {"classes": 3}, ValueError, r"\(4, 4\), expected \(4, 3\)"),
]


@pytest.mark.parametrize(("make", "args", "settings", "error", "words"), REFUSED)
def test_bad_data_are_refused_with_the_values(make, args, settings, error, words):
    with pytest.raises(error, match=words):
        make(*args, **settings)


@pytest.mark.parametrize(
    ("array", "place", "value", "words"),
    [
        ("indptr", 2, 0, r"X.indptr\[1\] is 2, above the next, 0"),
        ("indptr", 4, 9, r"X.indptr runs from 0 to 9 beside 8 indices and 8 values"),
        ("indptr", 0, 1, r"X.indptr runs from 1 to 8"),
        ("data", slice(2), None, r"beside 8 indices and 6 values"),
        ("indices", 3, -1, r"indices\[.\] is -1"),
        ("indices", 3, 7, r"indices\[.\] is 7"),
    ],
)
def test_sparse_matrices_that_are_none_are_refused(array, place, value, words):
    """Their library would read, and sort, what is not theirs."""
    given = pytest.importorskip("scipy.sparse").csr_array(X)
    if value is None:
        given.data = given.data[2:]
    else:
        getattr(given, array)[place] = value
    with pytest.raises(ValueError, match=words):
        ps.solve(ps.LeastSquares(given, [1, 2, 3, 4]), ps.L1(0.1))


def test_masked_values_are_no_numbers():
    with pytest.raises(TypeError, match="masked array with masked values"):
        ps.LeastSquares(np.ma.array(X, mask=X > 1), [1, 2, 3, 4])
    ps.LeastSquares(np.ma.array(X, mask=False), [1, 2, 3, 4])


def test_bad_parameters_are_refused():
    problem = cases.problem(cases.data("Softmax"))
    with pytest.raises(ValueError, match=r"x has shape \(6,\), expected \(6, 3\)"):
        problem.value(np.zeros(6))
    bad = np.zeros((6, 3))
    bad[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"x\[1, 2\] is nan"):
        problem.gradient(bad)
    with pytest.raises(ValueError, match=r"intercept has shape \(2,\), expected \(3,\)"):
        problem.value(np.zeros((6, 3)), [1, 2])


def test_an_absent_class_is_refused_only_where_the_intercept_needs_it():
    one = ps.Logistic(X, [1, 1, 1, 1])
    assert one.value([0.1, 0.2], 0.3) > 0
    with pytest.raises(ValueError, match="share of class 1 is 1"):
        one.lambda_max(ps.L1(1.0))
    weighted = ps.Softmax(X, [0, 1, 2, 1], [1, 1, 0, 1])
    with pytest.raises(ValueError, match="no sample has class 2 of 3"):
        ps.solve(weighted, ps.L1(0.1))
    assert ps.Logistic(X, [0, 0, 0, 0], fit_intercept=False).lambda_max(ps.L1(1.0)) > 0


@pytest.mark.parametrize("name", ["y", "sample_weight", "offset", "x0"])
def test_what_is_masked_elsewhere_does_not_count_silently(name):
    given = {"y": np.arange(4.0), "sample_weight": np.ones(4), "offset": np.ones(4)}
    start = np.zeros(2)
    hidden = np.ma.masked_array([1.0, 2.0, 3.0, 4.0][: 2 if name == "x0" else 4])
    hidden[1] = np.ma.masked
    (given if name != "x0" else {})[name] = hidden
    with pytest.raises(TypeError, match=f"{name} is a masked array with masked values"):
        ps.solve(ps.LeastSquares(X, **given), None, x0=hidden if name == "x0" else start)


def test_plain_arrays_do_not_import_masked_ones():
    """It takes 8 ms, which a first fit would wait for."""
    code = (
        "import sys, numpy as np, proxstep as ps; before = set(sys.modules);"
        "ps.solve(ps.Logistic(np.eye(4), [0, 1, 0, 1]), ps.L1(0.1));"
        "print(set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_solve_many_refuses_what_is_masked_too():
    with pytest.raises(TypeError, match="X is a masked array with masked values"):
        ps.solve_many(np.ma.masked_less(X, 0.0), np.ones((4, 1)), ps.L1(0.1))
    with pytest.raises(TypeError, match="Y is a masked array with masked values"):
        ps.solve_many(X, np.ma.masked_less(X, 0.0), ps.L1(0.1))
