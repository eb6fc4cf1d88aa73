"""BLAS has one thread while anything needs it so, and afterwards as many as before."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import proxstep as ps
import pytest
from cases import normal
from lm_cases import make_model
from proxstep.directions import blas_threads, directions
from proxstep.lm.parallel import Replicas

threadpoolctl = pytest.importorskip("threadpoolctl")

Wait = Callable[[], None]
waits: dict[threading.Thread, Wait] = {}  # what a thread does before its share of directions


def step_by_muon(wait: Wait) -> None:
    waits[threading.current_thread()] = wait
    params = [normal((24, 16), "float32", seed=k) for k in range(3)]
    ps.Optimizer(params, ps.Muon(0.02)).step([np.ones_like(x) for x in params])


def batch_in_parts(wait: Wait) -> None:
    model, x, y = make_model(dtype="float32")
    Replicas(model.weights, 2)._map(lambda *_: wait(), x, y)


@pytest.fixture(autouse=True)
def several_threads(threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Directions are made in two shares, however small, and each thread waits before its own."""
    run = directions.Share.run

    def wait_and_run(share: directions.Share) -> None:
        waits.pop(threading.current_thread(), lambda: None)()
        run(share)

    ps.set_num_threads(2)
    monkeypatch.setattr(blas_threads, "_WORTH_THREADS", 0.0)
    monkeypatch.setattr(directions.Share, "run", wait_and_run)


def blas_limits() -> set[int]:
    infos = threadpoolctl.threadpool_info()
    return {info["num_threads"] for info in infos if info["user_api"] == "blas"}


@pytest.mark.parametrize("second", [step_by_muon, batch_in_parts])
@pytest.mark.parametrize("first", [step_by_muon, batch_in_parts])
def test_work_that_overlaps_leaves_blas_its_threads(
    first: Callable[[Wait], None], second: Callable[[Wait], None]
) -> None:
    """The second tries to begin inside the first and ends after it."""
    if (before := blas_limits()) == {1}:
        pytest.skip("BLAS has one thread here")
    first_is_in, second_is_in, first_is_done = (threading.Event() for _ in range(3))
    seen = []

    def wait_in_first() -> None:
        first_is_in.set()
        second_is_in.wait(timeout=0.3)
        seen.append(blas_limits())

    def wait_in_second() -> None:
        second_is_in.set()
        assert first_is_done.wait(timeout=60)
        seen.append(blas_limits())

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first, wait_in_first)
        assert first_is_in.wait(timeout=60)
        two = pool.submit(second, wait_in_second)
        one.result(timeout=60)
        first_is_done.set()
        two.result(timeout=60)
    assert blas_limits() == before
    assert set().union(*seen) == {1}
