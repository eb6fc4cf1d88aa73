"""Folds: how samples are dealt out, what else may be given, and what is refused."""

from __future__ import annotations

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest
from proxstep.paths.folds import classes_of, splits

SETTINGS = {"n_lambdas": 3, "tol": 1e-5}


def held_out(problem, folds=5, seed=0):
    return np.array([part.test > 0 for part in splits(problem, folds, seed)])


@pytest.mark.parametrize("kind", cases.KINDS)
@pytest.mark.parametrize("folds", [2, 5, 37])
def test_each_sample_is_held_out_once_in_folds_of_like_size(kind, folds):
    problem = cases.problem(cases.data(kind, weighted=True, n=37))
    if folds == 37 and " " not in kind and kind != "LeastSquares":
        folds = 9
    test = held_out(problem, folds)
    np.testing.assert_array_equal(test.sum(axis=0), 1)
    assert np.ptp(test.sum(axis=1)) <= 1
    for part in splits(problem, folds, 0):
        np.testing.assert_array_equal(part.train > 0, part.test == 0)
        np.testing.assert_allclose(part.train + part.test, problem.weights.exact * 37)


@pytest.mark.parametrize("kind", ["Logistic", "Softmax"])
def test_classes_are_dealt_out_evenly(kind):
    d = cases.data(kind, n=83)
    test = held_out(cases.problem(d))
    for label in np.unique(d.y):
        assert np.ptp(test[:, d.y == label].sum(axis=1)) <= 1


def test_probabilities_have_no_classes():
    for kind in ("Logistic soft", "Softmax soft", "LeastSquares"):
        assert classes_of(cases.problem(cases.data(kind))) is None
    signs = np.where(cases.data("Logistic").y > 0, 1, -1)
    problem = ps.Logistic(cases.data("Logistic").X, signs)
    np.testing.assert_array_equal(classes_of(problem), signs > 0)


def test_a_seed_is_a_deal():
    problem = cases.problem(cases.data("LeastSquares"))
    np.testing.assert_array_equal(held_out(problem, seed=4), held_out(problem, seed=4))
    assert (held_out(problem, seed=4) != held_out(problem, seed=5)).any()


class ArrayLike:
    """An array of some other library: all it has is a NumPy copy."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


def test_numbers_pairs_and_masks_say_the_same():
    d = cases.data("LeastSquares")
    numbers = np.arange(37) % 3 - 1  # a third is never held out
    pairs = [(np.flatnonzero(numbers != k), np.flatnonzero(numbers == k)) for k in (0, 1)]
    masks = [(numbers != k, numbers == k) for k in (0, 1)]
    runs = [
        ps.cross_validate(cases.problem(d), ps.L1(1.0), folds, **SETTINGS).scores
        for folds in (numbers, numbers.tolist(), ArrayLike(numbers), pairs, iter(pairs), masks)
    ]
    assert runs[0].shape == (2, 3)
    for scores in runs[1:]:
        np.testing.assert_array_equal(scores, runs[0])


def test_splitters_of_scikit_learn():
    selection = pytest.importorskip("sklearn.model_selection")
    d = cases.data("Logistic")
    splitter = selection.StratifiedKFold(4)
    cv = ps.cross_validate(cases.problem(d), ps.L1(1.0), splitter.split(d.X, d.y), **SETTINGS)
    assert cv.scores.shape == (4, 3)
    with pytest.raises(TypeError, match=r"pass its folds, folds.split\(X, y\)"):
        ps.cross_validate(cases.problem(d), ps.L1(1.0), splitter)


def test_a_sample_drawn_twice_counts_twice():
    d = cases.data("LeastSquares")
    train, test = np.r_[0:25, 3:9], np.r_[25:37]
    cv = ps.cross_validate(cases.problem(d), ps.L1(1.0), [(train, test)], lambdas=[0.1], tol=1e-11)
    fit = ps.solve(ps.LeastSquares(d.X[train], d.y[train]), ps.L1(0.1), tol=1e-11)
    error = np.mean((d.X[test] @ fit.x + fit.intercept - d.y[test]) ** 2) / 2
    assert cv.scores[0, 0] == pytest.approx(error, rel=1e-5)
    assert np.isnan(cv.standard_error).all()
    assert cv.best.lam == 0.1
    assert repr(cv).endswith("nonzeros)")
    with pytest.raises(ValueError, match=r"one fold \(finished\) gives no standard error"):
        cv.one_standard_error  # noqa: B018


Y = np.resize([0, 1], 37)
REFUSED = [
    (1, ValueError, "folds is 1; between 2 and the 37 samples"),
    (38, ValueError, "folds is 38; between 2 and the 37 samples"),
    (5.0, TypeError, "folds is 5.0; an integer is needed"),
    (True, TypeError, "folds is True"),
    (np.zeros(37), TypeError, "fold numbers must be integers, got dtype float64"),
    (np.arange(36), ValueError, "folds has 36 fold numbers, there are 37 samples"),
    (np.zeros(37, int), ValueError, "folds has 1 different numbers; at least 2"),
    ([], ValueError, "there are no folds"),
    (iter(()), ValueError, "there are no folds"),
    ([([0, 1], [2]), ([0, 5, 3], [4, 3, 5])], ValueError, "fold 1 trains on sample 3 .* both: 2"),
    (ArrayLike(np.ones(37)), TypeError, "fold numbers must be integers, got dtype float64"),
    ([(np.arange(5),)], TypeError, r"fold 0 is .*; a pair of index arrays"),
    ([([0, 1], [2, 3]), ([0, 1], [37])], ValueError, r"fold 1 has indices from 37 to 37"),
    ([([-1, 0, 1], [2])], ValueError, r"fold 0 has indices from -1 to 1"),
    ([([0.5, 1.0], [2])], TypeError, r"fold 0 has indices of dtype float64"),
    ([([0, 1, 2], [3]), ([0, 1, 2], [])], TypeError, r"fold 1 has indices of dtype float64"),
    ([(np.arange(9), np.arange(0))], ValueError, "fold 0 has no held-out sample with a weight"),
    ([(np.arange(0), np.arange(9))], ValueError, "fold 0 has no training sample with a weight"),
    (Y, ValueError, "fold 0 has no training sample of class 0, which it holds out"),
]


@pytest.mark.parametrize(("folds", "error", "words"), REFUSED)
def test_folds_that_cannot_be_are_refused(folds, error, words):
    d = cases.data("Logistic")
    with pytest.raises(error, match=words):
        ps.cross_validate(ps.Logistic(d.X, Y), ps.L1(1.0), folds)


def test_weights_of_zero_leave_a_fold_empty():
    d = cases.data("LeastSquares")
    numbers = np.arange(37) % 4
    with pytest.raises(ValueError, match="fold 2 has no held-out sample with a weight"):
        ps.cross_validate(ps.LeastSquares(d.X, d.y, numbers != 2), ps.L1(1.0), numbers)


def test_a_rare_class_is_named():
    d = cases.data("Softmax")
    y = np.where(np.arange(37) == 11, 2, np.resize([0, 1], 37))
    with pytest.raises(ValueError, match=r"fold \d has no training sample of class 2"):
        ps.cross_validate(ps.Softmax(d.X, y), ps.L1(1.0))


def test_other_settings_are_refused():
    problem = cases.problem(cases.data("LeastSquares"))
    with pytest.raises(ValueError, match="workers is 0"):
        ps.cross_validate(problem, ps.L1(1.0), workers=0)
    for score in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match=f"the score of fold 0 at strength .* is {score}"):
            ps.cross_validate(problem, ps.L1(1.0), score=lambda u, rows, s=score: s, **SETTINGS)
    with pytest.raises(ZeroDivisionError):
        ps.cross_validate(problem, ps.L1(1.0), score=lambda u, rows: 1 / 0, workers=2, **SETTINGS)
