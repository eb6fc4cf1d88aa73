"""TopK as the penalty of a step: its schedule, and what is refused."""

from __future__ import annotations

import pickle

import numpy as np
import proxstep as ps
import pytest
from cases import normal
from proxstep.schedules import CubicRamp
from refusals import refused

NAN, INF = float("nan"), float("inf")
SIZES = (7, 0, 33, 600)


def test_a_schedule_gives_each_update_its_count() -> None:
    ramp = CubicRamp(1.0, 0.1, begin_step=1, end_step=5)
    x, h = normal(1000, seed=400), ps.TopK(7, schedule=ramp)
    opt, found = ps.Optimizer([x], ps.SGD(0.01), h), []
    for t in range(7):
        opt.step([normal(1000, seed=401 + t)])
        found.append(np.count_nonzero(x))
    assert found == [int(ramp(t) * 1000 + 0.5) for t in range(7)]
    assert found[:2] == [1000, 1000]
    assert found[5:] == [100, 100]
    assert np.count_nonzero(ps.prox(normal(50, seed=408), h)) == 7


def test_a_schedule_goes_on_with_the_state() -> None:
    h = ps.TopK(1, schedule=lambda t: t)
    x, r = normal(30, seed=410), ps.Momentum(0.01)
    state = r.init(x)
    for t in range(4):
        ps.step(x, normal(30, seed=411 + t), r, h, state)
        assert np.count_nonzero(x) == t
    opt = ps.Optimizer([x], r, h)
    opt.steps = 20
    opt.step([normal(30, seed=420)])
    assert np.count_nonzero(x) == 20


def test_a_schedule_is_asked_once_a_step() -> None:
    asked: list[int] = []
    h = ps.TopK(1, schedule=lambda t: asked.append(t) or 0.5)
    opt = ps.Optimizer([normal(n, seed=430 + n) for n in SIZES], ps.SGD(0.1), h)
    for t in range(3):
        opt.step([normal(n, seed=440 + n + t) for n in SIZES])
    assert asked == [0, 1, 2]


def test_it_can_be_sent_to_another_process() -> None:
    h = ps.TopK(np.float64(0.3), scope="global", schedule=CubicRamp(0.9, 0.3, 0, 9))
    again = pickle.loads(pickle.dumps(h))
    assert again == h
    assert type(again.k) is float


def test_refusals() -> None:
    x, g = normal((4, 6), seed=450), normal((4, 6), seed=451)
    rows = ps.TopK(3, "rows")
    with refused(ValueError, "TopK.*serves prox and solve; a step selects in whole", keep=[x]):
        ps.step(x, g, ps.SGD(0.1), rows)
    with refused(ValueError, "serves prox and solve"):
        ps.Optimizer([x], ps.SGD(0.1), rows)  # type: ignore[arg-type]
    with refused(TypeError, "L1Ball.* couples all elements", keep=[x]):
        ps.step(x, g, ps.SGD(0.1), ps.L1Ball(1.0))  # type: ignore[arg-type]
    with refused(ValueError, "scope is 'row'; known are 'array', 'global'"):
        ps.TopK(3, scope="row")  # type: ignore[arg-type]
    assert ps.TopK(3, scope="tensor") == ps.TopK(3, scope="array")
    with refused(TypeError, "schedule is 0.5; a callable is needed"):
        ps.TopK(3, schedule=0.5)  # type: ignore[arg-type]
    with refused(ValueError, "a schedule needs a state", keep=[x]):
        ps.step(x, g, ps.SGD(0.1), ps.TopK(3, schedule=lambda t: t))


@pytest.mark.parametrize("share", [-0.1, 1.5, 2.0, NAN, INF])
def test_shares_out_of_their_range(share: float) -> None:
    with refused(ValueError, f"the share k is {share}; it must lie between 0 and 1"):
        ps.TopK(share)
    x = normal(5, seed=452)
    opt = ps.Optimizer([x], ps.SGD(0.1), ps.TopK(3, schedule=lambda t: share))
    with refused(ValueError, rf"the share schedule\(0\) is {share}; it must", keep=[x]):
        opt.step([normal(5, seed=453)])
    assert opt.steps == 0


def test_scores_of_two_kinds_are_not_compared() -> None:
    h = ps.TopK(0.5, scope="global")
    x, wide = normal(5, "float32", seed=454), normal(5, seed=455)
    with refused(ValueError, r"params\[1\]", "float64", r"params\[0\].*float32"):
        ps.Optimizer([x, wide], ps.SGD(0.1), h)
    groups = [{"params": [x]}, {"params": [x.copy()], "rule": ps.SGD(0.1)}]
    with refused(ValueError, r"params\[1\].*one step.*params\[0\].*a step per element"):
        ps.Optimizer(groups, ps.AdamW(0.1), h)
    ps.Optimizer(groups, ps.AdamW(0.1), h, metric="euclidean")
    ps.Optimizer(groups, ps.AdamW(0.1), ps.TopK(0.5))
