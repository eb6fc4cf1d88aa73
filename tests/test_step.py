"""A step is the rule and then the prox, bit for bit, whatever runs it and however it is stored."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import proxstep as ps
import pytest
from cases import (
    DTYPES,
    NARROW,
    PENALTY_CASES,
    RULE_CASES,
    assert_same_bits,
    clone,
    compute_dtype,
    held,
    normal,
    numpy_dtype,
    penalty,
    prox_step,
    rule,
    weights_for,
)

each_rule = pytest.mark.parametrize(("rule_name", "r"), RULE_CASES)
each_penalty = pytest.mark.parametrize(("name", "p"), PENALTY_CASES)
METRICS = ("diagonal", "euclidean")


def started(rule_name, r, x, steps=2):
    """A state that has already seen some gradients, so that no moment is zero."""
    state = rule(rule_name, r).init(x)
    for t in range(steps):
        ps.step(x, normal(x.shape, x.dtype.name, seed=70 + t), rule(rule_name, r), None, state)
    return state


def one_step(x, g, rule_name, r, h, state, **options):
    x, state = x.copy(), clone(state)
    info = ps.step(x, g, rule(rule_name, r), h, state, **options)
    return x, state, info


@each_rule
@each_penalty
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("weighted", [False, True])
def test_step_is_rule_then_prox(rule_name, r, name, p, metric, weighted):
    """Without a penalty the step leaves the point z; its prox with the documented s is the step."""
    for dtype in ("float64", "float32"):
        x, g = normal(137, dtype, seed=1), normal(137, dtype, seed=2)
        h = penalty(name, p, weights_for(137, dtype) if weighted else None)
        state = started(rule_name, r, x)
        z, after, _ = one_step(x, g, rule_name, r, None, state, grad_scale=0.83)
        s = prox_step(rule_name, r, after.moments, after.step, dtype, metric)
        want = ps.prox(z, h, step=s)
        got, with_penalty, _ = one_step(
            x, g, rule_name, r, h, state, grad_scale=0.83, metric=metric
        )
        assert_same_bits(got, want, dtype)
        for key in set(after.moments) - {"y"}:  # y of FISTA follows the new x; see test_rules
            assert_same_bits(with_penalty.moments[key], after.moments[key], key)


@each_rule
@each_penalty
@pytest.mark.parametrize("dtype", NARROW)
def test_narrow_step_is_the_float32_step_rounded_once(rule_name, r, name, p, dtype):
    x, g = normal(137, dtype, seed=3), normal(137, dtype, seed=4)
    w, state = weights_for(137, dtype), started(rule_name, r, x)
    wide_x, wide_g = x.astype(np.float32), g.astype(np.float32)
    wide_h, h = penalty(name, held(name, p, dtype), w), penalty(name, p, w)
    wide, wide_state, _ = one_step(wide_x, wide_g, rule_name, r, wide_h, state)
    got, narrow_state, _ = one_step(x, g, rule_name, r, h, state)
    assert_same_bits(got, wide.astype(numpy_dtype(dtype)))
    for key, moment in narrow_state.moments.items():
        assert moment.dtype == np.float32
        assert_same_bits(moment, wide_state.moments[key], key)


@each_rule
@pytest.mark.parametrize("name", [None, "L1", "ElasticNet", "SCAD"])
@pytest.mark.parametrize("metric", METRICS)
def test_direct_and_tiled_loops_have_the_same_bits(rule_name, r, name, metric):
    """Unit weights and stats=True take the tiled route, the bare step the direct one."""
    settings = {"L1": {"lam": 0.37}, "ElasticNet": {"l1": 0.41, "l2": 0.77}}
    p = settings.get(name, {"lam": 0.47, "a": 3.3})
    x, g = normal(1301, "float32", seed=5), normal(1301, "float32", seed=6)
    state = started(rule_name, r, x)
    bare = None if name is None else penalty(name, p)
    unit = None if name is None else penalty(name, p, np.ones(1301, np.float32))
    want, want_state, _ = one_step(x, g, rule_name, r, bare, state, metric=metric)
    for h, stats in ((unit, False), (bare, True), (unit, True)):
        got, got_state, _ = one_step(x, g, rule_name, r, h, state, metric=metric, stats=stats)
        assert_same_bits(got, want)
        for key, moment in want_state.moments.items():
            assert_same_bits(got_state.moments[key], moment, key)


@each_rule
@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_on_every_instruction_set(isa, rule_name, r, dtype):
    """One element at a time is the scalar code; whole arrays are vector code with a tail."""
    x, g, w = normal(77, dtype, seed=7), normal(77, dtype, seed=8), weights_for(77, dtype)
    state = started(rule_name, r, x)
    for name, p in PENALTY_CASES[::3]:
        got, _, _ = one_step(x, g, rule_name, r, penalty(name, p, w), state)
        for i in range(0, 77, 5):
            part = clone(state)
            part.moments.update({k: m[i : i + 1].copy() for k, m in state.moments.items()})
            h = penalty(name, p, w[i : i + 1])
            single, _, _ = one_step(x[i : i + 1], g[i : i + 1], rule_name, r, h, part)
            assert_same_bits(got[i : i + 1], single, f"{name} at {i} on {isa}")


@each_rule
@pytest.mark.parametrize("metric", METRICS)
def test_same_bits_for_every_thread_count(threads, rule_name, r, metric):
    """Statistics included: sums have fixed lanes and fixed chunks."""
    n = 300_007
    x, g = normal(n, "float32", seed=9), normal(n, "float32", seed=10)
    state, h, results = rule(rule_name, r).init(x), ps.L1(0.37), []
    for count in (1, 2, 3):
        ps.set_num_threads(count)
        results.append(one_step(x, g, rule_name, r, h, state, metric=metric, stats=True))
    for got, got_state, info in results[1:]:
        assert_same_bits(got, results[0][0])
        assert info == results[0][2]
        for key, moment in results[0][1].moments.items():
            assert_same_bits(got_state.moments[key], moment, key)


@each_rule
@pytest.mark.parametrize("h", [ps.L1(0.37), ps.Group(ps.L1(0.37), "rows")], ids=["L1", "rows"])
@pytest.mark.parametrize("moments", [None, "bfloat16"])
def test_arrays_larger_than_a_cache_have_the_same_bits(rule_name, r, h, moments):
    """Their loops ask for what lies ahead; those that make statistics do not."""
    x = normal((1601, 2003), "float32", seed=17)
    g, state = 0.5 - x[::-1], rule(rule_name, r).init(x, moments=moments)
    want, want_state, _ = one_step(x, g, rule_name, r, h, state, stats=True)
    got, got_state, _ = one_step(x, g, rule_name, r, h, state)
    assert_same_bits(got, want)
    for key, moment in want_state.moments.items():
        assert_same_bits(got_state.moments[key], moment, key)


@each_rule
def test_uint16_with_a_dtype_is_bfloat16(rule_name, r):
    x, g = normal(91, "bfloat16", seed=11), normal(91, "bfloat16", seed=12)
    state = started(rule_name, r, x)
    want, _, _ = one_step(x, g, rule_name, r, ps.L1(0.37), state)
    got, _, _ = one_step(
        x.view(np.uint16), g.view(np.uint16), rule_name, r, ps.L1(0.37), state, dtype="bfloat16"
    )
    assert_same_bits(got.view(ml_dtypes.bfloat16), want)


@each_rule
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_count_leaves_its_neighbours_alone(rule_name, r, dtype):
    """0 to 70 elements in the middle of sentinels, gradient and moments misaligned as well."""
    x, g = normal(70, dtype, seed=13), normal(90, dtype, seed=14)
    state = started(rule_name, r, x)
    want, _, _ = one_step(x, g[3:73], rule_name, r, ps.L1(0.37), state)
    for n in range(71):
        box = np.full(120, 7.25, numpy_dtype(dtype))
        held = box[17 : 17 + n]
        held[...] = x[:n]
        part, keep = clone(state), {}
        for key, moment in state.moments.items():
            keep[key] = np.full(110, 7.25, compute_dtype(dtype))
            part.moments[key] = keep[key][13 : 13 + n]
            part.moments[key][...] = moment[:n]
        ps.step(held, g[3 : 3 + n], rule(rule_name, r), ps.L1(0.37), part)
        assert_same_bits(held, want[:n], f"n={n}")
        assert np.all(np.delete(box, slice(17, 17 + n)) == 7.25)
        for whole in keep.values():
            assert np.all(np.delete(whole, slice(13, 13 + n)) == 7.25)


@each_rule
def test_lr_replaces_the_rule_s_for_one_call(rule_name, r):
    x, g = normal(50, seed=15), normal(50, seed=16)
    state = rule(rule_name, r).init(x)
    want, _, _ = one_step(x, g, rule_name, {**r, "lr": 0.043}, ps.L1(0.37), state)
    got, _, _ = one_step(x, g, rule_name, r, ps.L1(0.37), state, lr=0.043)
    assert_same_bits(got, want)
