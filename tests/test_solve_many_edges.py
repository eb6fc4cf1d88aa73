"""`solve_many` at its borders: what is refused, in which words, and fits of nothing."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import proxstep as ps
import pytest
from proxstep import _core
from refusals import refused

RNG = np.random.default_rng(5)
X3, Y3 = RNG.normal(0.3, 1.1, (4, 11, 3)), RNG.normal(0.2, 0.9, (4, 11))
X2, Y2 = X3[0], Y3.T
L1 = ps.L1(0.07)


@pytest.mark.parametrize(
    ("X", "Y", "error", "pattern"),
    [
        (X2.tolist(), Y2, TypeError, "X is a list; a NumPy array of float32 or float64"),
        (X2.astype(int), Y2, TypeError, "X is of int64"),
        (X2[0], Y2, ValueError, r"\(n, p\) or \(B, n, p\) with n > 0, got \(3,\)"),
        (X2[:0], Y2[:0], ValueError, r"got \(0, 3\)"),
        (X2, Y2[:, 0], ValueError, r"Y has shape \(11,\); \(n, B\) beside a shared X"),
        (X2, Y3, ValueError, r"Y has shape \(4, 11\), expected \(11, 11\)"),
        (X3, Y2, ValueError, r"Y has shape \(11, 4\), expected \(4, 11\)"),
        (X3, Y3.astype(str), TypeError, "Y must be real numbers"),
    ],
)
def test_shapes_and_dtypes(X: Any, Y: Any, error: Any, pattern: str) -> None:
    with refused(error, pattern):
        ps.solve_many(X, Y, L1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_named_with_their_place(bad: float) -> None:
    for X, Y, place in [(X3.copy(), Y3, (2, 5, 1)), (X2.copy(), Y2, (5, 1))]:
        X[place] = bad
        where = ", ".join(map(str, place))
        with refused(ValueError, rf"X must be finite in float64, X\[{where}\] is {bad}", keep=[X]):
            ps.solve_many(X, Y, L1)
    Y = Y3.copy()
    Y[3, 7] = bad
    with refused(ValueError, rf"Y\[3, 7\] is {bad}"):
        ps.solve_many(X3, Y, L1)


@pytest.mark.parametrize(("x", "y"), [(1e200, 1.0), (1.0, 1e200)])
def test_squares_that_overflow(x: float, y: float) -> None:
    with refused(ValueError, "squares of X or Y overflow"):
        ps.solve_many(x * X3, y * Y3, L1)


@pytest.mark.parametrize("tiny", [1e-310, 1e-200, 1e-160])
def test_squares_that_vanish(tiny: float) -> None:
    one = np.ones((len(Y3), 1))
    one[3] = tiny
    for X in (X3 * tiny, X3 * one[:, :, None]):
        with refused(ValueError, r"squares of X vanish: a fit's largest number is \d"):
            ps.solve_many(X, Y3, ps.L1(1e-3 * tiny))
    with refused(ValueError, r"squares of X vanish"):
        ps.solve_many(X2 * tiny, Y2, ps.L1(1e-3 * tiny))
    with refused(ValueError, r"squares of Y vanish"):
        ps.solve_many(X3, Y3 * one, ps.L1(1e-3 * tiny))
    assert ps.solve_many(X3 * (one == 1.0)[:, :, None], Y3 * (one == 1.0), L1).converged.all()


@pytest.mark.parametrize(
    "penalty",
    [None, ps.MCP(0.1, 3.0), ps.L0(0.1), ps.Group(ps.L1(0.1), 3), ps.SparseGroup(0.1, 0.1, 3),
     ps.L1Ball(1.0), ps.TopK(2), "l1"],
)  # fmt: skip
def test_other_penalties_are_refused_by_name(penalty: Any) -> None:
    with refused(TypeError, "many fits take L1, ElasticNet, NonNegativeL1, SquaredL2, Box"):
        ps.solve_many(X2, Y2, penalty)


@pytest.mark.parametrize(
    ("settings", "error", "pattern"),
    [
        ({"tol": -1e-6}, ValueError, "tol is -1e-06"),
        ({"max_iter": -1}, ValueError, "max_iter is -1"),
        ({"max_iter": 2.5}, TypeError, "max_iter is 2.5"),
        ({"sample_weight": np.ones(4)}, ValueError, r"sample_weight has shape \(4,\)"),
        ({"sample_weight": -np.ones(11)}, ValueError, r"sample_weight\[0\] is -1"),
        ({"penalty": ps.L1(0.1, weights=[1.0, 2.0])}, ValueError, r"weights .*\(2,\)"),
    ],
)
def test_settings(settings: Any, error: Any, pattern: str) -> None:
    with refused(error, pattern):
        ps.solve_many(X2, Y2, settings.pop("penalty", L1), **settings)


@pytest.mark.parametrize("fits", [0, 1])
@pytest.mark.parametrize(("n", "p"), [(1, 3), (7, 1), (1, 1), (7, 0)])
def test_few_samples_features_and_fits(n: int, p: int, fits: int) -> None:
    X, Y = X3[:fits, :n, :p], Y3[:fits, :n]
    for found in (
        ps.solve_many(X, Y, L1),
        ps.solve_many(X3[0, :n, :p], Y.T, L1),
        ps.solve_many(X.astype(np.float32), Y, L1),
    ):
        assert found.x.shape == (fits, p)
        assert found.converged.shape == found.intercept.shape == (fits,)
        assert found.converged.all()
    if fits and p:
        alone = ps.solve(ps.LeastSquares(X[0], Y[0]), L1, 1e-10)
        np.testing.assert_allclose(ps.solve_many(X, Y, L1, 1e-10).x[0], alone.x, atol=1e-7)


def test_constant_targets_and_columns_have_an_exact_answer() -> None:
    found = ps.solve_many(np.full((3, 6, 2), 1.7), np.full((3, 6), 0.3), L1)
    assert not found.x.any()
    assert found.converged.all()
    np.testing.assert_allclose(found.intercept, 0.3, rtol=1e-14)


def test_nonzeros_are_counted_for_each_fit() -> None:
    found = ps.solve_many(X3, Y3, ps.L1(0.2))
    assert found.nonzeros.tolist() == [np.count_nonzero(x) for x in found.x]
    assert 0 < found.nonzeros.sum() < 12


def test_far_means_cost_no_accuracy() -> None:
    found = ps.solve_many(X3 + 1e5, Y3 - 1e4, L1, 1e-9)
    wanted = ps.solve_many(X3, Y3, L1, 1e-12)
    np.testing.assert_allclose(found.x, wanted.x, atol=1e-6)
    np.testing.assert_allclose(found.objective, wanted.objective, rtol=1e-8)


def test_one_warning_counts_the_fits_and_says_the_worst_gap() -> None:
    X = X3[..., :1] + 0.1 * X3  # nearly the same columns
    with pytest.warns(ps.ConvergenceWarning) as caught:
        found = ps.solve_many(X, Y3, ps.L1(1e-5), 1e-12, max_iter=3)
    assert len(caught) == 1
    left = int((~found.converged).sum())
    assert left
    text = str(caught[0].message)
    assert f"{left} of 4 fits did not converge" in text
    assert f"{found.gap.max():.2g}, above tol=1e-12" in text
    assert f"{4 - left} of 4 fits of 3 parameters converged" in repr(found)
    assert (found.n_iter <= 3).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ps.solve_many(X, Y3, ps.L1(0.01), 1e-4)


def test_without_iterations_the_start_is_evaluated() -> None:
    with pytest.warns(ps.ConvergenceWarning):
        found = ps.solve_many(X3, Y3, L1, max_iter=0)
    assert not found.x.any()
    assert not found.n_iter.any()
    np.testing.assert_allclose(found.objective, 0.5 * Y3.var(axis=1), rtol=1e-13)


def test_the_core_refuses_what_does_not_fit() -> None:
    held = _core.ManySquares(X3, Y3, None, True)
    good = {"fits": np.arange(4), "x": np.zeros((4, 3)), "gradient": np.zeros((4, 3)),
            "reports": np.zeros((4, 8))}  # fmt: skip
    for name, wrong, pattern in [
        ("fits", np.array([0, 4]), r"fits\[1\] is 4; they increase within 0 to 3"),
        ("fits", np.array([1, 1]), r"fits\[1\] is 1"),
        ("x", np.zeros((4, 2)), r"x has shape \(4, 2\); \(4, 3\) in C order"),
        ("gradient", np.zeros((3, 4)).T, "gradient has shape"),
        ("reports", np.zeros((4, 7)), r"\(4, 8\) in C order"),
    ]:
        with refused(ValueError, pattern):
            held.run(L1.spec, **(good | {name: wrong}), tolerance=0.1, max_epochs=3)
    with refused(ValueError, r"Y has shape \(4, 11\)"):
        _core.ManySquares(X3[:3], Y3, None, True)
    with refused(TypeError, "X has dtype float16"):
        _core.ManySquares(X3.astype(np.float16), Y3, None, True)


LEFT_FREE = [
    ps.L1(0.0),
    ps.SquaredL2(0.0),
    ps.NonNegativeL1(0.0),
    ps.Box(-np.inf, np.inf),
    ps.L1(0.1, weights=[1.0, 0.0, 0.0]),
    ps.ElasticNet(0.1, 0.2, weights=[0.0, 0.0, 0.7]),
]


@pytest.mark.parametrize("penalty", LEFT_FREE, ids=repr)
@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, -1e8])
@pytest.mark.parametrize("constant", [[0], [1, 2], [0, 1, 2]])
@pytest.mark.parametrize("weighted", [False, True])
def test_constant_columns_are_at_rest_without_a_penalty(
    penalty: Any, value: float, constant: list[int], weighted: bool
) -> None:
    """By the rule that `solve` has."""
    X, weights = X3.copy(), RNG.uniform(0.2, 2.0, 11) if weighted else None
    X[:, :, constant] = value
    for given, Y in ((X, Y3), (X[0], Y2)):
        found = ps.solve_many(given, Y, penalty, sample_weight=weights)
        assert found.converged.all(), found
        assert not found.x[:, constant].any()
        first = ps.LeastSquares(X[0], Y3[0], weights)
        wanted = ps.solve(first, penalty, 1e-10).objective
        assert found.objective[0] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("penalty", [*LEFT_FREE, L1], ids=repr)
@pytest.mark.parametrize("y", [0.0, 0.1, 1 / 3, 1e9])
def test_constant_targets_are_their_own_fit(penalty: Any, y: float) -> None:
    found = ps.solve_many(X2, np.full((11, 2), y), penalty)
    assert found.converged.all(), found
    assert not found.x.any()
    np.testing.assert_allclose(found.intercept, y, rtol=1e-14)


def test_a_column_far_from_0_is_no_constant_one() -> None:
    X = X2.copy()
    X[:, 1] += 1e8
    near, far = ps.solve_many(X2, Y2, L1, 1e-9), ps.solve_many(X, Y2, L1, 1e-6)
    assert far.converged.all()
    np.testing.assert_allclose(far.x, near.x, atol=1e-5)
