"""Rules against the float64 oracle and torch.optim; what they do with NaN; statistics."""

from __future__ import annotations

import numpy as np
import proxstep as ps
import pytest
import reference as ref
import reference_rules as rules
from cases import (
    DTYPES,
    PENALTY_CASES,
    RULE_CASES,
    assert_same_bits,
    compute_dtype,
    held,
    normal,
    penalty,
    rule,
)

each_rule = pytest.mark.parametrize(("name", "r"), RULE_CASES)


def gradients(n, steps):
    return np.random.default_rng(20).normal(0.2, 1.1, (steps, n))


@each_rule
@pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
@pytest.mark.parametrize("scale", [1.0, 0.37])
def test_fifty_steps_follow_the_oracle(name, r, metric, scale):
    """Elastic net between the steps; moments and FISTA's y included."""
    x = normal(61, seed=21)
    mine, state = x.copy(), rule(name, r).init(x)
    theirs, moments = x.copy(), rules.init(name, x)
    p = {"l1": 0.11, "l2": 0.23}
    for t, g in enumerate(gradients(61, 50), start=1):
        ps.step(mine, g, rule(name, r), ps.ElasticNet(**p), state, grad_scale=scale, metric=metric)
        prox = lambda z, s: ref.prox("ElasticNet", p, z, s)  # noqa: E731
        theirs = rules.step(name, r, theirs, scale * g, moments, t, prox, metric)
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-11)
        assert state.step == t
        for key, moment in moments.items():
            np.testing.assert_allclose(state.moments[key], moment, rtol=1e-11, atol=1e-11)


DECAY = {"lr": 0.13, "weight_decay": 0.29}
ADAM = {"lr": 0.11, "betas": (0.83, 0.957), "eps": 0.017}
ADAGRAD = {**DECAY, "eps": 0.013, "lr_decay": 0.19}
DAMPED = {**DECAY, "momentum": 0.71, "dampening": 0.37}
NESTEROV = {**DECAY, "momentum": 0.71}
TORCH = [  # rule, its settings, torch's optimizer and what it has to be told besides
    ("SGD", DECAY, "SGD", {}),
    ("Momentum", DAMPED, "SGD", {}),
    ("Nesterov", NESTEROV, "SGD", {"nesterov": True}),
    ("Adagrad", ADAGRAD, "Adagrad", {}),
    ("Adam", ADAM, "Adam", {}),
    ("AdamW", {**ADAM, "weight_decay": 0.31}, "AdamW", {}),
]


@pytest.mark.torch
@pytest.mark.parametrize(("name", "r", "optimizer", "more"), TORCH)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)])
def test_fifty_steps_follow_torch(name, r, optimizer, more, dtype, tolerance):
    torch = pytest.importorskip("torch")
    start = normal(61, dtype, seed=22)
    theirs = torch.from_numpy(start.copy()).requires_grad_()
    peer = getattr(torch.optim, optimizer)([theirs], **r, **more)
    mine, state = start.copy(), rule(name, r).init(start)
    for g in gradients(61, 50).astype(dtype):
        theirs.grad = torch.from_numpy(g)
        peer.step()
        ps.step(mine, g, rule(name, r), None, state)
        np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=tolerance, atol=tolerance)


@each_rule
@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_in_a_gradient_stays_in_its_element(name, r, dtype):
    x, g = normal(40, dtype, seed=23), normal(40, dtype, seed=24)
    spoiled = g.copy()
    spoiled[[3, 17]] = np.nan
    clean, dirty = x.copy(), x.copy()
    for grad, params in ((g, clean), (spoiled, dirty)):
        info = ps.step(params, grad, rule(name, r), ps.L1(0.37), rule(name, r).init(x), stats=True)
        assert info.finite is (grad is g)
    assert np.all(np.isnan(dirty[[3, 17]].astype(float)))
    dirty[[3, 17]] = clean[[3, 17]]
    assert_same_bits(dirty, clean)


@each_rule
@pytest.mark.parametrize(("name_p", "p"), PENALTY_CASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_statistics_equal_the_oracle(name, r, name_p, p, dtype):
    """Counted and summed over the very numbers that are stored."""
    x, g = normal(1237, dtype, seed=25), normal(1237, dtype, seed=26)
    w = np.random.default_rng(27).uniform(0.2, 2, 1237).astype(compute_dtype(dtype))
    before, h = x.astype(float), penalty(name_p, p, w)
    info = ps.step(x, g, rule(name, r), h, rule(name, r).init(x), stats=True)
    after = x.astype(float)
    loose = 1e-12 if dtype == "float64" else 2e-6
    assert info.nonzeros == np.count_nonzero(after)
    assert info.squared_change == pytest.approx(np.sum((after - before) ** 2), rel=1e-12)
    want = ref.value(name_p, held(name_p, p, dtype), after, w.astype(float))
    assert np.isfinite(want)
    assert info.penalty == pytest.approx(want, rel=loose)
    assert info.finite is True


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [0, 70_001, 199_999])
def test_one_bad_number_among_many_is_seen(bad, where):
    x, g = normal(200_000, "float32", seed=28), normal(200_000, "float32", seed=29)
    g[where] = bad
    assert ps.step(x, g, ps.SGD(0.17), ps.L1(0.37), stats=True).finite is False


def test_without_asking_there_are_no_statistics():
    x, g = normal(40, seed=30), normal(40, seed=31)
    assert ps.step(x, g, ps.SGD(0.17), ps.L1(0.37)) is None


def test_bfloat16_loses_a_small_shrink_and_says_nothing_wrong():
    """The shrink of 1 by 1e-4 is below bfloat16's resolution: a known limit, stated as a law."""
    x, g = np.ones(8, np.float32).astype(normal(1, "bfloat16").dtype), None
    g = np.zeros_like(x)
    ps.step(x, g, ps.SGD(0.1), ps.L1(1e-3))
    np.testing.assert_array_equal(x.astype(float), np.ones(8))


def test_momentum_does_not_bring_a_pinned_weight_back():
    """After the prox made it zero, a weight moves only as far as its own gradient asks."""
    x, r = np.array([0.4, 0.4]), ps.Momentum(0.1, 0.9)
    state, pin = r.init(x), ps.L1(0.3, weights=np.array([np.inf, 1.0]))
    for _ in range(20):
        ps.step(x, np.array([-1.3, -1.3]), r, pin, state)
        assert x[0] == 0.0
    assert x[1] > 1.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_lion_moves_an_element_by_the_rate_or_not_at_all(dtype):
    x, g, r = normal(40, dtype, seed=41), normal(40, dtype, seed=42), ps.Lion(0.25)
    g[::3] = 0
    before = x.astype(float)
    ps.step(x, g, r, None, r.init(x))
    want = (before - 0.25 * np.sign(g.astype(float))).astype(x.dtype)
    np.testing.assert_allclose(x.astype(float), want.astype(float), rtol=1e-6)
    assert np.all(x[::3].astype(float) == before[::3])
