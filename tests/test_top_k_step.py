"""TopK as the penalty of a step: rule, then the k elements of largest score, exactly."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import proxstep as ps
import pytest
from cases import (
    DTYPES,
    NARROW,
    RULE_CASES,
    SPECIAL,
    assert_same_bits,
    compute_dtype,
    normal,
    numpy_dtype,
    prox_step,
    rule,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_groups import keep_largest
from top_k_cases import HARD, hard

NAN, INF = float("nan"), float("inf")
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_metric = pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
each_scope = pytest.mark.parametrize("scope", ["array", "global"])
N = 300_007  # more than a few chunks: found by a sample
SHAPES = ((7,), (0,), (3, 11), (1,), (600,), (9, 557))  # less, more than a tile; all are ranked


def many(shapes: Any, dtype: str, seed: int) -> list[Any]:
    return [normal(shape, dtype, seed=seed + k) for k, shape in enumerate(shapes)]


def copies(arrays: Any) -> list[Any]:
    return [a.copy() for a in arrays]


def kept(z: list[Any], k: int | float, scope: str, s: list[Any] | None = None) -> list[Any]:
    """The oracle for many arrays: of all of them together, or of each."""
    if scope == "global":
        n = sum(a.size for a in z)
        return keep_largest(z, k if isinstance(k, int) else int(k * n + 0.5), s)
    one = [None] * len(z) if s is None else s
    return [
        kept([a], k, "global", None if b is None else [b])[0] for a, b in zip(z, one, strict=True)
    ]


@each_dtype
@each_metric
@each_scope
@pytest.mark.parametrize(("rule_name", "r"), RULE_CASES)
def test_step_is_rule_then_selection(
    rule_name: str, r: Any, scope: Any, metric: Any, dtype: str
) -> None:
    """Ranked before rounding: the step of 16-bit storage is the float32 step, rounded once."""
    wide, first, h = compute_dtype(dtype).name, rule(rule_name, r), ps.TopK(0.3, scope=scope)
    x = [a.astype(wide) for a in many(SHAPES, dtype, 200)]
    free, got = (ps.Optimizer(copies(x), first, p, metric=metric) for p in (None, h))
    narrow = ps.Optimizer([a.astype(numpy_dtype(dtype)) for a in x], first, h, metric=metric)
    for t in (1, 2):
        g = [a.astype(wide) for a in many(SHAPES, dtype, 210 + 10 * t)]
        before = copies(got.params)
        for mine, other in zip(free.params, got.params, strict=True):
            mine[...] = other
        free.load_state_dict(copy.deepcopy(got.state_dict()))
        for opt in (free, got):
            opt.step(g, grad_scale=0.83)
        s = None
        if metric == "diagonal":
            s = [_steps(rule_name, r, free, k, t, wide) for k in range(len(x))]
            s = None if any(not isinstance(one, np.ndarray) for one in s) else s
        for a, b in zip(got.params, kept(copies(free.params), 0.3, scope, s), strict=True):
            assert_same_bits(a, b)
        _same_moments(free, got, before, r)
        if t == 1 and dtype in NARROW:
            narrow.step([a.astype(numpy_dtype(dtype)) for a in g], grad_scale=0.83)
            for a, b in zip(narrow.params, got.params, strict=True):
                assert_same_bits(a, b.astype(numpy_dtype(dtype)))


def _steps(name: str, r: Any, opt: Any, k: int, t: int, wide: str) -> Any:
    state = {key.split(".")[1]: v for key, v in opt.state_dict().items() if key[0] == str(k)}
    return prox_step(name, r, state, t, wide)


def _same_moments(free: Any, got: Any, before: Any, r: Any) -> None:
    own = got.state_dict()
    for key, value in free.state_dict().items():
        if key != "steps" and not key.endswith(".y"):
            assert_same_bits(own[key], value, key)
    for k, (x, old) in enumerate(zip(got.params, before, strict=True)):
        if f"{k}.y" in own:  # FISTA extrapolates from what was kept
            t = got.steps
            beta = (t - 1) / (t + 2) if r.get("momentum") is None else r["momentum"]
            np.testing.assert_allclose(own[f"{k}.y"], x + beta * (x - old), rtol=1e-5, atol=1e-6)


@each_metric
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_count_of_few_elements(metric: Any, dtype: str) -> None:
    r = ps.Adagrad(0.21, eps=0.013)
    for n in range(71):
        x, g = normal(n, dtype, seed=n), normal(n, dtype, seed=100 + n)
        wide = [a.astype(np.float32) for a in (x, g)]
        state = r.init(wide[0])
        ps.step(*wide, r, None, state)
        s = prox_step("Adagrad", {"lr": 0.21, "eps": 0.013}, state.moments, 1, "float32")
        own = [s] if metric == "diagonal" else None
        for k in sorted({0, 1, n // 3, max(n - 1, 0), n, n + 4}):
            got = x.copy()
            ps.step(got, g, r, ps.TopK(k), r.init(x), metric=metric)
            assert_same_bits(got, keep_largest([wide[0]], k, own)[0].astype(x.dtype), f"{k} of {n}")


@each_dtype
@settings(deadline=None, max_examples=100)
@given(z=st.lists(SPECIAL, min_size=1, max_size=40), k=st.integers(0, 42), cut=st.integers(0, 40))
def test_ties_and_what_is_not_finite(dtype: str, z: list[float], k: int, cut: int) -> None:
    """The earlier array and element stays, NaN before all, and what goes is exactly +0."""
    x = np.array(z).astype(numpy_dtype(dtype))
    parts = [x[:cut].copy(), x[cut:].copy()]
    opt = ps.Optimizer(parts, ps.SGD(0.0), ps.TopK(k, scope="global"))
    opt.step([np.zeros_like(p) for p in parts])
    start = x.astype(compute_dtype(dtype)) - np.zeros(1, compute_dtype(dtype))  # -0 - 0 = -0
    assert_same_bits(np.concatenate(parts), keep_largest([start], k)[0].astype(x.dtype))


@each_metric
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", HARD)
def test_large_arrays(name: str, metric: Any, dtype: str) -> None:
    """By guess, sample and histograms, in place and (with statistics) not: as by sorting."""
    x, r = hard(name, N, dtype), ps.Adagrad(0.21, eps=0.013)
    for k in (1, 40, 0.1, 0.1001, 0.5, N - 1):
        state = r.init(x)
        sums = np.abs(normal(N, dtype, seed=231)) + 0.1
        state.moments["sum_sq"][...] = 0.37 if "ties" in name else sums
        s = prox_step("Adagrad", {"lr": 0.21, "eps": 0.013}, state.moments, 1, dtype)
        want = kept([x], k, "global", [s] if metric == "diagonal" else None)[0]
        for stats in (False, True):
            got = x.copy()
            ps.step(got, np.zeros_like(x), r, ps.TopK(k), state, metric=metric, stats=stats)
            assert_same_bits(got, want, f"k = {k}")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_scores_at_the_ends_of_the_range(dtype: str) -> None:
    """Where z^2 or z^2 / s leaves the range of the type, and beside ordinary ones."""
    n, rng = 20_480, np.random.default_rng(232)
    far = 18 if dtype == "float32" else 140
    r = ps.Adagrad(1.0, eps=0.0)
    for reach in (1, far):
        x = (rng.normal(size=n) * 10.0 ** rng.uniform(-reach, reach, n)).astype(dtype)
        x[rng.random(n) < 0.1] = 0
        sums = 10.0 ** rng.uniform(-2 * reach, 2 * reach, n)
        sums[rng.random(n) < 0.02] = 0
        sums[rng.random(n) < 0.02] = INF
        for k in np.linspace(1, n - 1, 17).astype(int).tolist():
            state = r.init(x)
            state.moments["sum_sq"][...] = sums
            with np.errstate(all="ignore"):
                s = 1 / np.sqrt(state.moments["sum_sq"])
            got, g = x.copy(), np.zeros_like(x)
            free = x.copy()
            ps.step(free, g, r, None, copy.deepcopy(state))
            ps.step(got, g, r, ps.TopK(k), state)
            assert_same_bits(got, keep_largest([free], k, [s])[0], f"k = {k}")


@each_metric
@each_scope
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_same_bits_everywhere(isa: str, threads: None, metric: Any, scope: Any, dtype: str) -> None:
    shapes = ((150_001,), (40, 77), (3,), (100_000,))
    r, h = ps.AdamW(0.11, eps=0.017, weight_decay=0.3), ps.TopK(0.2, scope=scope)
    results = []
    for number, stats in ((1, False), (2, False), (3, True)):
        ps.set_num_threads(number)
        x = [hard("ties", int(np.prod(s)), dtype, seed=240).reshape(s) for s in shapes]
        opt = ps.Optimizer(x, r, h, metric=metric)
        for t in range(3):
            opt.step(many(shapes, dtype, 250 + 10 * t), grad_scale=0.83, stats=stats)
        results.append(x)
        for a, b in zip(x, results[0], strict=True):
            assert_same_bits(a, b)
    density = sum(np.count_nonzero(a) for a in results[0]) / sum(map(np.size, results[0]))
    assert density == pytest.approx(0.2, abs=1e-3)


@each_metric
def test_what_came_before_changes_no_bit(metric: Any) -> None:
    """A long run guesses by its last step, a fresh optimizer with the same state by a sample."""
    r, h = ps.AdamW(0.01, eps=0.017), ps.TopK(0.1, schedule=lambda t: (0.5, 0.1, 0.9, 3)[t % 4])
    x = [normal(N, "float32", seed=260)]
    long = ps.Optimizer(x, r, h, metric=metric)
    for t in range(8):
        g = [normal(N, "float32", seed=270 + t, scale=1.7 if t != 5 else 40.0)]
        fresh = ps.Optimizer(copies(x), r, h, metric=metric)
        fresh.load_state_dict(copy.deepcopy(long.state_dict()))
        for opt in (long, fresh):
            opt.step(g)
        assert_same_bits(long.params[0], fresh.params[0], f"step {t}")
        assert np.count_nonzero(x[0]) == (h.at(t) if t % 4 == 3 else int(h.at(t) * N + 0.5))


@each_dtype
@pytest.mark.parametrize("rule_name", ["SGD", "FISTA", "AdamW"])
def test_statistics(rule_name: str, dtype: str) -> None:
    r = dict(RULE_CASES)[rule_name]
    x, g = normal((90, 640), dtype, seed=280), normal((90, 640), dtype, seed=281)
    before, first = x.copy(), rule(rule_name, r)
    info = ps.step(x, g, first, ps.TopK(0.25), first.init(x), stats=True)
    assert info is not None
    change = np.sum(np.square(x.astype(float) - before.astype(float)))
    assert (info.nonzeros, info.penalty, info.finite) == (90 * 160, 0.0, True)
    assert info.nonzeros == np.count_nonzero(x)
    assert info.squared_change == pytest.approx(change, rel=1e-12)
    g[4, 100] = NAN
    info = ps.step(x, g, first, ps.TopK(1), first.init(x), stats=True)
    assert info is not None
    assert np.isnan(info.penalty)
    assert not info.finite
    assert np.isnan(x[4, 100].astype(float))


@pytest.mark.parametrize("stats", [False, True])
def test_the_ends_of_k(stats: bool) -> None:
    for n, k in ((1000, 0), (1000, 0.0), (1000, 1.0), (1000, 1000), (1000, 10**30), (N, 1.0)):
        x, g = normal(n, seed=290), normal(n, seed=291)
        free, got, r = x.copy(), x.copy(), ps.SGD(0.17)
        ps.step(free, g, r)
        ps.step(got, g, r, ps.TopK(k), stats=stats)
        assert_same_bits(got, np.zeros(n) if not k else free)


def test_a_density_is_rounded_to_the_nearest_count() -> None:
    for n, share, count in (
        (7, 0.5, 4),
        (100, 0.29, 29),
        (10, 0.04, 0),
        (10, 0.05, 1),
        (3, 1.0, 3),
    ):
        z = normal(n, seed=300)
        x = z.copy()
        ps.step(x, np.zeros(n), ps.SGD(0.17), ps.TopK(share))
        assert np.count_nonzero(x) == count
        assert np.count_nonzero(ps.prox(z, ps.TopK(share))) == count
        assert ps.TopK(share).value(x) == 0.0
        assert count == n or ps.TopK(share).value(z) == INF


def test_a_density_of_rows() -> None:
    h, z = ps.TopK(0.25, "rows"), normal((5, 8), seed=301)
    np.testing.assert_array_equal(np.count_nonzero(ps.prox(z, h), axis=1), 2)
    assert (h.value(ps.prox(z, h)), h.value(z)) == (0.0, INF)


@each_metric
def test_groups_with_selections_of_their_own(metric: Any) -> None:
    """Global for two groups, each of two arrays, others beside them."""
    shared, alone = ps.TopK(0.2, scope="global"), ps.TopK(0.2, scope="global")
    kinds = [shared, ps.L1(0.2), alone, shared, ps.TopK(5), None, ps.TopK(0.5)]
    shapes = [
        ((40, 9), (8,)),
        ((5,),),
        ((30,), (6, 7)),
        ((300,),),
        ((20,), (4,)),
        ((3,),),
        ((31,),),
    ]
    x = [many(s, "float32", 310 + 5 * k) for k, s in enumerate(shapes)]
    g = [many(s, "float32", 350 + 5 * k) for k, s in enumerate(shapes)]
    r = ps.SGD(0.13)
    opt = ps.Optimizer(
        [{"params": copies(a), "penalty": h} for a, h in zip(x, kinds, strict=True)],
        r,
        metric=metric,
    )
    opt.step([one for some in g for one in some])
    want = [
        [a - np.float32(0.13) * b for a, b in zip(*both, strict=True)]
        for both in zip(x, g, strict=True)
    ]
    together = kept([*want[0], *want[3]], 0.2, "global")
    want[0], want[3] = together[:2], together[2:]
    want[1] = [ps.prox(a, ps.L1(0.2), 0.13) for a in want[1]]
    want[2] = kept(want[2], 0.2, "global")
    want[4], want[6] = kept(want[4], 5, "array"), kept(want[6], 0.5, "array")
    for got, a in zip(opt.params, [one for some in want for one in some], strict=True):
        assert_same_bits(got, a)


def test_ties_follow_the_order_of_memory() -> None:
    x = np.ones((3, 4), order="F")
    ps.step(x, np.zeros((3, 4), order="F"), ps.SGD(0.1), ps.TopK(4))
    np.testing.assert_array_equal(x.ravel(order="K"), [1.0] * 4 + [0.0] * 8)


@pytest.mark.torch
def test_torch_tensors() -> None:
    import torch

    x = torch.tensor([3.0, -0.2, 2.0, 0.1], requires_grad=True)
    opt = ps.Optimizer([x.detach()], ps.SGD(0.5), ps.TopK(0.5))
    opt.step([torch.tensor([0.0, 0.0, 4.0, 1.0])])
    assert x.tolist() == pytest.approx([3.0, 0.0, 0.0, -0.4])
