"""N:M sparsity of arrays in CUDA memory: the bits of the CPU, without a device."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
from cases import RULE_CASES, assert_same_bits, normal, rule
from device import check_sentinels, on_device
from device_groups import Pair, assert_same_statistics, each_dtype, each_metric, odd_place
from nm_cases import PATTERNS, SHAPES, steps_like, with_odd_ones
from refusals import refused

pytestmark = pytest.mark.usefixtures("any_device")


@each_dtype
@each_metric
@pytest.mark.parametrize(("rule_name", "r"), RULE_CASES)
def test_every_rule(rule_name: str, r: Any, metric: Any, dtype: str) -> None:
    """All patterns in one launch."""
    groups = [
        {
            "params": [normal(SHAPES[k % len(SHAPES)], dtype, seed=k)],
            "penalty": ps.NM(n, m),
            "rule": rule(rule_name, r),
            "metric": metric,
        }
        for k, (n, m) in enumerate(PATTERNS)
    ]
    pair = Pair(groups)
    got, want = pair.step(stats=True)
    pair.check_bits()
    assert got.penalty == want.penalty == 0.0
    assert_same_statistics(got, want, dtype)


@each_dtype
@pytest.mark.parametrize("move", [on_device, odd_place])
def test_rules_side_by_side(launching: Any, move: Any, dtype: str) -> None:
    """Rules, metrics and patterns differ from array to array; the launch is one."""
    groups = [
        {
            "params": [normal(SHAPES[k % len(SHAPES)], dtype, seed=k)],
            "penalty": ps.NM(*PATTERNS[k % len(PATTERNS)]),
            "rule": rule(*RULE_CASES[k % len(RULE_CASES)]),
            "metric": ("diagonal", "euclidean")[k % 2],
        }
        for k in range(13)
    ]
    pair = Pair(groups, move)
    with launching(1):
        pair.step()
    pair.check_bits()


@each_dtype
@pytest.mark.parametrize("move", [on_device, odd_place])
@pytest.mark.parametrize(("n", "m"), PATTERNS)
def test_a_prox_alone(n: int, m: int, move: Any, dtype: str) -> None:
    """Ties, zeros, infinities, NaN and steps of zero; into an array that is not read; in place."""
    h = ps.NM(n, m)
    for k, shape in enumerate(SHAPES):
        z = with_odd_ones(shape, dtype, seed=170 + k)
        for step in (0.83, steps_like(z, 171)):
            there = step if isinstance(step, float) else move(step)
            device_z, out = move(z), move(np.full_like(z, np.nan))
            ps.prox(device_z, h, there, out=out)
            assert_same_bits(out.host, ps.prox(z, h, step))
            assert_same_bits(device_z.host, z, "the input stays")
            check_sentinels(out.host)
            ps.prox(device_z, h, there, out=device_z)
            assert_same_bits(device_z.host, out.host, "in place")


@each_dtype
@pytest.mark.parametrize(("n", "m"), PATTERNS)
def test_the_indicator(n: int, m: int, dtype: str) -> None:
    h = ps.NM(n, m)
    for k, shape in enumerate(SHAPES):
        z = normal(shape, dtype, seed=180 + k)
        x = ps.prox(z, h)
        assert h.value(on_device(x)) == 0.0
        assert h.value(odd_place(z)) == h.value(z)
        last = x.copy().reshape(-1)  # one element too many, and in the last block alone
        last[-m:][np.flatnonzero(last[-m:] == 0)[:1]] = 3.0
        last = last.reshape(shape)
        assert h.value(on_device(last)) == h.value(last) == (np.inf if n < m else 0.0)
        last.reshape(-1)[m // 2] = np.nan
        assert np.isnan(h.value(on_device(last)))


@each_dtype
def test_a_diverged_run_stays_visible(dtype: str) -> None:
    x, g = normal((3, 96), dtype, seed=190), normal((3, 96), dtype, seed=191)
    g[1, 50] = np.nan
    there, first = on_device(x), ps.SGD(0.1)
    info = ps.step(there, on_device(g), first, ps.NM(1, 4), stats=True)
    want = ps.step(x, g, first, ps.NM(1, 4), stats=True)
    assert_same_bits(there.host, x)
    assert info is not None
    assert want is not None
    assert (info.nonzeros, info.finite) == (want.nonzeros, False)
    assert np.isnan(info.penalty)


@each_dtype
@each_metric
def test_beside_other_penalties(launching: Any, metric: Any, dtype: str) -> None:
    """One launch for each kind of kernel, whatever the order of the arrays; the norm clips all."""
    kinds = [ps.NM(2, 4), None, ps.NM(1, 2), ps.Box(-1.1, 0.9), ps.NM(7, 32), ps.NM(16, 32)]
    groups = [
        {"params": [normal((k + 1, 64), dtype, seed=192 + k)], "penalty": h, "metric": metric}
        for k, h in enumerate(kinds)
    ]
    pair = Pair(groups)
    with launching(2):
        pair.step()
    pair.check_bits()


def test_more_arrays_and_settings_than_a_table_holds(launching: Any) -> None:
    """Arrays beyond 480 and learning rates beyond 16 make further launches."""
    groups = [
        {
            "params": [normal((1, 8), "float32", seed=40 * k + j) for j in range(30)],
            "penalty": ps.NM(1 + k % 3, 4),
            "rule": ps.SGD(0.1 + 0.01 * k),
        }
        for k in range(18)
    ]
    pair = Pair(groups)
    with launching(2):
        pair.step()
    pair.check_bits()


@each_dtype
def test_rates_in_the_devices_memory(dtype: str) -> None:
    """As a captured graph has them."""
    h, r = ps.NM(2, 8), ps.AdamW(0.07, eps=0.017)
    x = [normal(shape, dtype, seed=k) for k, shape in enumerate(SHAPES)]
    there = [on_device(a) for a in x]
    plain, captured = ps.Optimizer(x, r, h), ps.Optimizer(there, r, h, capturable=True)
    for k in range(3):
        grads = [normal(shape, dtype, seed=50 + k) for shape in SHAPES]
        captured.rates[...] = 0.05 * (k + 1)
        captured.step([on_device(g) for g in grads])
        plain.step(grads, lr=0.05 * (k + 1))
    for got, want in zip(there, x, strict=True):
        assert_same_bits(got.host, want)


CAPTURED_RULES = [case for case in RULE_CASES if case[0] != "FTRL"]  # which has no rate of 0


@each_dtype
@each_metric
@pytest.mark.parametrize(("rule_name", "r"), CAPTURED_RULES)
def test_a_warm_up_on_the_device(rule_name: str, r: Any, metric: Any, dtype: str) -> None:
    """At rest the largest stay; from then on the rates rank, not what the rule was made with."""
    h, made = ps.NM(2, 4), rule(rule_name, {**r, "lr": 0.0})
    x = [normal(shape, dtype, seed=60 + k) for k, shape in enumerate(SHAPES)]
    there = [on_device(a) for a in x]
    plain = ps.Optimizer(x, made, h, metric=metric)
    captured = ps.Optimizer(there, made, h, metric=metric, capturable=True)
    for k, rate in enumerate((0.0, 0.1, 0.0, 0.05)):
        grads = [normal(shape, dtype, seed=70 + k) for shape in SHAPES]
        captured.rates[...] = rate
        captured.step([on_device(g) for g in grads])
        plain.step(grads, lr=rate)
        for got, want in zip(there, x, strict=True):
            assert_same_bits(got.host, want, f"rate {rate}")


def test_a_rate_that_float32_does_not_hold_is_zero() -> None:
    want = np.array([0, 0, 0.9, 0.8], np.float32)
    for rate in (0.0, 1e-50):
        x = np.array([0.1, 0.2, 0.9, 0.8], np.float32)
        there, g = on_device(x), np.ones_like(x)
        ps.Optimizer([x], ps.AdamW(rate), ps.NM(2, 4)).step([g])
        ps.Optimizer([there], ps.AdamW(rate), ps.NM(2, 4)).step([on_device(g)])
        assert_same_bits(x, want)
        assert_same_bits(there.host, want)


def test_refusals() -> None:
    h, z = ps.NM(2, 4), on_device(normal((4, 6), seed=199))
    with refused(ValueError, r"blocks of 4 do not divide the last axis of z of shape \(4, 6\)"):
        h.prox(z)
    with refused(ValueError, r"last axis of x of shape \(4, 6\)"):
        ps.step(z, z, ps.SGD(0.1), h)
