"""Laws of the learning-rate schedules."""

from __future__ import annotations

import dataclasses
import itertools
import math
import pickle

import numpy as np
import pytest
from proxstep.schedules import (
    Anneal,
    Constant,
    Cosine,
    CubicRamp,
    InverseTime,
    Linear,
    Step,
    WarmUp,
)

SCHEDULES = [
    Constant(0.3),
    Step(0.3, every=7, factor=0.4),
    InverseTime(0.3, decay=0.07, power=0.7),
    Cosine(0.3, steps=40, floor=0.02),
    WarmUp(Cosine(0.3, steps=40), steps=9),
    Anneal(10, 60, steepness=7.0, center=0.4),
    Linear(0.3, steps=40, floor=0.02),
]
each = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)


def test_rates_are_those_of_the_formulas():
    t = np.arange(100)
    rates = lambda s: [s(int(k)) for k in t]  # noqa: E731
    np.testing.assert_allclose(rates(SCHEDULES[1]), 0.3 * 0.4 ** (t // 7))
    np.testing.assert_allclose(rates(SCHEDULES[2]), 0.3 / (1 + 0.07 * t) ** 0.7)
    cosine = 0.02 + 0.28 * (1 + np.cos(np.pi * np.minimum(t, 40) / 40)) / 2
    np.testing.assert_allclose(rates(SCHEDULES[3]), cosine)
    rise = np.where(
        t < 9, 0.3 * (t + 1) / 9, 0.15 * (1 + np.cos(np.pi * np.clip(t - 9, 0, 40) / 40))
    )
    np.testing.assert_allclose(rates(SCHEDULES[4]), rise, atol=1e-17)
    mirror = 1 / (1 + np.exp(7.0 * (np.clip((t - 10) / 50, 0, 1) - 0.4)))
    mirror = (mirror - mirror[-1]) / (mirror[0] - mirror[-1])
    np.testing.assert_allclose(rates(SCHEDULES[5]), mirror, atol=1e-15)
    line = 0.3 - 0.28 * np.minimum(t, 40) / 40
    np.testing.assert_allclose(rates(SCHEDULES[6]), line, rtol=1e-14)


@pytest.mark.parametrize("steepness", [1e-3, 1.0, 10.0, 300.0, 1e6])
def test_annealing_falls_from_one_to_zero(steepness):
    anneal = Anneal(5, 45, steepness)
    rates = [anneal(t) for t in range(60)]
    assert rates[:6] == [1.0] * 6
    assert rates[45:] == [0.0] * 15
    assert all(high >= low for high, low in itertools.pairwise(rates))
    assert anneal(25) == pytest.approx(0.5, rel=1e-12)


@each
def test_every_rate_lies_between_floor_and_cap(schedule):
    clipped = dataclasses.replace(schedule, floor=0.05, cap=0.21)
    for t in range(120):
        assert clipped(t) == pytest.approx(min(max(clipped._rate(t), 0.05), 0.21))
        assert 0.05 <= clipped(t) <= 0.21
        assert math.isfinite(schedule(t))


@each
def test_schedules_are_values(schedule):
    assert schedule == pickle.loads(pickle.dumps(schedule))
    assert hash(schedule) == hash(dataclasses.replace(schedule))
    with pytest.raises(dataclasses.FrozenInstanceError):
        schedule.floor = 0.1
    for bad in (-1, math.nan):
        with pytest.raises(ValueError, match=f"step must be at least 0, got {bad}"):
            schedule(bad)


def test_a_warm_up_takes_any_callable():
    assert WarmUp(lambda t: 0.5 / (1 + t), steps=2)(3) == 0.25
    assert WarmUp(Constant(0.5), steps=0)(0) == 0.5


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Constant(0.0), "lr is 0"),
        (lambda: Constant(math.nan), "lr is nan"),
        (lambda: Step(0.1, every=0), "every is 0"),
        (lambda: Step(0.1, every=3, factor=-1.0), "factor is -1"),
        (lambda: InverseTime(0.1, decay=math.inf), "decay is inf"),
        (lambda: Cosine(0.1, steps=-2), "steps is -2"),
        (lambda: Cosine(0.1, steps=5, floor=0.2), "floor 0.2 exceeds lr 0.1"),
        (lambda: Linear(0.1, steps=0), "steps is 0"),
        (lambda: Linear(0.1, steps=5, floor=0.2), "floor 0.2 exceeds lr 0.1"),
        (lambda: WarmUp(Constant(0.1), steps=-1), "steps is -1"),
        (lambda: Anneal(10, 10), "end is 10, start is 10; it must come later"),
        (lambda: Anneal(-1, 10), "start is -1"),
        (lambda: Anneal(1, 10, steepness=0.0), "steepness is 0"),
        (lambda: Anneal(1, 10, center=1.5), "center is 1.5; it must lie between 0 and 1"),
        (lambda: Constant(0.1, floor=2.0, cap=1.0), "floor is 2.0, cap is 1.0"),
        (lambda: Constant(0.1, floor=-1.0), "floor is -1.0"),
    ],
)
def test_bad_settings_are_refused_with_their_values(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("kind", [Cosine, Linear, WarmUp])
def test_a_number_of_updates_is_whole(kind):
    first = Constant(0.1) if kind is WarmUp else 0.1
    with pytest.raises(TypeError, match=r"steps is 10\.5; an integer is needed"):
        kind(first, steps=10.5)
    assert kind(first, steps=np.int64(10)) == kind(first, steps=10)


RAMP = CubicRamp(0.9, 0.05, begin_step=3, end_step=17)


def test_a_cubic_ramp_follows_its_formula():
    t = np.arange(30)
    rest = (1 - np.clip((t - 3) / 14, 0, 1)) ** 3
    np.testing.assert_allclose([RAMP(int(k)) for k in t], 0.05 + 0.85 * rest)
    assert all(RAMP(int(k)) >= RAMP(int(k) + 1) for k in t)
    assert (RAMP(3), RAMP(17)) == (0.9, 0.05)


def test_a_cubic_ramp_is_a_value():
    assert pickle.loads(pickle.dumps(RAMP)) == RAMP
    with pytest.raises(dataclasses.FrozenInstanceError):
        RAMP.start = 0.1
    for bad in (-1, math.nan):
        with pytest.raises(ValueError, match=f"step must be at least 0, got {bad}"):
            RAMP(bad)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"start": 1.2}, "start is 1.2; it must lie between 0"),
        ({"end": -0.1}, "end is -0.1; it must lie"),
        ({"end": math.nan}, "end is nan; it must lie"),
        ({"begin_step": -1}, "begin_step is -1; it must not be negative"),
        ({"end_step": 3}, "begin_step 3 is not before end_step 3"),
    ],
)
def test_a_cubic_ramp_refuses(bad, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(RAMP, **bad)
