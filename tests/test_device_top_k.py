"""TopK in the steps of arrays in CUDA memory: the bits of the CPU, without a device."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
from cases import NARROW, RULE_CASES, SPECIAL, assert_same_bits, normal, numpy_dtype, rule
from device import on_device
from device_groups import Pair, assert_same_statistics, each_dtype, each_metric, odd_place
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from refusals import refused
from top_k_cases import HARD, hard

pytestmark = pytest.mark.usefixtures("any_device")
each_scope = pytest.mark.parametrize("scope", ["array", "global"])
NAN = float("nan")
# Less and more than a pack, a pass of a block, a block; empty ones.
SHAPES = ((7,), (0,), (3, 11), (1,), (1025,), (9, 557), (8191,), (3, 4099))


def groups_of(arrays: Any, h: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"params": list(arrays), "penalty": h, **more}]


def many(dtype: str, seed: int) -> list[Any]:
    return [normal(shape, dtype, seed=seed + k) for k, shape in enumerate(SHAPES)]


@each_dtype
@each_metric
@each_scope
@pytest.mark.parametrize(("rule_name", "r"), RULE_CASES)
def test_every_rule(rule_name: str, r: Any, scope: Any, metric: Any, dtype: str) -> None:
    """In place and, with statistics, not; both passes leave the CPU's bits behind them."""
    h = ps.TopK(0.3, scope=scope)
    pair = Pair(groups_of(many(dtype, 500)[:6], h, rule=rule(rule_name, r), metric=metric))
    pair.step()
    pair.check_bits()
    got, want = pair.step(seed=84, stats=True)
    pair.check_bits()
    assert got.penalty == want.penalty == 0.0
    assert_same_statistics(got, want, dtype)


@each_dtype
@each_metric
@each_scope
@pytest.mark.parametrize("move", [on_device, odd_place])
def test_arrays_of_several_blocks(move: Any, scope: Any, metric: Any, dtype: str) -> None:
    h = ps.TopK(0.1, scope=scope)
    rules = ps.AdamW(0.11, eps=0.017, weight_decay=0.3)
    pair = Pair(groups_of(many(dtype, 510), h, rule=rules, metric=metric), move)
    pair.step()
    pair.check_bits()


@each_metric
@each_scope
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("name", HARD)
def test_hard_points(name: str, dtype: str, scope: Any, metric: Any) -> None:
    """Ties by their place in arrays and blocks, whatever is equal among them."""
    cuts = (9000, 9003, 9003, 17_300)
    r, n = ps.Adagrad(0.21, eps=0.013), 20_000
    for k in (1, 40, 0.1, 0.5, 0.95, 8999):
        x = [a.copy() for a in np.split(hard(name, n, dtype), cuts)]
        there = [on_device(a) for a in x]
        for stats in (False, True):
            for params in (x, there):
                move = on_device if params is there else np.copy
                opt = ps.Optimizer(params, r, ps.TopK(k, scope=scope), metric=metric)
                for one in opt.state_dict().items():
                    if one[0] != "steps":
                        one[1][...] = np.full(one[1].shape, 0.37, one[1].dtype)
                opt.step([move(np.zeros(a.shape, a.dtype)) for a in x], stats=stats)
            for got, want in zip(there, x, strict=True):
                assert_same_bits(got.host, want, f"k = {k}")


@each_dtype
@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(z=st.lists(SPECIAL, min_size=1, max_size=40), k=st.integers(0, 42), cut=st.integers(0, 40))
def test_ties_and_what_is_not_finite(dtype: str, z: list[float], k: int, cut: int) -> None:
    """With a gradient of zero -0 stays -0, unless a tie drops it."""
    x, h = np.array(z).astype(numpy_dtype(dtype)), ps.TopK(k, scope="global")
    for r, g in ((ps.Adagrad(0.1), 0.3), (ps.SGD(0.1), 0.0)):
        parts = [x[:cut].copy(), x[cut:].copy()]
        there = [on_device(p) for p in parts]
        for arrays, move in ((parts, np.copy), (there, on_device)):
            opt = ps.Optimizer(arrays, r, h)
            opt.step([move(np.full_like(p, g)) for p in parts])
        for got, want in zip(there, parts, strict=True):
            assert_same_bits(got.host, want)


@each_dtype
def test_zeros_of_both_signs(dtype: str) -> None:
    """Among zeros the first stay what they are; the others become +0."""
    for n, k in ((10, 4), (9000, 8500)):
        x = np.where(np.arange(n) % 3, -0.0, 0.0).astype(numpy_dtype(dtype))
        x[1] = 2.5
        there, g = on_device(x), np.zeros_like(x)
        ps.step(x, g, ps.SGD(0.1), ps.TopK(k))
        ps.step(there, on_device(g), ps.SGD(0.1), ps.TopK(k))
        assert_same_bits(there.host, x, f"{k} of {n}")
        assert np.signbit(x[:k].astype(float)).any()
        assert not np.signbit(x[k:].astype(float)).any()


@each_metric
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_scores_at_the_ends_of_the_range(dtype: str, metric: Any) -> None:
    n, rng = 9000, np.random.default_rng(232)
    far = 18 if dtype == "float32" else 140
    x = (rng.normal(size=n) * 10.0 ** rng.uniform(-far, far, n)).astype(dtype)
    x[rng.random(n) < 0.1] = 0
    sums = 10.0 ** rng.uniform(-2 * far, 2 * far, n)
    sums[rng.random(n) < 0.02] = 0
    sums[rng.random(n) < 0.02] = np.inf
    r = ps.Adagrad(1.0, eps=0.0)
    for k in np.linspace(1, n - 1, 9).astype(int).tolist():
        state, want, got = r.init(x), x.copy(), on_device(x)
        state.moments["sum_sq"][...] = sums
        moved = ps.State(0, {"sum_sq": on_device(state.moments["sum_sq"])})
        g = np.zeros_like(x)
        ps.step(want, g, r, ps.TopK(k), state, metric=metric)
        ps.step(got, on_device(g), r, ps.TopK(k), moved, metric=metric)
        assert_same_bits(got.host, want, f"k = {k}")


@each_dtype
@each_metric
def test_the_ends_of_k(metric: Any, dtype: str) -> None:
    r = ps.AdamW(0.17, eps=0.013)
    for n, k in ((1000, 0), (1000, 0.0), (1000, 1.0), (1000, 1000), (1000, 10**30), (9000, 1.0)):
        for stats in (False, True):
            x, g = normal(n, dtype, seed=520), normal(n, dtype, seed=521)
            x[:3] = (NAN, np.inf, -0.0)
            state, there = r.init(x), on_device(x)
            moved = ps.State(0, {key: on_device(m) for key, m in state.moments.items()})
            ps.step(x, g, r, ps.TopK(k), state, metric=metric, stats=stats)
            ps.step(there, on_device(g), r, ps.TopK(k), moved, metric=metric, stats=stats)
            assert_same_bits(there.host, x, f"{k} of {n}")
            for key, m in state.moments.items():
                assert_same_bits(moved.moments[key].host, m, key)


@each_metric
@pytest.mark.parametrize("still", [0, 1, 2])
@pytest.mark.parametrize("options", [{}, {"capturable": True}])
def test_what_is_at_rest(metric: Any, still: int, options: Any) -> None:
    """By magnitude where nothing of a selection moves; beside what moves it takes no part."""
    x = [normal(n, "float32", seed=530 + n) for n in (300, 41)]
    grads = [normal(a.size, "float32", seed=540) for a in x]
    there, h = [on_device(a) for a in x], ps.TopK(0.3, scope="global")
    lr = [0.0 if k < still else 0.1 for k in range(2)]

    def optimizer(arrays: list[Any], **more: Any) -> ps.Optimizer:
        groups = [{"params": [a], "rule": ps.AdamW(0.0, eps=0.01)} for a in arrays]
        return ps.Optimizer(groups, ps.SGD(0.1), h, metric=metric, **more)

    cpu, gpu = optimizer(x), optimizer(there, **options)
    cpu.step(grads, lr=lr)
    if options:
        gpu.rates[...] = np.array(lr)
    gpu.step([on_device(g) for g in grads], **({} if options else {"lr": lr}))
    for got, want in zip(there, x, strict=True):
        assert_same_bits(got.host, want)


@each_dtype
def test_rates_in_the_devices_memory(dtype: str) -> None:
    """As a captured graph has them: nothing of a call but k tells the step."""
    h, r = ps.TopK(0.3, scope="global"), ps.AdamW(0.07, eps=0.017)
    x = many(dtype, 550)
    there = [on_device(a) for a in x]
    plain, captured = ps.Optimizer(x, r, h), ps.Optimizer(there, r, h, capturable=True)
    for k in range(3):
        grads = many(dtype, 560 + 10 * k)
        captured.rates[...] = 0.05 * (k + 1)
        captured.step([on_device(g) for g in grads])
        plain.step(grads, lr=0.05 * (k + 1))
    for got, want in zip(there, x, strict=True):
        assert_same_bits(got.host, want)


RATES = ((0.1, 0.0, 0.1, 0.05), (0.0, 0.0, 0.07, 0.1), (0.0, 0.1, 0.0, 0.0), (0.0,) * 4)


@each_dtype
@each_metric
@pytest.mark.parametrize("stats", [False, True])
@pytest.mark.parametrize("k", [0, 0.3, 1.0, 40, 9000])
def test_rates_in_the_devices_memory_freeze(k: Any, stats: bool, metric: Any, dtype: str) -> None:
    """What is at rest neither counts nor is dropped from; a density is one of what moves."""
    h, r = ps.TopK(k, scope="global"), ps.AdamW(0.0, eps=0.017)
    x = [normal(n, dtype, seed=620 + n) for n in (9000, 41, 8191, 0)]
    there = [on_device(a) for a in x]

    def optimizer(arrays: list[Any], **more: Any) -> ps.Optimizer:
        groups = [{"params": [a], "rule": r} for a in arrays]
        return ps.Optimizer(groups, r, h, metric=metric, **more)

    plain, captured = optimizer(x), optimizer(there, capturable=True)
    for seed, rates in enumerate(RATES):
        grads = [normal(a.size, dtype, seed=630 + seed) for a in x]
        captured.rates[...] = np.array(rates)
        got = captured.step([on_device(g) for g in grads], stats=stats)
        want = plain.step(grads, lr=list(rates), stats=stats)
        for a, b in zip(there, x, strict=True):
            assert_same_bits(a.host, b, f"rates {rates}")
        if stats:
            assert_same_statistics(got, want, dtype)


@each_metric
@pytest.mark.parametrize("name", ["ties", "constant"])
def test_ties_beside_frozen_arrays(name: str, metric: Any) -> None:
    """Blocks that take no part hold no ties, whatever is in memory."""
    for rates in ((0.1, 0.0, 0.1), (0.0, 0.1, 0.1)):
        x = [hard(name, n, "float32") for n in (17_000, 20_000, 9000)]
        there = [on_device(a) for a in x]
        for arrays, more in ((x, {}), (there, {"capturable": True})):
            groups = [{"params": [a], "rule": ps.Adagrad(0.1, eps=0.02)} for a in arrays]
            h = ps.TopK(0.9, scope="global")
            opt = ps.Optimizer(groups, ps.SGD(0.1), h, metric=metric, **more)
            move, call = (on_device, {}) if more else (np.copy, {"lr": list(rates)})
            if more:
                opt.rates[...] = np.array(rates)
            opt.step([move(np.zeros_like(a)) for a in x], **call)
        for got, want in zip(there, x, strict=True):
            assert_same_bits(got.host, want, f"rates {rates}")


@pytest.mark.parametrize("moved", [0, 599])
def test_more_rates_than_a_launch_looks_at(moved: int) -> None:
    x = [normal(7, "float32", seed=k) for k in range(600)]
    there, rates = [on_device(a) for a in x], [0.0] * 600
    rates[moved] = 0.1
    for arrays, more in ((x, {}), (there, {"capturable": True})):
        groups = [{"params": [a]} for a in arrays]
        opt = ps.Optimizer(groups, ps.SGD(0.1), ps.TopK(0.5, scope="global"), **more)
        if more:
            opt.rates[...] = np.array(rates)
        grads = [np.ones(7, np.float32) for _ in x]
        if more:
            opt.step([on_device(g) for g in grads])
        else:
            opt.step(grads, lr=rates)
    for got, want in zip(there, x, strict=True):
        assert_same_bits(got.host, want)


@each_dtype
def test_clipping_and_statistics_together(dtype: str) -> None:
    """The norm is of another order of sums, so that elements near the cut may change places."""
    pair = Pair(groups_of(many(dtype, 570), ps.TopK(0.2, scope="global"), rule=ps.AdamW(0.1)))
    got, want = pair.step(max_norm=0.7, stats=True)
    np.testing.assert_allclose(got.grad_norm, want.grad_norm, 1e-13)
    assert (got.nonzeros, got.finite, got.penalty) == (want.nonzeros, True, 0.0)
    assert got.nonzeros == sum(np.count_nonzero(a.host) for a in pair.there)
    np.testing.assert_allclose(got.squared_change, want.squared_change, 1e-5)


@each_dtype
def test_a_diverged_run_stays_visible(dtype: str) -> None:
    x, g = normal((90, 64), dtype, seed=580), normal((90, 64), dtype, seed=581)
    g[4, 10], g[80, 3] = NAN, np.inf
    there, r = on_device(x), ps.SGD(0.1)
    want = ps.step(x, g, r, ps.TopK(3), stats=True)
    got = ps.step(there, on_device(g), r, ps.TopK(3), stats=True)
    assert_same_bits(there.host, x)
    assert got is not None
    assert want is not None
    assert (got.nonzeros, got.finite) == (want.nonzeros, False)
    assert np.isnan(got.penalty)


def test_arrays_of_two_dtypes_in_one_selection() -> None:
    """Ties are in the order of the arrays, not of the launches; others are selected beside them."""
    groups = []
    shared = ps.TopK(0.4, scope="global")
    for k, dtype in enumerate(["bfloat16", "float32", "float16", "float32", "bfloat16"]):
        groups += groups_of([hard("ties", 700 + 11 * k, dtype)], shared)
    groups += groups_of([hard("ties", 900, "float64", 7)], ps.TopK(0.3, scope="global"))
    groups += groups_of([hard("constant", 500, "float16", 8)], ps.TopK(7))
    groups += groups_of([normal(300, "float32", seed=9)], ps.L1(0.1))
    pair = Pair(groups)
    for a, b in zip(pair.here, pair.there, strict=True):
        a[...] = np.round(a.astype(float), 1).astype(a.dtype)
        b[...] = a
    want = [a.copy() for a in pair.here]
    zero = [np.zeros(a.shape, a.dtype) for a in want]
    pair.cpu.step(zero)
    pair.gpu.step([on_device(g) for g in zero])
    pair.check_bits()


@each_dtype
def test_a_schedule(dtype: str) -> None:
    h = ps.TopK(1, schedule=lambda t: (1.0, 0.5, 3, 0.2)[t])
    pair_x = many(dtype, 590)
    there = [on_device(a) for a in pair_x]
    cpu, gpu = (ps.Optimizer(a, ps.SGD(0.1), h) for a in (pair_x, there))
    for t in range(4):
        grads = many(dtype, 600 + 10 * t)
        cpu.step(grads)
        gpu.step([on_device(g) for g in grads])
        for got, want in zip(there, pair_x, strict=True):
            assert_same_bits(got.host, want)


def test_more_arrays_and_settings_than_a_table_holds() -> None:
    shared = ps.TopK(0.3, scope="global")
    groups = [
        {
            "params": [normal((1, 8), "float32", seed=30 * k + j) for j in range(25)],
            "penalty": shared if k % 2 else ps.TopK(3),
            "rule": ps.SGD(0.1 + 0.01 * k),
        }
        for k in range(18)
    ]
    pair = Pair(groups)
    pair.step()
    pair.check_bits()


def test_more_selections_than_a_launch_starts() -> None:
    pair = Pair(groups_of([normal(3, "float32", seed=k) for k in range(1100)], ps.TopK(1)))
    pair.step()
    pair.check_bits()


@pytest.mark.parametrize(("dtype", "launches"), [("float32", 8), ("bfloat16", 8), ("float64", 14)])
def test_launches_do_not_depend_on_the_elements(emulation: Any, dtype: str, launches: int) -> None:
    """One to begin, two for each digit, one to end; nothing waits and nothing is held."""
    for name in ("normal", "constant", "few outliers"):
        x = [hard(name, n, dtype) for n in (9000, 30, 500)]
        pair = Pair(groups_of(x, ps.TopK(0.2, scope="global")))
        before = emulation.launches(), emulation.waits(), emulation.blocks_of_memory()
        pair.step()
        after = emulation.launches(), emulation.waits(), emulation.blocks_of_memory()
        assert after == (before[0] + launches, before[1], before[2])


def test_refusals() -> None:
    x = on_device(normal(5, seed=610))
    h = ps.TopK(3, schedule=lambda t: 3)
    with refused(ValueError, "capturable fixes what a TopK keeps; its schedule needs the host"):
        ps.Optimizer([x], ps.SGD(0.1), h, capturable=True)
    with refused(ValueError, "TopK.*serves prox and solve; a step selects in whole arrays"):
        ps.step(x, x, ps.SGD(0.1), ps.TopK(3, "rows"))
    wide, narrow = on_device(normal(5, seed=611)), on_device(normal(5, NARROW[0], seed=612))
    with refused(ValueError, r"params\[1\]", "whose scores have other digits"):
        ps.Optimizer([wide, narrow], ps.SGD(0.1), ps.TopK(0.5, scope="global"))
