"""Laws of a run that is stopped early: it ends within its native loops, and keeps what it had."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import proxstep as ps
import pytest
from descent_cases import problem
from proxstep.solvers import working_set
from proxstep.solvers.dispatch import solve_quietly
from proxstep.solvers.monitor import Limits
from proxstep.solvers.result import Result

EPOCHS = 10**8  # far more than any stop lets pass


def slow(kind: str) -> ps.LeastSquares | ps.Softmax:
    """A problem whose columns are nearly one: descent takes many seconds."""
    rng = np.random.default_rng(5)
    X = rng.normal(30.0, 1.0, (200, 50))
    y = X[:, :5] @ [1.0, -1.0, 2.0, -2.0, 1.0] + rng.normal(0, 1.0, 200)
    if kind == "LeastSquares":
        return ps.LeastSquares(X, y, fit_intercept=False)
    return ps.Softmax(X, np.digitize(y, np.quantile(y, [0.3, 0.6])), fit_intercept=False)


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets are solved to the last bit, as if their part of the gap were 0."""
    monkeypatch.setattr(working_set, "_INNER", 0.0)
    monkeypatch.setattr(working_set, "_FINEST", 0.0)


def test_a_pause_is_no_stall() -> None:
    """Momentum on ill-conditioned columns pauses for over a hundred steps, then goes on."""
    P = problem((41, 130), "Poisson", weighted=True)
    found = ps.solve(P, ps.Box(-0.15, 0.4), tol=1e-12, solver="fista", max_iter=100_000)
    assert found.reason == "converged"


def solved(kind: str, stopped: Callable[[], bool]) -> tuple[Result, float]:
    problem = slow(kind)
    limits = Limits(1e-14, EPOCHS, None, stopped)
    start = np.zeros(problem.shape)
    result, _ = solve_quietly(problem, ps.L1(1e-12), limits, start, "cd")
    return result, problem.null.loss


def after_first(act: Callable[[], bool]) -> Callable[[], bool]:
    """Asked before the first set, this says no; within the first native loop it acts."""
    before = iter([False])

    def stopped() -> bool:
        return next(before, True) and act()

    return stopped


@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize("kind", ["LeastSquares", "Softmax"])
def test_a_wish_to_stop_is_heard_within_a_native_loop(kind: str) -> None:
    result, null = solved(kind, after_first(lambda: True))
    assert result.reason == "interrupted"
    assert sets(result) == 1
    assert result.objective < null


def sets(result: Result) -> int:
    """How many working sets were solved: checks behind those of zeros."""
    return int(np.count_nonzero(result.history.n_iter))


def interrupt() -> bool:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize("kind", ["LeastSquares", "Softmax"])
def test_ctrl_c_keeps_what_the_native_loop_reached(kind: str) -> None:
    result, null = solved(kind, after_first(interrupt))
    assert result.reason == "interrupted"
    assert result.objective < null
    assert np.count_nonzero(result.x) > 0


@pytest.mark.usefixtures("endless")
def test_max_time_ends_a_native_loop() -> None:
    problem, h = slow("Softmax"), ps.L1(1e-12)
    with pytest.warns(ps.ConvergenceWarning, match="max_time"):
        result = ps.solve(problem, h, 1e-15, max_iter=EPOCHS, max_time=0.1, solver="cd")
    assert result.converged is False


@pytest.mark.usefixtures("endless")
def test_what_a_wish_raises_is_raised() -> None:
    def wrong() -> bool:
        raise RuntimeError("a wish of its own")

    with pytest.raises(RuntimeError, match="a wish of its own"):
        solved("LeastSquares", after_first(wrong))


@pytest.mark.parametrize("solver", ["auto", "cd"])
def test_curvatures_that_have_no_inverse_do_not_end_in_nan(solver: str) -> None:
    """Squares of these columns are denormal: no step is finite."""
    rng = np.random.default_rng(6)
    X = rng.normal(0, 1, (60, 8)) * np.repeat([1.0, 1e-160], 4)
    y = X[:, 0] + rng.normal(0, 0.1, 60)
    result = ps.solve(ps.LeastSquares(X, y), ps.L1(0.05), solver=solver)
    alone = ps.solve(ps.LeastSquares(X[:, :4].copy(), y), ps.L1(0.05))
    assert result.converged
    np.testing.assert_allclose(result.x[:4], alone.x, atol=1e-5)


@pytest.mark.parametrize("loss", ["LeastSquares", "Logistic"])
def test_descent_that_stalls_far_from_the_optimum_gives_way(loss: str) -> None:
    """Deviations of columns that are the rounding of their squares."""
    rng = np.random.default_rng(7)
    X = rng.normal(0.0, 1.0, (200, 12))
    y = X[:, 0] - X[:, 1] + rng.normal(0, 0.3, 200)
    make = getattr(ps, loss)
    y = y if loss == "LeastSquares" else (y > 0).astype(float)
    far = ps.solve(make(X + 1e8, y), ps.L1(0.05), tol=1e-5)
    near = ps.solve(make(X, y), ps.L1(0.05))
    assert far.converged
    assert far.solver == "cd, then fista"
    assert far.objective == pytest.approx(near.objective, rel=1e-4)


def test_a_start_far_out_in_the_tails_is_left() -> None:
    rng = np.random.default_rng(8)
    X = rng.normal(0.0, 1.0, (200, 12))
    y = (X[:, 0] + rng.normal(0, 0.3, 200) > 0).astype(float)
    result = ps.solve(ps.Logistic(X, y), ps.L1(0.05), x0=np.full(12, 1e5))
    assert result.converged


def test_rows_beside_nearly_constant_columns_of_a_sparse_matrix_give_way() -> None:
    sp = pytest.importorskip("scipy.sparse")
    rng = np.random.default_rng(9)
    X = rng.normal(0, 1.0, (300, 12)) * (rng.random((300, 12)) < 0.3)
    y = np.digitize(X[:, 0] + X[:, 9] + rng.normal(0, 0.3, 300), [-0.3, 0.3])
    X[:, 9:] += 1e3
    given, dense = (ps.Softmax(M, y) for M in (sp.csr_array(X), X))
    result = ps.solve(given, ps.L1(0.01))
    assert result.converged
    assert result.solver == "cd, then fista"
    assert result.objective == pytest.approx(ps.solve(dense, ps.L1(0.01)).objective, rel=1e-5)


def test_a_step_to_nowhere_is_not_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    """No bound of an exponential's curvature ends it: 1400 of these evaluations a step."""
    rng = np.random.default_rng(13)
    X = rng.standard_normal((40, 12)) * np.exp(rng.uniform(-3, 3, 12))
    X = (2.0 * X / abs(X).max()).astype(np.float32)
    problem = ps.Poisson(X, rng.poisson(np.exp(1.5 * rng.standard_normal(40).clip(-3, 3))))
    calls, evaluate = [], type(problem).evaluate
    monkeypatch.setattr(
        type(problem), "evaluate", lambda *a, **k: calls.append(1) or evaluate(*a, **k)
    )
    result = ps.solve(problem, ps.L1(1e-4), tol=1e-7, solver="fista")
    assert result.converged
    assert len(calls) <= 6 * result.n_iter


@pytest.mark.parametrize("penalty", [ps.L0, ps.L1_2, ps.L2_3])
@pytest.mark.parametrize("intercept", [True, False])
def test_a_jump_that_the_loss_refuses_is_no_stall(penalty: type, intercept: bool) -> None:
    """With a long step the prox leaves zero, with one that Poisson's loss allows it stays there."""
    refused = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((3, 1)) * 10.0 ** rng.uniform(-1.0, 1.0)
        y = np.maximum(rng.poisson(np.exp(X[:, 0].clip(-3.0, 3.0))), [1, 0, 0])
        problem = ps.Poisson(X, y, fit_intercept=intercept)
        lam = problem.null.loss * 10.0 ** rng.uniform(-2.0, 0.0)
        result = ps.solve(problem, penalty(lam), tol=1e-6)
        assert result.converged, (seed, result)
        refused += not result.x.any()
    assert refused > 0
