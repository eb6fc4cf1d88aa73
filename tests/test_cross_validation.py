"""Laws of ps.cross_validate: folds are fits without their samples, scores are held-out losses."""

from __future__ import annotations

import sys

import numpy as np
import path_cases
import problem_cases as cases
import proxstep as ps
import pytest
import reference_problems as ref

SETTINGS = {"n_lambdas": 5, "lambda_ratio": 0.03, "tol": 1e-9}
kinds = pytest.mark.parametrize("kind", cases.KINDS)


def part(d, rows):
    """The samples of some rows alone."""
    return d.rows(rows, None if d.w is None else d.w[rows])


@kinds
@pytest.mark.parametrize("weighted", [False, True])
def test_a_fold_is_a_fit_to_the_other_samples(kind, weighted):
    d = cases.data(kind, weighted)
    numbers = np.random.default_rng(7).permutation(np.arange(len(d.X)) % 3)
    family = path_cases.FAMILIES[cases.KINDS.index(kind) % len(path_cases.FAMILIES)]
    problem = cases.problem(d)
    cv = ps.cross_validate(problem, family.at(1.0, problem.shape), numbers, **SETTINGS)
    whole = ps.path(problem, family.at(1.0, problem.shape), **SETTINGS)
    np.testing.assert_array_equal(cv.path.x, whole.x)
    for k in range(3):
        train, test = part(d, numbers != k), part(d, numbers == k)
        for i, lam in enumerate(cv.lambdas):
            fit = ps.solve(cases.problem(train), family.at(lam, problem.shape), tol=1e-11)
            expected = ref.loss(test, fit.x, fit.intercept)
            assert cv.scores[k, i] == pytest.approx(expected, rel=1e-4)
    shares = [float(d.shares[numbers == k].sum()) for k in range(3)]
    np.testing.assert_allclose(cv.weights, shares, rtol=1e-12)


def test_mean_error_and_choices_are_the_textbooks():
    d = cases.data("LeastSquares", n=40)
    cv = ps.cross_validate(cases.problem(d), ps.L1(1.0), 8, n_lambdas=60, seed=3, tol=1e-7)
    np.testing.assert_allclose(cv.mean, cv.scores.mean(axis=0), rtol=1e-12)
    errors = cv.scores.std(axis=0, ddof=1) / np.sqrt(8)
    np.testing.assert_allclose(cv.standard_error, errors, rtol=1e-10)
    best = cv.mean.argmin()
    within = np.flatnonzero(cv.mean <= cv.mean[best] + errors[best])
    assert (cv.best_index, cv.one_standard_error_index) == (best, within[0])
    assert within[0] < best
    assert cv.best is cv.path[best]
    assert cv.one_standard_error.lam == cv.lambdas[within[0]]
    words = repr(cv)
    assert words.startswith("CrossValidation(8 folds, 60 strengths, finished in ")
    assert f"best at {cv.best.lam:.4g} with {cv.mean[best]:.5g} ±" in words
    assert f"one standard error at {cv.one_standard_error.lam:.4g}, " in words


@pytest.mark.parametrize("kind", ["LeastSquares", "Logistic", "Softmax"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_results_do_not_depend_on_the_threads(kind, dtype, threads):
    problem = cases.problem(cases.data(kind, weighted=True), dtype)

    def run(workers):
        return ps.cross_validate(problem, ps.L1(1.0), 4, workers=workers, n_lambdas=5, tol=1e-4)

    first = run(1)
    for workers, native in ((2, 1), (7, 3), (None, 2)):
        ps.set_num_threads(native)
        again = run(workers)
        np.testing.assert_array_equal(again.scores, first.scores)
        np.testing.assert_array_equal(again.path.x, first.path.x)


def test_float32_scores_are_those_of_float64():
    d = cases.data("Softmax", weighted=True)
    single = ps.cross_validate(
        cases.problem(d, "float32", "F"), ps.L1(1.0), **SETTINGS | {"tol": 1e-6}
    )
    double = ps.cross_validate(cases.problem(d), ps.L1(1.0), **SETTINGS)
    assert single.path.x.dtype == np.float32
    np.testing.assert_allclose(single.scores, double.scores, rtol=2e-3)


@pytest.mark.parametrize("form", ["csr", "csc"])
def test_sparse_designs(form):
    sparse = pytest.importorskip("scipy.sparse")
    d = cases.data("Logistic")
    X = np.where(np.abs(d.X) > 0.6, d.X, 0.0)
    ours = ps.cross_validate(
        ps.Logistic(sparse.csr_array(X).asformat(form), d.y), ps.L1(1.0), **SETTINGS
    )
    dense = ps.cross_validate(ps.Logistic(X, d.y), ps.L1(1.0), **SETTINGS)
    np.testing.assert_allclose(ours.scores, dense.scores, rtol=1e-4)


@pytest.mark.parametrize("kind", ["Logistic", "Softmax"])
def test_scores_of_ones_own_see_the_held_out_margins(kind):
    d = cases.data(kind)
    seen = {}

    def errors(margins, rows):
        assert margins.dtype == np.float64
        seen[len(seen)] = rows
        guess = margins.argmax(axis=1) if d.outputs else margins > 0
        return np.mean(guess != d.y[rows])

    settings = {**SETTINGS, "folds": 3, "workers": 1}
    cv = ps.cross_validate(cases.problem(d), ps.L1(1.0), score=errors, **settings)
    assert len(seen) == 15
    np.testing.assert_array_equal(
        np.sort(np.concatenate([seen[0], seen[5], seen[10]])), np.arange(37)
    )
    train = np.setdiff1d(np.arange(37), seen[0])
    fit = ps.solve(cases.problem(part(d, train)), ps.L1(float(cv.lambdas[-1])), tol=1e-9)
    margins = d.X[seen[0]] @ fit.x + fit.intercept
    assert cv.scores[0, -1] == errors(margins, seen[0])


def test_one_warning_for_all_folds():
    problem = cases.problem(cases.data("Logistic"))
    words = r"^ps.cross_validate: \d+ of 24 fits stopped early"
    with pytest.warns(ps.ConvergenceWarning, match=words) as caught:
        ps.cross_validate(problem, ps.L1(1.0), 3, n_lambdas=6, tol=1e-12, max_iter=9)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_plot_shows_the_scores_and_both_choices(monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    problem = cases.problem(cases.data("LeastSquares"))
    cv = ps.cross_validate(problem, ps.L1(1.0), n_lambdas=20, tol=1e-6)
    axes = cv.plot()
    points, *bars = axes.containers[0].lines
    np.testing.assert_array_equal(points.get_ydata(), cv.mean)
    ends = np.array([segment[:, 1] for segment in bars[1][0].get_segments()])
    np.testing.assert_allclose(ends[:, 1] - ends[:, 0], 2 * cv.standard_error)
    upright = [line.get_xdata()[0] for line in axes.lines if line.get_label()[0] != "_"]
    assert upright == [cv.best.lam, cv.one_standard_error.lam]
    assert axes.get_ylabel() == "held-out mean loss"
    assert cv.plot(axes) is axes
    matplotlib.pyplot.close("all")
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match="plots need matplotlib"):
        cv.plot()


def test_a_strength_of_zero_has_no_line_and_no_name_in_a_plot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    d = cases.data("LeastSquares")
    exact = ps.LeastSquares(d.X, d.X @ np.arange(1.0, 7.0))  # nothing to shrink for
    cv = ps.cross_validate(exact, ps.L1(1.0), lambdas=[2.0, 1.0, 0.0])
    assert cv.best.lam == 0.0
    axes = cv.plot()
    assert axes.get_legend() is None
    assert len(axes.lines) == len(axes.containers[0].lines[1]) + 1  # of the scores alone
    matplotlib.pyplot.close("all")


def test_a_path_of_one_strength_is_drawn_as_points():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    path = ps.path(cases.problem(cases.data("LeastSquares")), ps.L1(1.0), lambdas=[0.1, 0.0])
    _, *lines = path.plot().lines
    assert {(line.get_marker(), *line.get_xdata()) for line in lines} == {("o", 0.1)}
    matplotlib.pyplot.close("all")
