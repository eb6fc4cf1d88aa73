"""`solve_many` when it is stopped: what was solved stays, the rest says why it was not."""

from __future__ import annotations

import signal
import threading
from typing import Any

import numpy as np
import proxstep as ps
import pytest
from proxstep.solvers import many_fits
from refusals import assert_same_bits

FITS, SOME = 6000, 40
L1, TOL, BUDGET = ps.L1(0.05), 1e-10, 30


@pytest.fixture(autouse=True)
def one_thread(threads: None) -> None:
    """All fits take seconds on any machine, those between two looks at signals a part of one."""
    ps.set_num_threads(1)


def slow() -> tuple[Any, Any]:
    """Fits that take a while: their columns are alike."""
    rng = np.random.default_rng(8)
    X = rng.normal(0, 1, (40, 1)) + 0.4 * rng.normal(0, 1, (40, 60))
    return X, X[:, :FITS] @ rng.normal(0, 1, (60, FITS)) + rng.normal(0, 0.3, (40, FITS))


def solved(**settings: Any) -> ps.ManyResult:
    return ps.solve_many(*slow(), L1, TOL, max_iter=10**5, **settings)


def assert_part_is_solved(found: ps.ManyResult, reason: str) -> None:
    assert set(found.reason) == {"converged", reason}
    assert_same_bits(found.converged, found.reason == "converged")
    begun = np.isfinite(found.gap)
    X, Y = slow()
    assert begun[:SOME].all(), "fits are taken in their order"
    alone = ps.solve_many(X, Y[:, :SOME], L1, TOL, max_iter=10**5)
    same = alone.n_iter == found.n_iter[:SOME]  # others were to be run again
    assert same.any()
    for name in ("x", "intercept", "objective", "gap"):
        assert_same_bits(getattr(found, name)[:SOME][same], getattr(alone, name)[same])
    assert not begun.all()
    assert np.isnan(found.objective[~begun]).all()
    assert np.isnan(found.intercept[~begun]).all()
    assert not found.x[~begun].any()
    assert not found.n_iter[~begun].any()


def test_ctrl_c_keeps_the_fits_that_were_solved(ctrl_c: None) -> None:
    timer = threading.Timer(0.1, signal.raise_signal, [signal.SIGINT])
    timer.start()
    found = solved()
    timer.join()
    assert_part_is_solved(found, "interrupted")


def test_max_time_keeps_them_too_and_warns() -> None:
    with pytest.warns(ps.ConvergenceWarning, match="is inf, above tol=1e-10: raise max_time"):
        found = solved(max_time=0.1)
    assert_part_is_solved(found, "max_time")


def test_ctrl_c_outside_the_native_loop_keeps_all(monkeypatch: pytest.MonkeyPatch) -> None:
    measure, calls = many_fits.ManyFits._gaps, iter([True])

    def interrupted(self: Any, fits: Any) -> Any:
        if next(calls, False):
            raise KeyboardInterrupt
        return measure(self, fits)

    monkeypatch.setattr(many_fits.ManyFits, "_gaps", interrupted)
    X, Y = slow()
    found = ps.solve_many(X, Y[:, :5], L1, 1e-3)
    assert np.isfinite(found.gap).all()
    assert set(found.reason) <= {"converged", "interrupted"}


def test_time_that_was_enough_leaves_no_trace() -> None:
    X, Y = slow()
    found = ps.solve_many(X, Y[:, :5], ps.L1(0.3), 1e-3, max_time=60.0)
    assert set(found.reason) == {"converged"}


@pytest.mark.filterwarnings("ignore::proxstep.ConvergenceWarning")
def test_fits_that_end_by_themselves_say_why() -> None:
    X, Y = slow()
    Y[:, 3] = 0.7
    found = ps.solve_many(X, Y[:, :9], L1, 1e-3, max_iter=BUDGET)
    assert set(found.reason) == {"converged", "max_iter"}
    assert (found.n_iter <= BUDGET).all()
    assert_same_bits(found.reason == "converged", found.gap <= 1e-3)


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="max_time is -1"):
        solved(max_time=-1.0)
