"""Bad settings and names: an error with the value, the nearest known name, and nothing changed."""

from __future__ import annotations

import re

import numpy as np
import proxstep as ps
import pytest
from cases import DTYPES, assert_same_bits, normal
from refusals import fresh, refused

NAN, INF = float("nan"), float("inf")

BAD_RULES = [
    (ps.SGD, "lr", [-0.1, NAN, INF]),
    (lambda v: ps.Momentum(0.1, v), "momentum", [-0.1, 1.0, 1.3, NAN]),
    (lambda v: ps.SGD(0.1, weight_decay=v), "weight_decay", [-0.1, NAN, INF]),
    (lambda v: ps.Momentum(0.1, weight_decay=v), "weight_decay", [-0.1, NAN, INF]),
    (lambda v: ps.Momentum(0.1, dampening=v), "dampening", [-0.1, 1.3, NAN]),
    (lambda v: ps.Nesterov(v, 0.7), "lr", [-0.1, NAN]),
    (lambda v: ps.Nesterov(0.1, momentum=v), "momentum", [-0.1, 1.0, NAN]),
    (lambda v: ps.Nesterov(0.1, weight_decay=v), "weight_decay", [-0.1, NAN, INF]),
    (lambda v: ps.FISTA(0.1, momentum=v), "momentum", [-0.1, 1.7, NAN]),
    (lambda v: ps.Adagrad(0.1, eps=v), "eps", [-1e-9, NAN, INF]),
    (lambda v: ps.Adagrad(0.1, weight_decay=v), "weight_decay", [-1e-9, NAN, INF]),
    (lambda v: ps.Adagrad(0.1, lr_decay=v), "lr_decay", [-1e-9, NAN, INF]),
    (lambda v: ps.Adam(0.1, betas=(v, 0.9)), "betas", [-0.1, 1.0, NAN]),
    (lambda v: ps.AdamW(0.1, betas=(0.9, v)), "betas", [-0.1, 1.0, NAN]),
    (lambda v: ps.AdamW(0.1, weight_decay=v), "weight_decay", [-0.1, NAN, INF]),
    (ps.RDA, "lr", [-0.1, NAN]),
    (lambda v: ps.FTRL(0.1, beta=v), "beta", [-0.1, NAN]),
    (lambda v: ps.Lion(0.1, betas=(0.9, v)), "betas", [-0.1, 1.0, NAN]),
    (lambda v: ps.Lion(0.1, weight_decay=v), "weight_decay", [-0.1, NAN, INF]),
    (lambda v: ps.Muon(0.1, momentum=v), "momentum", [-0.1, 1.0, NAN]),
    (lambda v: ps.Muon(0.1, weight_decay=v), "weight_decay", [-0.1, NAN, INF]),
    (lambda v: ps.Muon(0.1, iterations=v), "iterations", [-1, 0]),
    (lambda v: ps.Muon(0.1, parts=v), "parts", [-3, 0]),
    (lambda v: ps.Muon(0.1, eps=v), "eps", [-1e-7, 0.0, 1e-16, NAN, INF]),
    (lambda v: ps.Muon(0.1, scale=v), "scale", ["spectrum", "RMS"]),
]

BAD_PENALTIES = [
    (ps.L1, "lam", [-0.1, NAN]),
    (ps.SquaredL2, "lam", [-0.1, NAN]),
    (lambda v: ps.ElasticNet(v, 0.3), "l1", [-0.1, NAN]),
    (lambda v: ps.ElasticNet(0.3, v), "l2", [-0.1, NAN]),
    (ps.NonNegativeL1, "lam", [-0.1, NAN]),
    (lambda v: ps.Box(v, 0.7), "lower", [0.8, NAN]),
    (ps.L0, "lam", [-0.1, NAN]),
    (lambda v: ps.MCP(0.3, v), "gamma", [-0.1, 0.0, NAN]),
    (lambda v: ps.SCAD(0.3, v), "a", [-0.1, 1.0, NAN]),
    (ps.L1_2, "lam", [-0.1, NAN]),
    (ps.L2_3, "lam", [-0.1, NAN]),
    (lambda v: ps.SparseGroup(v, 0.3, over="rows"), "l1", [-0.1, NAN]),
    (lambda v: ps.SparseGroup(0.3, v, over="rows"), "lam", [-0.1, NAN]),
]


def each_value(table):
    return [(make, name, value) for make, name, values in table for value in values]


@pytest.mark.parametrize(("make", "name", "value"), each_value(BAD_RULES + BAD_PENALTIES))
def test_a_bad_setting_is_named_with_its_value(make, name, value):
    with refused(ValueError, rf"\b{name}\b", re.escape(str(value))):
        make(value)


@pytest.mark.parametrize(
    "make",
    [ps.SGD, ps.L1, lambda v: ps.Box(v, 1.7), lambda v: ps.MCP(0.3, v)],
)
@pytest.mark.parametrize("value", ["0.1", None, [0.1], 1j])
def test_a_setting_that_is_no_number(make, value):
    with pytest.raises(TypeError):
        make(value)


@pytest.mark.parametrize(
    ("option", "value"),
    [("lr", -0.1), ("lr", NAN), ("lr", INF), ("grad_scale", NAN), ("grad_scale", -INF)],
)
def test_bad_options_of_a_step(option, value):
    x, g, state = fresh()
    rule = ps.AdamW(0.11)
    with refused(ValueError, option, str(value), keep=[x, g]):
        ps.step(x, g, rule, ps.L1(0.3), state, **{option: value})
    assert state.step == 0
    opt = ps.Optimizer([x], rule, ps.L1(0.3))
    with refused(ValueError, option, str(value), keep=[x, g]):
        opt.step([g], **{option: value})
    assert opt.steps == 0


@pytest.mark.parametrize("value", [-0.1, 0.0, NAN])
def test_max_norm_must_be_positive(value):
    x, g, _ = fresh()
    with refused(ValueError, "max_norm", str(value), keep=[x]):
        ps.Optimizer([x], ps.SGD(0.1), None).step([g], max_norm=value)


@pytest.mark.parametrize("value", [-0.3, NAN])
def test_bad_step_lengths_and_thresholds(value):
    x, _, _ = fresh()
    with refused(ValueError, "step", str(value), keep=[x]):
        ps.prox(x, ps.L1(0.3), step=value)
    with refused(ValueError, "threshold", str(value), keep=[x]):
        ps.soft_threshold(x, value, out=x)


@pytest.mark.parametrize("value", [-0.3, NAN])
@pytest.mark.parametrize("where", [0, 11])
def test_bad_weights_are_found(value, where):
    w = np.full(12, 0.7)
    w[where] = value
    x, _, _ = fresh()
    for make in (
        lambda: ps.L1(0.3, weights=w),
        lambda: ps.Group(ps.L1(0.3), over=1, group_weights=w),
        lambda: ps.SparseGroup(0.3, 0.7, over=1, group_weights=w),
    ):
        with refused(ValueError, "weights", re.escape(str(value)), str(where), keep=[x]):
            ps.prox(x, make(), out=x)


@pytest.mark.parametrize(
    ("shape", "over", "numbers"),
    [
        ((20,), 7, ("20", "7")),
        ((20,), 0, ("0",)),
        ((20,), -4, ("-4",)),
        ((20,), (5, 5, 11), ("20", "21")),
        ((20,), (25, -5), ("-5",)),
        ((20,), "columns", (r"\(20,\)",)),
        ((20, 3), ("heads", 7), ("7 heads", r"\(20, 3\)")),
        ((20, 3), ("heads", 0), ("heads is 0",)),
        ((20, 3), "heads", ("'heads'", r"\(\"heads\", n\)")),
    ],
)
def test_groups_must_cover_the_array(shape, over, numbers):
    x = normal(shape, seed=11)
    with refused(ValueError, *numbers, keep=[x]):
        ps.prox(x, ps.Group(ps.L1(0.3), over=over), out=x)


@pytest.mark.parametrize("count", [1, 4, 6, 30])
@pytest.mark.parametrize("dtype", DTYPES)
def test_one_weight_for_each_group(count, dtype):
    x = normal((5, 6), dtype, seed=12)
    with refused(ValueError, "weights", str(count), "5", keep=[x]):
        ps.prox(
            x, ps.Group(ps.L1(0.3), over="rows", group_weights=np.ones(count, np.float64)), out=x
        )


def test_weights_are_copied():
    """A penalty is a setting: what happens to the caller's arrays later does not change it."""
    w, groups = np.full(12, 0.7), np.full(3, 1.3)
    penalties = [ps.L1(0.3, weights=w), ps.Group(ps.L1(0.3), over=4, group_weights=groups)]
    x, _, _ = fresh()
    before = [ps.prox(x, h) for h in penalties]
    w[:], groups[:] = 100.0, np.nan
    for h, want in zip(penalties, before, strict=True):
        assert_same_bits(ps.prox(x, h), want)
