"""Laws of a cross-validation that is cut short: what was solved is returned, and nothing else."""

from __future__ import annotations

import signal
import threading
from dataclasses import replace

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest
from proxstep.paths import follow as follow_module
from proxstep.paths.budget import Budget

SETTINGS = {"n_lambdas": 5, "lambda_ratio": 0.03, "tol": 1e-9}


def interrupt():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


@pytest.fixture
def patience(monkeypatch):
    """Let the user lose patience after so many solves; what follows is then called once."""

    def end_after(solves, then):
        solve, count = follow_module.solve_quietly, iter(range(1000))

        def impatient(*arguments, **settings):
            if next(count) == solves:
                then()
            return solve(*arguments, **settings)

        monkeypatch.setattr(follow_module, "solve_quietly", impatient)

    return end_after


def lose():
    raise KeyboardInterrupt


def test_ctrl_c_keeps_what_all_folds_have_solved(monkeypatch, ctrl_c):
    """The fourth solve of the last fold takes long; meanwhile the user loses patience."""
    solve, lock = follow_module.solve_quietly, threading.Lock()
    counts = {}

    def slow(problem, penalty, limits, start, solver):
        with lock:
            counts[id(problem)] = counts.get(id(problem), 0) + 1
            late = counts[id(problem)] == 4
            everyone = sum(count >= 4 for count in counts.values()) == 4
        if late and everyone:
            interrupt()
        if late:
            for _ in range(1000):
                if limits.stopped():
                    break
                threading.Event().wait(0.01)
        return solve(
            problem, penalty, replace(limits, tol=0.0 if late else limits.tol), start, solver
        )

    problem = cases.problem(cases.data("LeastSquares"))
    whole = ps.cross_validate(problem, ps.L1(1.0), 3, workers=4, **SETTINGS)
    monkeypatch.setattr(follow_module, "solve_quietly", slow)
    cv = ps.cross_validate(problem, ps.L1(1.0), 3, workers=4, **SETTINGS)
    assert (cv.reason, len(cv.path)) == ("interrupted", 3)
    np.testing.assert_array_equal(cv.scores, whole.scores[:, :3])
    assert "interrupted" in repr(cv)


@pytest.mark.parametrize("workers", [1, 3])
def test_ctrl_c_before_all_folds_have_begun_is_raised(workers, monkeypatch, ctrl_c):
    first = threading.Lock()

    def impatient(*arguments, **settings):
        if first.acquire(blocking=False):  # one signal: a second would meet the next test
            interrupt()
        threading.Event().wait(0.2)
        raise KeyboardInterrupt

    monkeypatch.setattr(follow_module, "solve_quietly", impatient)
    with pytest.raises(KeyboardInterrupt):
        ps.cross_validate(cases.problem(cases.data("LeastSquares")), ps.L1(1.0), workers=workers)


def test_time_runs_out_for_all_folds_together():
    problem = cases.problem(cases.data("LeastSquares"))
    with pytest.raises(RuntimeError, match=r"max_time is 1e-09; .* no fold had solved a strength"):
        ps.cross_validate(problem, ps.L1(1.0), lambdas=[0.01], max_time=1e-9)


@pytest.mark.parametrize(
    ("each", "solves", "folds", "length"),
    [
        (5, 12, [0], 5),
        (5, 14, [0, 1], 4),
        (5, 16, [0, 1], 5),
        (5, 24, [0, 1, 2, 3], 4),
        (5, 25, [0, 1, 2, 3], 5),
        (4, 10, [0, 1], 2),  # as many scores as one fold has: more folds tell more
    ],
)
def test_folds_that_have_hardly_begun_take_no_part(each, solves, folds, length, patience):
    """One by one: each strength of the path, then those of the folds 0 to 4."""
    problem = cases.problem(cases.data("LeastSquares", weighted=True))
    settings = {**SETTINGS, "n_lambdas": each, "workers": 1}
    whole = ps.cross_validate(problem, ps.L1(1.0), 5, **settings)
    patience(solves, lose)
    cv = ps.cross_validate(problem, ps.L1(1.0), 5, **settings)
    assert (cv.reason, cv.folds.tolist(), len(cv.path)) == ("interrupted", folds, length)
    np.testing.assert_array_equal(cv.scores, whole.scores[folds, :length])
    np.testing.assert_array_equal(cv.path.x, whole.path.x[:length])
    expected = whole.weights[folds] / whole.weights[folds].sum()
    np.testing.assert_allclose(cv.weights, expected, rtol=1e-14)
    assert whole.folds.tolist() == [0, 1, 2, 3, 4]
    if len(folds) == 1:
        with pytest.raises(ValueError, match=r"one fold \(interrupted\) gives no standard error"):
            cv.one_standard_error  # noqa: B018


def test_a_fold_whose_scoring_is_interrupted_takes_no_part():
    problem = cases.problem(cases.data("LeastSquares"))
    calls = []

    def score(margins, rows):
        calls.append(rows)
        return lose() if len(calls) == 13 else float(np.abs(margins).sum())

    cv = ps.cross_validate(problem, ps.L1(1.0), 4, workers=1, score=score, **SETTINGS)
    assert (cv.reason, cv.folds.tolist(), cv.scores.shape) == ("interrupted", [0, 1], (2, 5))


def ratios(**settings):
    """Twenty solves of each ratio: five strengths of all samples and of three folds."""
    estimators = pytest.importorskip("proxstep.sklearn")
    d = cases.data("LeastSquares")
    model = estimators.ElasticNetCV(l1_ratio=[0.4, 0.9], alphas=5, cv=3, n_jobs=1, **settings)
    return model.fit(d.X, d.y)


def test_ratios_that_are_whole_outlive_an_interruption(patience):
    patience(27, lose)
    model = ratios()
    assert (model.l1_ratio_, model.alphas_.shape, model.mse_path_.shape) == (0.4, (1, 5), (1, 5, 3))
    assert (model.validation_.reason, model.converged_) == ("finished", True)


def test_a_first_ratio_that_is_cut_short_gives_what_it_has(patience):
    patience(17, lose)
    model = ratios()
    assert (model.l1_ratio_, model.validation_.reason) == (0.4, "interrupted")
    assert (model.alphas_.shape, model.converged_) == ((1, 5), False)
    assert model.validation_.folds.tolist() == [0, 1]


def test_the_time_is_for_all_ratios_together(patience, monkeypatch):
    def hours_pass():
        monkeypatch.setattr(Budget, "seconds", 9999.0)

    patience(22, hours_pass)
    with pytest.warns(ps.ConvergenceWarning, match="max_time") as caught:
        model = ratios(max_time=999.0)
    assert len(caught) == 1
    assert (model.l1_ratio_, model.validation_.reason) == (0.4, "finished")


def test_each_ratio_has_the_time_that_is_left(monkeypatch):
    module = pytest.importorskip("proxstep.sklearn.cross_validation")
    validate, times = module.validate_quietly, []

    def noted(problem, penalty, request, name):
        times.append(request.limits.max_time)
        return validate(problem, penalty, request, name)

    monkeypatch.setattr(module, "validate_quietly", noted)
    ratios(max_time=999.0)
    assert 999.0 > times[0] > times[1]


def test_ratios_share_their_folds():
    """A generator of folds is walked once, a splitter at random deals once."""
    splitter = pytest.importorskip("sklearn.model_selection").KFold(3, shuffle=True)
    estimators = pytest.importorskip("proxstep.sklearn")
    d = cases.data("LeastSquares")
    for cv in (splitter, splitter.split(d.X)):
        model = estimators.ElasticNetCV(l1_ratio=[0.5, 0.5], alphas=4, cv=cv).fit(d.X, d.y)
        np.testing.assert_array_equal(*model.mse_path_)
