"""N:M sparsity: of every m consecutive elements the n that would cost most to drop stay."""

from __future__ import annotations

import dataclasses
import itertools
import pickle
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
from nm_cases import PATTERNS, SHAPES, steps_like, with_odd_ones
from reference_groups import keep_n_of_m
from refusals import refused

NAN, INF = float("nan"), float("inf")
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_pattern = pytest.mark.parametrize(("n", "m"), PATTERNS)
each_metric = pytest.mark.parametrize("metric", ["diagonal", "euclidean"])


def blocks(x: Any, m: int) -> Any:
    return x.reshape(-1, m)


@pytest.mark.parametrize(("n", "m"), [(0, 2), (1, 2), (2, 4), (1, 4), (3, 8), (8, 8)])
@pytest.mark.parametrize("diagonal", [False, True])
def test_no_allowed_point_has_a_smaller_objective(n: int, m: int, diagonal: bool) -> None:
    """Against every support of n elements: the best point with a support is z on it."""
    z = normal((6, m), seed=150 + m)
    s = np.abs(normal((6, m), seed=160 + m)) + 0.1 if diagonal else np.full((6, m), 0.7)
    x = ps.prox(z, ps.NM(n, m), s if diagonal else 0.7)
    assert np.all(np.count_nonzero(x, axis=1) <= n)
    cost = np.sum((x - z) ** 2 / (2 * s), axis=1)
    for support in itertools.combinations(range(m), n):
        other = np.zeros_like(z)
        other[:, support] = z[:, support]
        assert np.all(cost <= np.sum((other - z) ** 2 / (2 * s), axis=1) * (1 + 1e-15))


@each_dtype
@each_pattern
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_the_sort_oracle(n: int, m: int, shape: Any, dtype: str) -> None:
    z = normal(shape, dtype, seed=151)
    s = steps_like(z, 152)
    assert_same_bits(ps.prox(z, ps.NM(n, m), 0.83), keep_n_of_m(z, n, m))
    assert_same_bits(ps.prox(z, ps.NM(n, m), s), keep_n_of_m(z, n, m, s))


@each_dtype
@settings(deadline=None, max_examples=100)
@given(z=st.lists(SPECIAL, min_size=16, max_size=16), n=st.integers(0, 8))
def test_ties_and_what_is_not_finite(dtype: str, z: list[float], n: int) -> None:
    """The earlier element stays, NaN before all, and what goes is exactly +0."""
    point = np.array(z).astype(numpy_dtype(dtype))
    assert_same_bits(ps.prox(point, ps.NM(n, 8)), keep_n_of_m(point, n, 8))


@each_dtype
@settings(deadline=None, max_examples=100)
@given(
    z=st.lists(SPECIAL, min_size=16, max_size=16),
    s=st.lists(st.sampled_from([0.0, 0.25, 1.0, 4.0]), min_size=16, max_size=16),
    n=st.integers(0, 4),
)
def test_steps_of_zero(dtype: str, z: list[float], s: list[float], n: int) -> None:
    """z^2 / 0 is infinite, 0 / 0 is 0."""
    point = np.array(z).astype(numpy_dtype(dtype))
    own = np.array(s).astype(compute_dtype(dtype))
    assert_same_bits(ps.prox(point, ps.NM(n, 4), own), keep_n_of_m(point, n, 4, own))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ulps", [0, 1, 100, 2**10])
def test_two_of_four_among_near_ties(dtype: str, ulps: int) -> None:
    """Second and third of one block of a tile lie as close as that: the rounded scores tell."""
    z = normal((500, 512), dtype, seed=31)
    z[z == 0] = 1
    s = 10 ** np.random.default_rng(32).uniform(-1, 1, z.shape).astype(dtype)
    z[:, 100] = 99
    z[:, 101] = 0.01
    z[:, 103] = np.abs(z[:, 102]) * np.sqrt(s[:, 103] / s[:, 102])
    z[:, 103] += ulps * np.spacing(z[:, 103])
    stays = keep_n_of_m(z / np.sqrt(s), 2, 4) != 0
    assert_same_bits(ps.prox(z, ps.NM(2, 4), step=s), np.where(stays, z, z.dtype.type(0)))


def test_every_nan_counts_the_same() -> None:
    bits = np.array([0x7F800001, 0xFFFFFFFF, 0x7FC00000, 0x7F800000], np.uint32)
    x = ps.NM(2, 4).prox(bits.view(np.float32))
    np.testing.assert_array_equal(x.view(np.uint32), [0x7F800001, 0xFFFFFFFF, 0, 0])


@pytest.mark.parametrize("size", [1e-40, 1e-30, 1e30])
def test_squares_outside_the_range(size: float) -> None:
    """Neither z^2 nor z^2 / s fits float32."""
    z = (np.array([1.0, -2.0, 3.0, 1.5]) * size).astype(np.float32)
    s = np.array([1.0, 10.0, 10.0, 1.0], np.float32)
    np.testing.assert_array_equal(ps.prox(z, ps.NM(2, 4)) != 0, [0, 1, 1, 0])
    np.testing.assert_array_equal(ps.prox(z, ps.NM(2, 4), s) != 0, [1, 0, 0, 1])


@each_dtype
@each_pattern
def test_permuting_blocks_commutes(n: int, m: int, dtype: str) -> None:
    z = with_odd_ones((6, 320), dtype, seed=153)
    order = np.random.default_rng(154).permutation(z.size // m)
    x = ps.prox(z, ps.NM(n, m), 0.83)
    moved = ps.prox(blocks(z, m)[order].reshape(z.shape), ps.NM(n, m), 0.83)
    assert_same_bits(blocks(moved, m), blocks(x, m)[order])
    assert_same_bits(ps.prox(x, ps.NM(n, m)), x, "a second time")


@each_dtype
@each_metric
@pytest.mark.parametrize(("rule_name", "r"), RULE_CASES)
def test_step_is_rule_then_selection(rule_name: str, r: Any, metric: Any, dtype: str) -> None:
    """Ranked before rounding: the step of 16-bit storage is the float32 step, rounded once."""
    for n, m in ((2, 4), (16, 32)):
        wide = compute_dtype(dtype).name
        x, g = (normal((5, 256), dtype, seed=k).astype(wide) for k in (155, 156))
        first, own = rule(rule_name, r), (5, 256)
        states = [first.init(x.astype(numpy_dtype(d))) for d in (wide, wide, dtype)]
        for t in range(2):
            for state in states:
                ps.step(np.zeros(own, wide), normal(own, wide, seed=157 + t), first, None, state)
        z, got, narrow = x.copy(), x.copy(), x.astype(numpy_dtype(dtype))
        call: Any = {"grad_scale": 0.83, "metric": metric}
        ps.step(z, g, first, None, states[0], **call)
        s = prox_step(rule_name, r, states[0].moments, 3, wide, metric)
        ps.step(got, g, first, ps.NM(n, m), states[1], **call)
        assert_same_bits(got, ps.prox(z, ps.NM(n, m), s))
        for key in set(states[0].moments) - {"y"}:  # y of FISTA follows the new x
            assert_same_bits(states[1].moments[key], states[0].moments[key], key)
        if dtype in NARROW:
            ps.step(narrow, g.astype(numpy_dtype(dtype)), first, ps.NM(n, m), states[2], **call)
            assert_same_bits(narrow, got.astype(numpy_dtype(dtype)))


def test_ranks_are_those_of_the_point_before_it_is_rounded() -> None:
    """Two points that one bfloat16 number stores: the larger stays though it is the later."""
    x = np.full(4, 1.0).astype(numpy_dtype("bfloat16"))
    g = np.array([0.001, 0.0, 0.002, 0.003]).astype(x.dtype)
    ps.step(x, g, ps.SGD(0.1), ps.NM(1, 4))
    np.testing.assert_array_equal(x.astype(float), [0.0, 1.0, 0.0, 0.0])


@each_dtype
@each_metric
def test_same_bits_everywhere(isa: str, threads: None, metric: Any, dtype: str) -> None:
    """Of one set of blocks a time, one row a call, on one thread."""
    for k, (n, m) in enumerate(PATTERNS):
        shape = (300, 512) if k == 0 else (4, 512)
        x, g = with_odd_ones(shape, dtype, seed=160), normal(shape, dtype, seed=161)
        r = ps.Adagrad(0.21, eps=0.013)
        results = []
        for number in (1, 2, 3):
            ps.set_num_threads(number)
            results.append(x.copy())
            ps.step(results[-1], g, r, ps.NM(n, m), r.init(x), metric=metric, stats=number == 2)
            assert_same_bits(results[-1], results[0])
        point = x.copy()
        state = r.init(x)
        ps.step(point, g, r, None, state)
        if dtype not in NARROW:
            s = prox_step("Adagrad", {"lr": 0.21, "eps": 0.013}, state.moments, 1, dtype)
            own = s if metric == "diagonal" else None
            assert_same_bits(results[0], keep_n_of_m(point, n, m, own))


@each_dtype
@each_pattern
def test_the_indicator(n: int, m: int, dtype: str) -> None:
    h, z = ps.NM(n, m), normal((40, 1024), dtype, seed=162)
    x = ps.prox(z, h)
    assert h.value(x) == 0.0
    assert h.value(z) == (INF if n < m else 0.0)
    one_more = x.copy()
    one_more[-1, -m:] = z[-1, -m:]
    assert h.value(one_more) == (INF if n < m else 0.0)
    for bad in (x, one_more):
        bad[17, 33] = NAN
        assert np.isnan(h.value(bad))


@each_dtype
@pytest.mark.parametrize("rule_name", ["SGD", "FISTA", "AdamW"])
def test_statistics(rule_name: str, dtype: str) -> None:
    r = dict(RULE_CASES)[rule_name]
    x, g = normal((9, 640), dtype, seed=163), normal((9, 640), dtype, seed=164)
    before, first = x.copy(), rule(rule_name, r)
    info = ps.step(x, g, first, ps.NM(3, 8), first.init(x), stats=True)
    change = np.sum(np.square(x.astype(float) - before.astype(float)))
    assert (info.nonzeros, info.penalty, info.finite) == (9 * 640 * 3 // 8, 0.0, True)
    assert info.squared_change == pytest.approx(change, rel=1e-12)
    g[4, 100] = NAN
    info = ps.step(x, g, first, ps.NM(3, 8), first.init(x), stats=True)
    assert np.isnan(info.penalty)
    assert not info.finite
    assert np.isnan(x[4, 100].astype(float))


@each_dtype
@each_metric
def test_many_arrays(metric: Any, dtype: str) -> None:
    """Beside arrays with other penalties, each as if it were alone."""
    kinds = [ps.NM(2, 4), None, ps.L1(0.2), ps.NM(1, 2), ps.Group(ps.L1(0.4), "rows"), ps.NM(7, 32)]
    shapes = [(8, 36), (5,), (3, 7), (2, 2, 6), (4, 9), (1, 1024)]
    r = ps.AdamW(0.11, eps=0.017, weight_decay=0.3)
    alone = [normal(shape, dtype, seed=k) for k, shape in enumerate(shapes)]
    together = [x.copy() for x in alone]
    opt = ps.Optimizer(
        [{"params": [x], "penalty": h} for x, h in zip(together, kinds, strict=True)],
        r,
        metric=metric,
    )
    grads = [normal(shape, dtype, seed=20 + k) for k, shape in enumerate(shapes)]
    opt.step(grads, grad_scale=0.83)
    for x, g, h, got in zip(alone, grads, kinds, together, strict=True):
        ps.step(x, g, r, h, r.init(x), grad_scale=0.83, metric=metric)
        assert_same_bits(got, x)


@pytest.mark.parametrize("dtype", NARROW)
def test_bits_and_their_meaning(dtype: str) -> None:
    z = normal((3, 96), dtype, seed=165)
    got = ps.prox(z.view(np.uint16), ps.NM(3, 8), dtype=dtype)
    assert_same_bits(got.view(z.dtype), ps.prox(z, ps.NM(3, 8)))


def test_in_place_and_what_has_no_elements() -> None:
    z = normal((5, 64), seed=166)
    want = ps.prox(z, ps.NM(2, 4))
    assert ps.prox(z, ps.NM(2, 4), out=z) is z
    assert_same_bits(z, want)
    for shape in ((0, 8), (8, 0)):
        assert ps.prox(np.zeros(shape), ps.NM(2, 4)).shape == shape
        assert ps.NM(2, 4).value(np.zeros(shape)) == 0.0


def test_solve_finds_the_support() -> None:
    X = normal((80, 16), seed=167)
    y = X[:, [1, 3, 4, 10, 11]] @ np.array([1.3, -2.1, 0.7, 0.9, -1.6])
    result = ps.solve(ps.LeastSquares(X, y), ps.NM(2, 4))
    np.testing.assert_array_equal(np.flatnonzero(np.abs(result.x) > 1e-6), [1, 3, 4, 10, 11])
    assert result.objective < 1e-9


def test_it_is_frozen_and_can_be_sent_to_another_process() -> None:
    h, z = ps.NM(np.int64(2), 4), normal(64, seed=168)
    copy = pickle.loads(pickle.dumps(h))
    assert (copy.n, copy.m, repr(copy)) == (2, 4, "NM(n=2, m=4)")
    assert type(h.n) is int
    assert_same_bits(ps.prox(z, copy), ps.prox(z, h))
    with pytest.raises(dataclasses.FrozenInstanceError):
        h.n = 3  # type: ignore[misc]


@pytest.mark.parametrize("bad", [True, 2.0, None, "2"])
def test_both_are_integers(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"n is .*an integer is needed"):
        ps.NM(bad, 4)
    with pytest.raises(TypeError, match=r"m is .*an integer is needed"):
        ps.NM(1, bad)


@pytest.mark.parametrize("m", [-4, 0, 1, 3, 6, 24, 64])
def test_m_is_a_power_of_two(m: int) -> None:
    with pytest.raises(ValueError, match=f"m is {m}; it must be a power of two from 2 to 32"):
        ps.NM(0, m)


@pytest.mark.parametrize("n", [-1, 5])
def test_n_is_at_most_m(n: int) -> None:
    with pytest.raises(ValueError, match=f"n is {n}; it must lie between 0 and m, which is 4"):
        ps.NM(n, 4)


@pytest.mark.parametrize("shape", [(), (6,), (4, 6), (8, 4, 2), (0, 6)])
def test_m_divides_the_last_axis(shape: tuple[int, ...]) -> None:
    h, x = ps.NM(2, 4), np.ones(shape)
    words = f"blocks of 4 do not divide the last axis of . of shape \\({', '.join(map(str, shape))}"
    with refused(ValueError, words, keep=[x]):
        h.prox(x)
    with refused(ValueError, words):
        h.value(x)
    with refused(ValueError, words, keep=[x]):
        ps.step(x, x.copy(), ps.SGD(0.1), h)
    with refused(ValueError, r"params\[0\]", words):
        ps.Optimizer([x], ps.SGD(0.1), h)


def test_other_layouts_are_refused() -> None:
    h, x = ps.NM(2, 4), np.asfortranarray(normal((8, 12), seed=169))
    with refused(ValueError, r"\(8, 12\) must be in C order for blocks of 4, .* F order", keep=[x]):
        h.prox(x)
    with refused(ValueError, "must be in C order"):
        h.value(normal((2, 4, 8), seed=170).transpose(1, 0, 2))
    with refused(TypeError, "elementwise penalty is needed"):
        ps.Group(h, "rows")  # type: ignore[arg-type]
