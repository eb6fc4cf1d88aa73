"""Stochastic rounding: right in the mean, exact where 16 bits are, from bits that look random."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
import reference_rounding as rounding
from cases import NARROW, assert_same_bits, numpy_dtype
from precision_cases import typed

each_narrow = pytest.mark.parametrize("dtype", NARROW)
WORDS = 1 << 20
SIGMAS = 5.5  # of a normal number: one in 3e7 is beyond


def stepped(x: Any, moved: Any, seed: int = 0, **options: Any) -> Any:
    """x - moved with an exact float32 point, stored stochastically."""
    x = x.copy()
    ps.Optimizer([x], ps.SGD(1.0), rounding="stochastic", seed=seed, **options).step([moved])
    return x


@each_narrow
def test_what_16_bits_hold_stays(dtype):
    """All of it: zeros of both signs, subnormal numbers, infinities; NaN stays NaN."""
    every = np.arange(65536, dtype=np.uint16).view(numpy_dtype(dtype))
    for seed in (1, 2):
        got = stepped(every, np.zeros_like(every), seed)
        assert_same_bits(got, every)


@each_narrow
@pytest.mark.parametrize("start", [1.0, -48.0])
def test_the_mean_over_elements_and_seeds_is_the_value(dtype, start):
    """Between neighbours, at several fractions; the two of them are the only results."""
    unit = rounding.unit(np.abs(start), dtype)
    lower = np.full(60_000, start, numpy_dtype(dtype))
    for part in (0.5, 0.25, 0.0625, 0.75):
        moved = np.full_like(lower, -part * unit * np.sign(start))  # all of these are exact
        found = np.concatenate([stepped(lower, moved, seed) for seed in range(4)]).astype(float)
        up = (found - start) / unit * np.sign(start)
        assert set(np.unique(up)) == {0.0, 1.0}
        deviation = np.sqrt(part * (1 - part) / up.size)
        assert abs(up.mean() - part) < SIGMAS * deviation


@each_narrow
def test_the_mean_over_seeds_of_one_element_is_the_value(dtype):
    x, unit = np.array([1.0, 1.0], numpy_dtype(dtype)), rounding.unit(1.0, dtype)
    g = np.full_like(x, -0.375 * unit)
    up = np.array([(stepped(x, g, seed)[1] > 1.0) for seed in range(3000)])
    assert abs(up.mean() - 0.375) < SIGMAS * np.sqrt(0.375 * 0.625 / up.size)


@each_narrow
def test_subnormal_numbers_are_right_in_the_mean_as_well(dtype):
    """A gradient scale makes points that lie between the smallest numbers."""
    least = 2.0 ** (-24 if dtype == "float16" else -133)
    x = np.full(200_000, 5 * least, numpy_dtype(dtype))
    opt = ps.Optimizer([x], ps.SGD(1.0), rounding="stochastic", seed=3)
    opt.step([np.full_like(x, -least)], grad_scale=0.3125)
    up = x.astype(float) / least - 5
    assert set(np.unique(up)) == {0.0, 1.0}
    assert abs(up.mean() - 0.3125) < SIGMAS * np.sqrt(0.3125 * 0.6875 / up.size)


@each_narrow
def test_a_shrink_below_half_a_unit_moves_x_in_the_mean(dtype):
    """Rounded to nearest it is lost in every step (pytorch #120376)."""
    unit = rounding.unit(0.75, dtype)
    start = np.full(4096, 0.75, numpy_dtype(dtype))
    h, steps = ps.L1(0.05 * unit), 200
    x = {rounding: start.copy() for rounding in ("nearest", "stochastic")}
    for kind, array in x.items():
        opt = ps.Optimizer([array], ps.SGD(1.0), h, rounding=kind)
        for _ in range(steps):
            opt.step([np.zeros_like(array)])
    assert_same_bits(x["nearest"], start)
    moved = 0.75 - x["stochastic"].astype(float).mean()
    assert moved == pytest.approx(0.05 * unit * steps, rel=0.03)


@each_narrow
def test_a_master_keeps_a_shrink_below_half_a_unit(dtype):
    unit, x = rounding.unit(0.75, dtype), np.full(64, 0.75, numpy_dtype(dtype))
    opt = ps.Optimizer([x], ps.SGD(1.0), ps.L1(0.05 * unit), master=True)
    for _ in range(200):
        opt.step([np.zeros_like(x)])
    np.testing.assert_allclose(x.astype(float), 0.75 - 10 * unit, atol=unit)


@each_narrow
@pytest.mark.parametrize("options", [{"rounding": "stochastic"}, {"master": True}])
def test_exact_zeros_are_exact_zeros(dtype, options):
    """What the prox makes zero is +-0 in x and stays it; what it keeps is not lost."""
    x = np.linspace(-2, 2, 4001).astype(numpy_dtype(dtype))
    z = x.astype(np.float32)
    opt = ps.Optimizer([x], ps.SGD(1.0), ps.L1(0.4), **options)
    for _ in range(2):
        opt.step([np.zeros_like(x)])
        z = ps.soft_threshold(z, np.float32(0.4))
    assert np.all(x[z == 0] == 0)
    if "master" in options:
        assert_same_bits(opt.state_dict()["0.master"], z)


def test_bfloat16_moments_decay_in_the_mean():
    """By a thousandth a step, a quarter of a unit: to nearest they would not move at all."""
    x, rule = np.ones(8192, np.float32), ps.Adam(1e-3, betas=(0.9, 0.999))
    opt = ps.Optimizer([x], rule, moments="bfloat16", seed=4)
    opt.step([np.ones_like(x)])
    start = typed(opt.state_dict()["0.exp_avg_sq"]).astype(float).mean()
    for _ in range(500):
        opt.step([np.zeros_like(x)])
    left = typed(opt.state_dict()["0.exp_avg_sq"]).astype(float).mean()
    assert left / start == pytest.approx(0.999**500, rel=0.01)


@pytest.mark.parametrize("bits", [0x7FFFFFFF, 0xFFFFFFFF, 0x7FC00000, 0x7F800001])
def test_nan_of_any_payload_stays_nan(bits):
    """One whose bits are all ones must not become zero when random bits are added to them."""
    g = np.full(1200, bits, np.uint32).view(np.float32)
    for rule in (ps.AdamW(0.1), ps.Momentum(0.1), ps.FTRL(0.1)):
        x = np.ones(1200, np.float32)
        opt = ps.Optimizer([x], rule, ps.L1(0.1), moments="bfloat16", seed=5)
        for _ in range(2):
            opt.step([g])
        assert np.isnan(x).all()
        state = opt.state_dict()
        assert all(np.isnan(typed(m).astype(float)).all() for k, m in state.items() if k != "steps")


def halves(words: Any) -> list[Any]:
    return [words & np.uint32(0xFFFF), words >> np.uint32(16)]


def centred(half: Any) -> Any:
    """Uniform on (-1/2, 1/2), scaled to variance 1."""
    return ((half + 0.5) / 65536 - 0.5) * np.sqrt(12)


STREAMS = (
    (0, 1, 0, "moments"),
    (0, 2, 0, "moments"),
    (1, 1, 0, "moments"),
    (0, 1, 1, "moments"),
    (0, 1, 0, "parameter"),
    (2**64 - 1, 10**6, 300, "parameter"),
)


@pytest.mark.parametrize("stream", STREAMS)
def test_every_half_of_a_word_is_uniform(stream):
    """Mean, chi-square over all 65536 values, and no correlation at short or round distances."""
    for half in halves(rounding.random_bits(np.arange(WORDS), *stream)):
        u = centred(half)
        assert abs(u.mean()) < SIGMAS / np.sqrt(WORDS)
        expected = WORDS / 65536
        chi = np.sum((np.bincount(half, minlength=65536) - expected) ** 2) / expected
        assert abs(chi - 65535) < SIGMAS * np.sqrt(2 * 65535)
        for lag in (1, 2, 3, 4, 5, 7, 8, 13, 16, 32, 64, 512, 4096, 65536):
            assert abs(np.mean(u[lag:] * u[:-lag])) < SIGMAS / np.sqrt(WORDS - lag), lag


@pytest.mark.parametrize("first", range(len(STREAMS)))
def test_streams_and_halves_are_independent(first):
    """Of steps, seeds, arrays and purposes; also one element further."""
    one, *others = (rounding.random_bits(np.arange(WORDS), *s) for s in STREAMS[first:])
    low, high = map(centred, halves(one))
    assert abs(np.mean(low * high)) < SIGMAS / np.sqrt(WORDS)
    for other in others:
        for u in map(centred, halves(other)):
            for mine in (low, high, np.roll(low, 1), np.roll(high, 1)):
                assert abs(np.mean(mine * u)) < SIGMAS / np.sqrt(WORDS)


def test_an_element_sees_independent_bits_from_step_to_step():
    steps = np.array(
        [rounding.random_bits(np.arange(256), 7, t, 0, "moments") for t in range(4096)]
    )
    for half in halves(steps):
        u = centred(half)
        for lag in (1, 2, 3, 8, 64):
            assert abs(np.mean(u[lag:] * u[:-lag])) < SIGMAS / np.sqrt(u[lag:].size)
        assert np.abs(u.mean(axis=0)).max() < SIGMAS / np.sqrt(len(steps))
