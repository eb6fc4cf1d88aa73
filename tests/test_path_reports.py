"""What a path reports: warnings, interruption, refusals, points, plots."""

from __future__ import annotations

import pickle
import sys
import time
import warnings

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest
from proxstep.paths import follow as follow_module

QUIET = {"tol": 1e-4}


@pytest.fixture
def problem():
    return cases.problem(cases.data("Logistic", weighted=True))


def test_a_path_is_a_sequence_of_points(problem):
    path = ps.path(problem, ps.L1(1.0), 5, **QUIET)
    assert [point.lam for point in path] == path.lambdas.tolist()
    for i, point in enumerate(path):
        np.testing.assert_array_equal(point.x, path.x[i])
        assert (point.gap, point.n_iter) == (path.gaps[i], path.n_iter[i])
        assert (point.certificate, point.solver) == ("duality gap", "cd")
        assert np.count_nonzero(point.x) == path.nonzeros[i]
    assert path.reasons == ("converged",) * 5
    assert (path.seconds >= 0).all()
    assert path[-1].lam == path.lambdas[-1]


def test_a_path_says_what_it_is(problem):
    path = ps.path(problem, ps.L1(1.0), 5, **QUIET)
    words = repr(path)
    assert words.startswith(f"Path(5 strengths from {path.lambdas[0]:.4g} to ")
    assert f": 0 to {path.nonzeros[-1]} nonzeros, all converged)" in words


@pytest.mark.parametrize("kind", ["Softmax", "Logistic"])
def test_a_path_survives_pickling_without_the_data(kind):
    path = ps.path(cases.problem(cases.data(kind, n=400)), ps.L1(1.0), 4, **QUIET)
    bits = pickle.dumps(path)
    assert len(bits) < 6000
    np.testing.assert_array_equal(pickle.loads(bits).x, path.x)


def test_the_nearest_point_by_ratio(problem):
    path = ps.path(problem, ps.L1(1.0), lambdas=[0.1, 0.01, 0.0], **QUIET)
    assert path.at(0.0317).lam == 0.1
    assert path.at(0.0316).lam == 0.01
    assert path.at(0.1 * (1 + 1e-12)) is path[0]
    assert path.at(0).lam == 0.0
    for lam in (0.11, -1e-9, np.nan):
        with pytest.raises(ValueError, match=f"lam is {lam}; the path has strengths from 0.1 to 0"):
            path.at(lam)


def test_one_warning_for_all_strengths(problem):
    words = (
        r"^ps.path: \d of 9 fits stopped early \(\d max_iter\); the largest relative duality "
        r"gap is .* at strength .* above tol=1e-10: raise max_iter"
    )
    with pytest.warns(ps.ConvergenceWarning, match=words) as caught:
        path = ps.path(problem, ps.L1(1.0), 9, tol=1e-10, max_iter=12)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert path.reasons[0] == "converged"
    short = sum(reason == "max_iter" for reason in path.reasons)
    assert f"{short} of 9" in str(caught[0].message)
    assert f"{short} not converged)" in repr(path)
    worst = path.lambdas[np.argmax(path.gaps)]
    assert f"at strength {worst:.3g}," in str(caught[0].message)


def test_time_runs_out_for_the_whole_path(problem, monkeypatch):
    solve = follow_module.solve_quietly
    calls = []

    def slow(*arguments, **settings):
        calls.append(arguments)
        time.sleep(0.05 if len(calls) == 3 else 0.0)
        return solve(*arguments, **settings)

    monkeypatch.setattr(follow_module, "solve_quietly", slow)
    with pytest.warns(ps.ConvergenceWarning, match=r"stopped \(max_time\) after 3 of 30 fits"):
        path = ps.path(problem, ps.L1(1.0), 30, max_time=0.04, tol=1e-12)
    assert (path.reason, len(path)) == ("max_time", 3)


@pytest.mark.parametrize("solved", [0, 4])
def test_ctrl_c_returns_what_has_been_solved(problem, monkeypatch, solved):
    solve = follow_module.solve_quietly
    calls = []

    def impatient(*arguments, **settings):
        if len(calls) == solved:
            raise KeyboardInterrupt
        calls.append(arguments)
        return solve(*arguments, **settings)

    whole = ps.path(problem, ps.L1(1.0), 9, **QUIET)
    monkeypatch.setattr(follow_module, "solve_quietly", impatient)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = ps.path(problem, ps.L1(1.0), 9, **QUIET)
    assert (path.reason, len(path)) == ("interrupted", solved)
    np.testing.assert_array_equal(path.x, whole.x[:solved])
    assert path.intercepts.shape == (solved,)
    assert "interrupted" in repr(path)
    if not solved:
        with pytest.raises(ValueError, match="no strengths: interrupted"):
            path.at(0.1)


def test_a_solve_that_is_stopped_ends_the_path(problem):
    """Ctrl-C within a solve makes a result that says so; such a point is not kept."""

    class Impatient:
        """An event that is set once it has been asked so many times."""

        asked = 0

        def is_set(self):
            self.asked += 1
            return self.asked > 40

        def set(self):
            self.asked = 1000

    limits = follow_module.checked_limits(1e-12, 10_000, None)
    budget = follow_module.Budget(limits, stop=Impatient())
    lambdas = 0.1 * 0.5 ** np.arange(9)
    path = follow_module.follow(
        problem, follow_module.Plan(ps.L1(1.0), lambdas, "auto", budget, lambda: None)
    )
    assert path.reason == "interrupted"
    assert 0 < len(path) < 9
    assert set(path.reasons) == {"converged"}


REFUSED = [
    ({"problem": None}, TypeError, "problem is None"),
    ({"penalty": None}, TypeError, "penalty is None; a path needs a penalty with a strength"),
    ({"penalty": cases.HalfSquares()}, TypeError, "a path needs a penalty with a strength"),
    ({"penalty": ps.Box(-1, 1)}, TypeError, "Box.* has no strength that a path could vary"),
    ({"penalty": ps.NM(2, 4)}, TypeError, "NM.* has no strength"),
    ({"penalty": ps.ElasticNet(0.0, 1.0)}, TypeError, "ElasticNet.* has no strength"),
    ({"penalty": ps.SparseGroup(0.0, 0.0, 2)}, TypeError, "SparseGroup.* has no strength"),
    ({"penalty": ps.Group(ps.Box(-1, 1), 2)}, TypeError, "Box.* has no strength"),
    ({"penalty": ps.SquaredL2(1.0)}, TypeError, "SquaredL2.*; a path of it needs lambdas"),
    ({"penalty": ps.L1(0.1, weights=[1, 2])}, ValueError, "2"),
    ({"penalty": ps.L1(0.1, weights=np.zeros(6))}, ValueError, "lambda_max is 0: .*pass lambdas"),
    ({"n_lambdas": 0}, ValueError, "n_lambdas is 0"),
    ({"n_lambdas": 5.0}, TypeError, "n_lambdas is 5.0; an integer"),
    ({"lambda_ratio": 0}, ValueError, "lambda_ratio is 0"),
    ({"lambda_ratio": 1.0}, ValueError, "lambda_ratio is 1.0; it must be below 1"),
    ({"lambdas": [0.1, 0.2]}, ValueError, r"must fall.*lambdas\[0\] is 0.1 .*lambdas\[1\] is 0.2"),
    ({"lambdas": [0.2, 0.1, 0.1]}, ValueError, r"lambdas\[1\] is 0.1 and lambdas\[2\] is 0.1"),
    ({"lambdas": [0.2, -0.1]}, ValueError, r"lambdas\[1\] is -0.1; strengths are finite and not"),
    ({"lambdas": [np.nan]}, ValueError, r"lambdas\[0\] is nan"),
    ({"lambdas": [np.inf, 1.0]}, ValueError, r"lambdas\[0\] is inf"),
    ({"lambdas": []}, ValueError, r"lambdas has shape \(0,\)"),
    ({"lambdas": 0.1}, ValueError, r"lambdas has shape \(\)"),
    ({"tol": -1.0}, ValueError, "tol is -1.0"),
    ({"max_time": 0}, ValueError, "max_time is 0"),
    ({"solver": "fist"}, ValueError, "did you mean 'fista'"),
]


@pytest.mark.parametrize("run", [ps.path, ps.cross_validate])
@pytest.mark.parametrize(("change", "error", "words"), REFUSED)
def test_bad_settings_are_refused_with_their_values(run, change, error, words, problem):
    settings = {"problem": problem, "penalty": ps.L1(1.0), **change}
    with pytest.raises(error, match=words):
        run(settings.pop("problem"), settings.pop("penalty"), **settings)


def test_a_constant_target_has_no_grid():
    X = np.arange(8.0).reshape(4, 2)
    with pytest.raises(ValueError, match="lambda_max is 0"):
        ps.path(ps.LeastSquares(X, np.full(4, 3.0)), ps.L1(1.0))


@pytest.mark.parametrize("kind", ["LeastSquares", "Softmax"])
def test_a_plot_shows_each_parameter_over_the_strength(kind, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    problem = cases.problem(cases.data(kind))
    path = ps.path(problem, ps.L1(1.0), lambdas=[0.5, 0.3, 0.1, 0.02, 0.0], **QUIET)
    axes = path.plot(labels=list("abcdef"))
    ever = (path.x != 0).any(axis=0)
    lines = [line for line in axes.lines if len(line.get_xdata()) == 4]
    np.testing.assert_array_equal([line.get_ydata() for line in lines], path.x[:4, ever].T)
    np.testing.assert_array_equal(lines[0].get_xdata(), path.lambdas[:4])
    assert axes.get_xscale() == "log"
    assert axes.get_xlim()[0] > axes.get_xlim()[1]
    names = [label.get_text() for label in axes.texts]
    assert names == ["abcdef"[i] for i in np.argwhere(ever)[:, 0]]
    assert path.plot(axes) is axes
    matplotlib.pyplot.close("all")
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "proxstep\[lm\]"'):
        path.plot()


def test_a_bar_counts_the_fits(problem, capsys, monkeypatch):
    pytest.importorskip("tqdm")
    ps.path(problem, ps.L1(1.0), 7, progress=True, **QUIET)
    assert "7/7" in capsys.readouterr().err
    ps.cross_validate(problem, ps.L1(1.0), 3, n_lambdas=4, progress=True, **QUIET)
    assert "16/16" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.warns(UserWarning, match="no progress bar: it needs tqdm: pip install") as caught:
        assert len(ps.path(problem, ps.L1(1.0), 7, progress=True, **QUIET)) == 7
    assert [warning.filename for warning in caught] == [__file__]
