"""Many arrays in one call: the same bits as one at a time, clipping, tied arrays, saved state."""

from __future__ import annotations

import numpy as np
import proxstep as ps
import pytest
from cases import (
    DTYPES,
    EPS,
    RULE_CASES,
    assert_same_bits,
    normal,
    rule,
    weights_for,
)

each_rule = pytest.mark.parametrize(("name", "r"), RULE_CASES)
SHAPES = [(3, 5), (70,), (1,), (0,), (4, 3, 2), (1301,), (2, 40_001), (513,)]


def params_of(dtype, seed=100):
    return [normal(shape, dtype, seed=seed + k) for k, shape in enumerate(SHAPES)]


def grads_of(dtype, t=0):
    return params_of(dtype, seed=200 + 20 * t)


def one_at_a_time(params, r, h, steps, metric="diagonal", scale=1.0):
    states = [r.init(x) for x in params]
    for t in range(steps):
        for x, g, state in zip(params, grads_of(params[0].dtype.name, t), states, strict=True):
            ps.step(x, g, r, h, state, metric=metric, grad_scale=scale)


@each_rule
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
def test_many_arrays_equal_one_at_a_time(name, r, dtype, metric):
    alone, together, h = params_of(dtype), params_of(dtype), ps.ElasticNet(0.23, 0.41)
    one_at_a_time(alone, rule(name, r), h, 3, metric, 0.83)
    opt = ps.Optimizer(together, rule(name, r), h, metric=metric)
    for t in range(3):
        assert opt.step(grads_of(dtype, t), grad_scale=0.83) is None
    assert opt.steps == 3
    for a, b in zip(alone, together, strict=True):
        assert_same_bits(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_groups_of_parameters_have_their_own_settings(dtype):
    """Penalty, rule and metric of a dict replace the defaults for its arrays alone."""
    h = [ps.L1(0.37), ps.Group(ps.L1(1.3), over="rows"), None]
    w = weights_for((3, 5), dtype)
    alone, together = params_of(dtype), params_of(dtype)
    adam, nesterov = ps.AdamW(0.11, eps=0.017), ps.Nesterov(0.13, 0.71)
    opt = ps.Optimizer(
        [
            {"params": together[:1], "penalty": ps.MCP(0.47, 2.7, weights=w)},
            {"params": together[6:7], "penalty": h[1], "metric": "euclidean"},
            {"params": together[5:6], "penalty": None, "rule": nesterov},
            {"params": together[7:8]},
        ],
        adam,
        h[0],
    )
    g = grads_of(dtype)
    opt.step([g[0], g[6], g[5], g[7]])
    ps.step(alone[0], g[0], adam, ps.MCP(0.47, 2.7, weights=w), adam.init(alone[0]))
    ps.step(alone[6], g[6], adam, h[1], adam.init(alone[6]), metric="euclidean")
    ps.step(alone[5], g[5], nesterov, None, nesterov.init(alone[5]))
    ps.step(alone[7], g[7], adam, h[0], adam.init(alone[7]))
    for a, b in zip(alone, together, strict=True):
        assert_same_bits(a, b)


@each_rule
def test_a_tied_array_is_stepped_once(name, r):
    """The same array under two names: one prox, one step, one set of moments."""
    x, g = normal((4, 6), seed=110), normal((4, 6), seed=111)
    want = x.copy()
    ps.step(want, g, rule(name, r), ps.L1(0.37), rule(name, r).init(want))
    opt = ps.Optimizer([x, x], rule(name, r), ps.L1(0.37))
    assert len(opt.params) == 1
    opt.step([g])
    assert_same_bits(x, want)


@each_rule
@pytest.mark.parametrize("dtype", DTYPES)
def test_max_norm_is_the_gradient_clipped_beforehand(name, r, dtype):
    """A gradient norm above max_norm is scaled down to it; one below is left alone."""
    clipped, plain = params_of(dtype), params_of(dtype)
    g = grads_of(dtype)
    norm = np.sqrt(sum(np.sum(np.square(a.astype(float) * 0.83)) for a in g))
    assert ps.global_norm(g) * 0.83 == pytest.approx(norm, rel=1e-6)
    opt = ps.Optimizer(clipped, rule(name, r), ps.L1(0.37))
    info = opt.step(g, grad_scale=0.83, max_norm=7.3, stats=True)
    assert info.grad_norm == pytest.approx(norm, rel=1e-6)
    scale = 0.83 * 7.3 / norm
    ps.Optimizer(plain, rule(name, r), ps.L1(0.37)).step(g, grad_scale=scale)
    for a, b in zip(clipped, plain, strict=True):
        np.testing.assert_allclose(
            a.astype(float), b.astype(float), rtol=2 * EPS[dtype], atol=2e-6 + EPS[dtype] / 2
        )
    untouched, loose = params_of(dtype), params_of(dtype)
    ps.Optimizer(untouched, rule(name, r), ps.L1(0.37)).step(g, grad_scale=0.83)
    ps.Optimizer(loose, rule(name, r), ps.L1(0.37)).step(g, grad_scale=0.83, max_norm=1e9)
    for a, b in zip(untouched, loose, strict=True):
        assert_same_bits(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_statistics_are_those_of_all_arrays(dtype):
    params = params_of(dtype)
    before = [x.astype(float) for x in params]
    info = ps.Optimizer(params, ps.SGD(0.17), ps.L1(0.37)).step(grads_of(dtype), stats=True)
    after = [x.astype(float) for x in params]
    assert info.nonzeros == sum(np.count_nonzero(x) for x in after)
    assert info.penalty == pytest.approx(0.37 * sum(np.abs(x).sum() for x in after), rel=1e-6)
    change = sum(np.sum((a - b) ** 2) for a, b in zip(after, before, strict=True))
    assert info.squared_change == pytest.approx(change, rel=1e-12)
    assert info.finite is True
    bad = grads_of(dtype)
    bad[5][700] = np.nan
    info = ps.Optimizer(params_of(dtype), ps.SGD(0.17), ps.L1(0.37)).step(bad, stats=True)
    assert info.finite is False


@pytest.mark.parametrize("dtype", DTYPES)
def test_global_norm_is_the_same_for_every_thread_count(threads, isa, dtype):
    arrays, norms = [normal(300_007, dtype, seed=120), normal(11, dtype, seed=121)], set()
    for number in (1, 2, 3):
        ps.set_num_threads(number)
        norms.add(ps.global_norm(arrays))
    exact = np.sqrt(sum(np.sum(np.square(a.astype(float))) for a in arrays))
    assert len(norms) == 1
    assert norms.pop() == pytest.approx(exact, rel=1e-12)


@each_rule
@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_saved_state_continues_bit_for_bit(name, r, dtype):
    straight, stopped = params_of(dtype), params_of(dtype)
    one, two = (ps.Optimizer(p, rule(name, r), ps.L1(0.13)) for p in (straight, stopped))
    for t in range(3):
        one.step(grads_of(dtype, t))
        two.step(grads_of(dtype, t))
    saved = {k: v.copy() if hasattr(v, "copy") else v for k, v in two.state_dict().items()}
    assert all(isinstance(v, int | np.ndarray) for v in saved.values())
    resumed = [x.copy() for x in stopped]
    three = ps.Optimizer(resumed, rule(name, r), ps.L1(0.13))
    three.load_state_dict(saved)
    assert three.steps == 3
    for t in range(3, 6):
        one.step(grads_of(dtype, t))
        three.step(grads_of(dtype, t))
    for a, b in zip(straight, resumed, strict=True):
        assert_same_bits(a, b)


def test_many_small_arrays_equal_one_large_one():
    """100 views of one buffer: neighbours are not touched twice."""
    whole, g = normal(80_000, "float32", seed=132), normal(80_000, "float32", seed=133)
    parts = whole.copy()
    opt = ps.Optimizer(list(parts.reshape(100, 800)), ps.AdamW(0.11), ps.L1(0.37))
    opt.step(list(g.reshape(100, 800)))
    ps.step(whole, g, ps.AdamW(0.11), ps.L1(0.37), ps.AdamW(0.11).init(whole))
    assert_same_bits(whole, parts)
