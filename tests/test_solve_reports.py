"""What ps.solve reports: the record, the warning, interruption, refusals, the plot."""

from __future__ import annotations

import warnings

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest


@cases.each([c for c in cases.CONVEX if c.name in ("L1", "Group ElasticNet", "L1Ball")])
def test_the_record_belongs_to_the_run(case):
    result = ps.solve(cases.problem(cases.data("Logistic")), case.make((6,)), tol=1e-9)
    trace = result.history
    assert trace.n_iter[-1] == result.n_iter
    assert trace.gap[-1] == result.gap
    assert trace.objective[-1] == pytest.approx(result.objective, rel=1e-12)
    assert (np.diff(trace.seconds) >= 0).all()
    assert trace.seconds[-1] <= result.seconds


def test_a_result_shows_what_matters():
    result = ps.solve(cases.problem(cases.data("LeastSquares")), ps.L1(0.2))
    words = repr(result)
    assert words.startswith("Result(converged after ")
    assert "duality gap" in words
    assert result.nonzeros == np.count_nonzero(result.x) < 6
    assert f"{result.nonzeros} of 6 parameters are not zero" in words


class Sloppy(cases.HalfSquares):
    """Wrong in the ninth digit, now up and now down, so that no residual gets below it."""

    sign = 1

    def prox(self, z, step):
        self.sign = -self.sign
        return super().prox(z, step) * (1 + 1e-9 * self.sign)


STOPS = [
    ({"max_iter": 3}, "max_iter", r"\(max_iter\) after 3 iter.* above tol=1e-12: raise max_iter"),
    ({"max_time": 1e-9}, "max_time", r"\(max_time\) after 0 iterations .* raise max_time or tol"),
    ({}, "stalled", r"\(stalled\) .* above tol=1e-12: no progress beyond rounding"),
]


@pytest.mark.parametrize(("settings", "reason", "words"), STOPS)
def test_one_true_warning_where_the_tolerance_is_not_reached(settings, reason, words):
    problem = cases.problem(cases.data("Logistic"))
    with pytest.warns(ps.ConvergenceWarning, match=words) as caught:
        result = ps.solve(problem, Sloppy(), tol=1e-12, **settings)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert (result.reason, result.converged) == (reason, False)
    assert result.gap > result.tol
    assert result.objective <= problem.scale


def test_no_iterations_only_evaluate_the_start():
    problem = cases.problem(cases.data("LeastSquares"))
    x0 = np.arange(6) / 10
    with pytest.warns(ps.ConvergenceWarning):
        result = ps.solve(problem, ps.L1(0.02), x0=x0, max_iter=0)
    np.testing.assert_array_equal(result.x, x0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_ctrl_c_returns_the_best_point_so_far(dtype):
    class Impatient(cases.HalfSquares):
        calls = 0

        def prox(self, z, step):
            self.calls += 1
            if self.calls == 7:
                raise KeyboardInterrupt
            return super().prox(z, step)

    problem = cases.problem(cases.data("Softmax"), dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = ps.solve(problem, Impatient(), tol=1e-12)
    assert result.reason == "interrupted"
    assert not result.converged
    assert 0 < result.n_iter < 7
    assert result.objective < problem.scale


REFUSED = [
    ({"problem": None}, TypeError, r"problem is None; a problem such as LeastSquares\(X, y\)"),
    (
        {"penalty": 0.1},
        TypeError,
        r"penalty is 0.1; an object with value\(x\) and prox\(z, step\)",
    ),
    ({"penalty": ps.L1}, TypeError, "penalty is <class"),
    ({"tol": -1e-6}, ValueError, "tol is -1e-06"),
    ({"tol": np.nan}, ValueError, "tol is nan"),
    ({"max_iter": 1e4}, TypeError, "max_iter is 10000.0; an integer is needed"),
    ({"max_iter": -1}, ValueError, "max_iter is -1"),
    ({"max_time": 0}, ValueError, "max_time is 0"),
    ({"solver": "fist"}, ValueError, "solver is 'fist'; did you mean 'fista'"),
    ({"x0": [1, 2]}, ValueError, r"x0 has shape \(2,\), expected \(6,\)"),
    ({"x0": [1, 2, 3, 4, 5, np.nan]}, ValueError, r"x0\[5\] is nan"),
    ({"penalty": ps.L1(0.1, weights=[1, 2])}, ValueError, "2"),
    ({"penalty": ps.Group(ps.L1(0.1), [2, 2])}, ValueError, "4"),
]


@pytest.mark.parametrize(("change", "error", "words"), REFUSED)
def test_bad_settings_are_refused_with_their_values(change, error, words):
    settings = {"problem": cases.problem(cases.data("Logistic")), "penalty": ps.L1(0.1), **change}
    with pytest.raises(error, match=words):
        ps.solve(settings.pop("problem"), settings.pop("penalty"), **settings)


def test_numbers_whose_squares_overflow_are_refused():
    d = cases.data("LeastSquares")
    with pytest.raises(ValueError, match="loss at x = 0 is inf"):
        ps.solve(ps.LeastSquares(d.X, d.y * 1e200), ps.L1(0.1))
    with pytest.raises(ValueError, match="mean square of a column of X inf"):
        ps.solve(ps.LeastSquares(d.X * 1e200, d.y), ps.L1(0.1))
    with pytest.raises(ValueError, match=r"y must be finite in float32, y\[0\] is inf"):
        ps.LeastSquares(d.X.astype(np.float32), np.full(37, 1e60))


def test_a_users_prox_of_another_shape_is_refused():
    class Wrong(cases.HalfSquares):
        def prox(self, z, step):
            return z[:2]

    with pytest.raises(ValueError, match=r"returned shape \(2,\) for \(6,\)"):
        ps.solve(cases.problem(cases.data("Logistic")), Wrong())


def test_a_plot_shows_the_certificate(monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    result = ps.solve(cases.problem(cases.data("Logistic")), ps.L1(0.01))
    axes = result.plot()
    assert axes.get_ylabel() == "duality gap"
    assert result.plot(axes) is axes
    matplotlib.pyplot.close("all")
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "proxstep\[lm\]"'):
        result.plot()
