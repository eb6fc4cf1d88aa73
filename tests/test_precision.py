"""A step of mixed precision is a float32 step whose results are rounded, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
import reference_rounding as rounding
from cases import NARROW, RULE_CASES, assert_same_bits, normal, numpy_dtype, rule
from precision_cases import (
    FLOATS,
    METRICS,
    NAMES,
    SEED,
    SHAPE,
    arrays,
    expected_moments,
    optimizer,
    own,
    penalties,
    typed,
    widened,
    words,
)
from proxstep import _core

each_rule = pytest.mark.parametrize(("rule_name", "r"), RULE_CASES)
each_penalty = pytest.mark.parametrize("name", NAMES)
each_metric = pytest.mark.parametrize("metric", METRICS)
each_narrow = pytest.mark.parametrize("dtype", NARROW)
SCALE = 0.83
OPTIONS = (
    ("float32", {"moments": "bfloat16"}),
    ("bfloat16", {"moments": "bfloat16", "rounding": "stochastic"}),
    ("float16", {"rounding": "stochastic"}),
    ("float16", {"master": True}),
    ("bfloat16", {"moments": "bfloat16", "master": True}),
)
each_option = pytest.mark.parametrize(("dtype", "options"), OPTIONS)


def in_float32(
    x: Any, g: Any, r: ps.Rule, h: Any, kept: dict[str, Any], t: int, metric: str
) -> Any:
    """A float32 step from what an optimizer keeps: the point, the moments, the statistics."""
    moments = widened({name: kept[name] for name in r.moments})
    z, state = x.astype(np.float32), ps.State(t - 1, moments)
    how: dict[str, Any] = {"metric": metric, "grad_scale": SCALE, "stats": True}
    info = ps.step(z, g.astype(np.float32), r, h, state, **how)
    return z, moments, info


@each_rule
@each_penalty
@each_metric
def test_bfloat16_moments_are_the_float32_ones_rounded(rule_name, r, name, metric):
    """x comes from the moments before their rounding; what starts as a copy of x stays float32."""
    for dtype in FLOATS:
        params, step = arrays(dtype, 500), rule(rule_name, r)
        h = penalties(dtype)[name]
        opt = optimizer(params, step, h, moments="bfloat16", metric=metric)
        for t in (1, 2, 3):
            x, kept, grads = params[1].copy(), own(opt), arrays(dtype, 510 + t)
            opt.step(grads, grad_scale=SCALE, stats=t == 2)
            z, moments, _ = in_float32(x, grads[1], step, h, kept, t, metric)
            assert_same_bits(params[1], z.astype(x.dtype), f"{dtype} at step {t}")
            for key, want in expected_moments(step, moments, t, 1).items():
                assert_same_bits(typed(own(opt)[key]), want, f"{key} at step {t}")


@each_rule
@each_penalty
@each_metric
@each_narrow
def test_stochastic_x_is_the_float32_point_rounded(rule_name, r, name, metric, dtype):
    params, step = arrays(dtype, 520), rule(rule_name, r)
    h = penalties(dtype)[name]
    opt = optimizer(params, step, h, rounding="stochastic", metric=metric)
    for t in (1, 2):
        x, kept, grads = params[1].copy(), own(opt), arrays(dtype, 530 + t)
        info = opt.step(grads, grad_scale=SCALE, stats=t == 2)
        z, moments, _ = in_float32(x, grads[1], step, h, kept, t, metric)
        want = rounding.rounded(z, dtype, words(x, t, 1, "parameter"))
        assert_same_bits(params[1], want, f"step {t}")
        assert np.array_equal(params[1] == 0, (z == 0) | (want == 0))
        for key, moment in moments.items():
            assert_same_bits(own(opt)[key], moment, key)
    assert info is not None
    assert info.nonzeros == sum(np.count_nonzero(p) for p in params)


@each_rule
@each_penalty
@each_metric
@each_narrow
def test_a_parameter_is_its_master_rounded(rule_name, r, name, metric, dtype):
    """The master takes the float32 step, with moments of either kind."""
    step, h = rule(rule_name, r), penalties(dtype)[name]
    for narrow in (None, "bfloat16"):
        params = arrays(dtype, 540)
        opt = optimizer(params, step, h, master=True, moments=narrow, metric=metric)
        for t in (1, 2):
            kept, grads = own(opt), arrays(dtype, 550 + t)
            info = opt.step(grads, grad_scale=SCALE, stats=t == 2)
            z, moments, _ = in_float32(kept["master"], grads[1], step, h, kept, t, metric)
            assert_same_bits(own(opt)["master"], z, f"step {t}")
            assert_same_bits(params[1], z.astype(params[1].dtype), f"step {t}")
            wanted = expected_moments(step, moments, t, 1) if narrow else moments
            for key, want in wanted.items():
                assert_same_bits(typed(own(opt)[key]), want, key)
        assert info is not None
        assert info.nonzeros == sum(np.count_nonzero(p) for p in params)


@each_rule
@each_metric
@each_option
def test_one_selection_over_arrays_of_mixed_precision(rule_name, r, metric, dtype, options):
    """Large enough for samples, without statistics and with them: as the float32 points select."""
    shapes, step = ((211, 397), (23,), (150, 200)), rule(rule_name, r)
    params = [normal(shape, dtype, seed=570 + k) for k, shape in enumerate(shapes)]
    h = ps.TopK(0.2, scope="global")
    opt = ps.Optimizer(params, step, h, metric=metric, seed=SEED, **options)
    for t in (1, 2, 3):
        state = {k: v for k, v in opt.state_dict().items() if k != "steps"}
        starts = [np.array(state.get(f"{k}.master", p), np.float32) for k, p in enumerate(params)]
        wide = ps.Optimizer(starts, step, h, metric=metric)
        kept = {k: v for k, v in state.items() if not k.endswith("master")}
        wide.load_state_dict(widened(kept) | {"steps": opt.steps})
        grads = [normal(shape, dtype, seed=580 + 3 * t + k) for k, shape in enumerate(shapes)]
        opt.step(grads, grad_scale=SCALE, stats=t == 2)
        wide.step([g.astype(np.float32) for g in grads], grad_scale=SCALE)
        for k, (x, z) in enumerate(zip(params, starts, strict=True)):
            bits = words(x, t, k, "parameter")
            want = rounding.rounded(z, dtype, bits) if "rounding" in options else z.astype(x.dtype)
            assert_same_bits(x, want, f"array {k} at step {t}")


@each_narrow
def test_statistics_of_a_master(dtype):
    """Penalty and change are the master's; zeros and overflow those of the parameter."""
    tiny = 2.0**-30  # zero in float16
    x = np.array([1.0, -2.0, 0.0, 3.0], numpy_dtype(dtype))
    opt = ps.Optimizer([x], ps.SGD(1.0), ps.L1(0.01), master=True)
    opt.step([np.zeros_like(x)])
    opt.state_dict()["0.master"][...] = [tiny, -2.0, 0.0, 65_530.0]
    info = opt.step([np.zeros_like(x)], lr=0.0, stats=True)
    assert info.penalty == np.float32(0.01) * (2.0 + 65_530.0 + tiny)
    assert info.squared_change == 0.0
    assert (info.nonzeros, info.finite) == ((2, False) if dtype == "float16" else (3, True))


@each_option
@pytest.mark.parametrize("name", ["L1", "weighted", "rows", "columns", "2:4", "top k"])
@pytest.mark.parametrize("rule_name", ["AdamW", "Momentum", "FTRL"])
def test_same_bits_on_every_instruction_set_and_thread_count(
    threads, rule_name, name, dtype, options
):
    """Statistics included, and the same with and without them: tiles give what direct loops do."""
    r, h = {"AdamW": ps.AdamW(0.11), "Momentum": ps.Momentum(0.1), "FTRL": ps.FTRL(0.3)}, None
    shape = (404, 404)  # more than two chunks; in the end a part of a vector
    h = (
        ps.L1(0.37, weights=np.linspace(0, 2, 404 * 404).reshape(shape))
        if name == "weighted"
        else (penalties(dtype)[name])
    )
    before, found = _core.isa(), []
    for isa in _core.isas():
        for count, stats in ((1, False), (2, True), (3, True)):
            _core.set_isa(isa)
            ps.set_num_threads(count)
            x = normal(shape, dtype, seed=560)
            opt = ps.Optimizer([x], r[rule_name], h, seed=SEED, **options)
            info = [opt.step([normal(shape, dtype, seed=561 + t)], stats=stats) for t in (0, 1)][1]
            found.append((x, opt.state_dict(), info))
    _core.set_isa(before)
    for x, state, info in found[1:]:
        assert_same_bits(x, found[0][0])
        assert info is None or info == found[1][2]
        for key in set(state) - {"steps"}:
            assert_same_bits(state[key], found[0][1][key], key)


@each_option
def test_every_count_leaves_its_neighbours_alone(dtype, options):
    """0 to 70 elements in the middle of sentinels: bits belong to elements, not to vectors."""
    x, g, r = normal(70, dtype, seed=570), normal(90, dtype, seed=571), ps.AdamW(0.11)
    whole = x.copy()
    ps.Optimizer([whole], r, ps.L1(0.37), seed=SEED, **options).step([g[3:73]])
    for n in range(71):
        box = np.full(120, 7.25, numpy_dtype(dtype))
        held = box[17 : 17 + n]
        held[...] = x[:n]
        ps.Optimizer([held], r, ps.L1(0.37), seed=SEED, **options).step([g[3 : 3 + n]])
        assert_same_bits(held, whole[:n], f"n={n}")
        assert np.all(np.delete(box, slice(17, 17 + n)) == 7.25)


@pytest.mark.parametrize("stats", [False, True])
def test_misaligned_moments_leave_their_neighbours_alone(stats):
    """A state of bfloat16 moments serves ps.step as well, with the bits of seed 0 and array 0."""
    x, g, r = normal(70, "float32", seed=572), normal(70, "float32", seed=573), ps.AdamW(0.11)
    whole = x.copy()
    opt = ps.Optimizer([whole], r, ps.L1(0.37), moments="bfloat16")
    opt.step([g])
    for n in range(71):
        state, keep = r.init(x[:n], moments="bfloat16"), {}
        for key, moment in state.moments.items():
            keep[key] = np.full(110, 0x1234, np.uint16)
            state.moments[key] = keep[key][13 : 13 + n]
            state.moments[key][...] = moment
        part = x[:n].copy()
        ps.step(part, g[:n], r, ps.L1(0.37), state, stats=stats)
        assert_same_bits(part, whole[:n], f"n={n}")
        for key, box in keep.items():
            assert_same_bits(box[13 : 13 + n], opt.state_dict()[f"0.{key}"][:n], key)
            assert np.all(np.delete(box, slice(13, 13 + n)) == 0x1234)


def test_a_matrix_in_f_order_is_rounded_in_the_order_of_its_memory():
    x, g = normal(SHAPE, "float32", seed=574), normal(SHAPE, "float32", seed=575)
    turned, turned_g = np.asfortranarray(x), np.asfortranarray(g)
    columns, rows = (ps.Group(ps.L1(0.4), over) for over in ("columns", "rows"))
    opt = ps.Optimizer([turned], ps.AdamW(0.11), columns, moments="bfloat16", seed=SEED)
    transposed = turned.T.copy()
    opt.step([turned_g])
    other = ps.Optimizer([transposed], ps.AdamW(0.11), rows, moments="bfloat16", seed=SEED)
    other.step([turned_g.T.copy()])
    assert_same_bits(turned.T.copy(), transposed)
    for key in ("0.exp_avg", "0.exp_avg_sq"):
        assert_same_bits(opt.state_dict()[key].T.copy(), other.state_dict()[key])
