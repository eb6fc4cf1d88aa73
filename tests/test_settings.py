"""Bad settings and names: an error with the value, the nearest known name, and nothing changed."""

from __future__ import annotations

import pickle
import re

import numpy as np
import proxstep as ps
import pytest
from cases import DTYPES, assert_same_bits, normal
from proxstep.rules import Rule
from proxstep.schedules import Anneal, Constant, WarmUp
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


NUMBERS = [
    (ps.SGD, "lr"),
    (ps.L1, "lam"),
    (lambda v: ps.Box(v, 1.7), "lower"),
    (lambda v: ps.Box(-1.7, v), "upper"),
    (lambda v: ps.MCP(0.3, v), "gamma"),
    (lambda v: ps.SCAD(0.3, v), "a"),
    (lambda v: ps.Momentum(0.1, dampening=v), "dampening"),
    (lambda v: ps.Adam(0.1, betas=(0.9, v)), r"betas\[1\]"),
    (ps.L1Ball, "radius"),
    (lambda v: ps.Quantize(2, rho=v), "rho"),
    (lambda v: ps.Quantize(levels=(-1, v, 9)), r"levels\[1\]"),
    (Constant, "lr"),
    (lambda v: Constant(0.5, floor=v), "floor"),
    (lambda v: Constant(0.5, cap=v), "cap"),
    (lambda v: Anneal(1, 2, center=v), "center"),
]


@pytest.mark.parametrize(("make", "name"), NUMBERS)
@pytest.mark.parametrize(
    "value", ["0.1", None, [0.1], np.full(1, 0.1), 1j, True, np.True_, np.array(True)]
)
def test_a_setting_that_is_no_number(make, name, value):
    with refused(TypeError, rf"^{name} is {re.escape(repr(value))}; a number is needed"):
        make(value)


@pytest.mark.parametrize("rule", [ps.Adam, ps.AdamW, ps.Lion])
def test_betas_are_a_pair(rule):
    for bad in (0.9, (0.9,), (0.9, 0.99, 0.5), "0.9", None):
        with refused(TypeError, rf"betas is {re.escape(repr(bad))}; a pair of numbers"):
            rule(0.1, betas=bad)
    listed, given = rule(0.1, betas=[0.9, 0.95]), rule(0.1, betas=(0.9, 0.95))
    assert (listed, hash(listed), listed.betas) == (given, hash(given), (0.9, 0.95))
    assert rule(0.1, betas=np.array([0.9, 0.95])) == given


@pytest.mark.parametrize("value", [3, "accuracy", Constant])
def test_what_is_to_be_called_can_be(value):
    problem = ps.LeastSquares(normal((12, 2), seed=3), normal(12, seed=4))
    calls = {
        "until": lambda: ps.path(problem, ps.L1(1.0), until=value),
        "score": lambda: ps.cross_validate(problem, ps.L1(1.0), score=value),
        "then": lambda: WarmUp(value, steps=3),
        "schedule": lambda: ps.TopK(0.5, schedule=value),
    }
    for name, call in calls.items():
        with refused(TypeError, rf"^{name} is {re.escape(repr(value))}; a callable is needed"):
            call()


def test_a_rule_of_no_kind_is_refused():
    with refused(TypeError, "Rule is no rule of the core, such as SGD"):
        Rule(lr=0.1)


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


@pytest.mark.parametrize("value", ["1", None, True, np.ones(3), 1j])
def test_what_a_call_takes_for_a_number(value):
    """The words are Python's, not the core's list of its signatures."""
    x, g, _ = fresh()
    w, opt = np.full(12, 0.7), ps.Optimizer([x], ps.SGD(0.1))
    calls = {
        "threshold": [
            lambda: ps.soft_threshold(x, value, out=x),
            lambda: ps.soft_threshold(x, value, weights=w, out=x),
        ],
        "grad_scale": [
            lambda: ps.step(x, g, ps.SGD(0.1), grad_scale=value),
            lambda: opt.step([g], grad_scale=value),
        ],
    }
    for name, both in calls.items():
        for call in both:
            with refused(TypeError, rf"^{name} is .*; a number is needed", keep=[x]):
                call()


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


LENT = [
    ps.L1,
    lambda v: ps.ElasticNet(0.1, v),
    lambda v: ps.MCP(0.1, v),
    lambda v: ps.Box(-v, v),
    lambda v: ps.SparseGroup(v, 0.1, over="rows"),
    lambda v: ps.Group(ps.L0(v), over="rows"),
    ps.AdamW,
    lambda v: ps.AdamW(0.1, betas=(v, 0.9)),
    lambda v: ps.Lion(0.1, (0.9, v)),
    lambda v: ps.Momentum(0.1, weight_decay=v),
]


@pytest.mark.parametrize("make", LENT)
def test_a_number_in_an_array_is_copied(make):
    lent = np.array(0.7)
    made = make(lent)
    before = made.settings() if isinstance(made, Rule) else made.value(np.full((2, 3), 0.6))
    lent[...] = 0.3
    again = pickle.loads(pickle.dumps(made))
    after = again.settings() if isinstance(made, Rule) else again.value(np.full((2, 3), 0.6))
    assert made == again == make(0.7)
    assert hash(made) == hash(again)
    assert after == before
