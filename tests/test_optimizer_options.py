"""What an optimizer offers besides the step: points, learning rates, and refusal of aliases."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import proxstep as ps
import pytest
from cases import NARROW, assert_same_bits, normal
from proxstep.schedules import Anneal
from refusals import refused


def pair(seed):
    return [normal((3, 5), seed=seed), normal(7, seed=seed + 1)]


def test_points_are_where_gradients_are_taken():
    x = [normal(50, seed=130)]
    assert ps.Optimizer(x, ps.SGD(0.17)).points[0] is x[0]
    opt = ps.Optimizer(x, ps.FISTA(0.19), ps.L1(0.011))
    seen = [x[0].copy()]
    for _ in range(3):
        opt.step([opt.points[0] * 0.7 - 0.4])
        seen.append(x[0].copy())
    beta = 2 / 5  # (k - 1) / (k + 2) at k = 3
    want = seen[3] + beta * (seen[3] - seen[2])
    np.testing.assert_allclose(opt.points[0], want, rtol=1e-14)
    assert np.max(np.abs(opt.points[0] - x[0])) > 1e-3


@pytest.mark.parametrize("dtype", NARROW)
def test_uint16_with_a_dtype_has_the_bits_of_that_type(dtype):
    x, g = normal(77, dtype, seed=135), normal(77, dtype, seed=136)
    bits = x.view(np.uint16).copy()
    ps.Optimizer([x], ps.RDA(0.09), ps.L1(0.37)).step([g])
    ps.Optimizer([bits], ps.RDA(0.09), ps.L1(0.37), dtype=dtype).step([g.view(np.uint16)])
    assert_same_bits(bits.view(x.dtype), x)


@pytest.mark.parametrize("dtype", NARROW)
def test_fista_points_of_narrow_arrays_are_float32(dtype):
    x = [normal(50, dtype, seed=131)]
    assert ps.Optimizer(x, ps.FISTA(0.19)).points[0].dtype == np.float32


def test_lr_of_a_call_is_for_every_array():
    slow, fast = pair(140), pair(140)
    ps.Optimizer(slow, ps.AdamW(0.029), ps.L1(0.37)).step(pair(150))
    ps.Optimizer(fast, ps.AdamW(7.1), ps.L1(0.37)).step(pair(150), lr=0.029)
    for a, b in zip(slow, fast, strict=True):
        assert_same_bits(a, b)


def test_a_learning_rate_for_each_group():
    one, two, g = pair(160), pair(160), pair(170)
    groups = [{"params": one[:1]}, {"params": one[1:], "rule": ps.Nesterov(5.3, 0.71)}]
    ps.Optimizer(groups, ps.AdamW(7.1), ps.L1(0.37)).step(g, lr=[0.029, 0.13])
    ps.Optimizer(two[:1], ps.AdamW(0.029), ps.L1(0.37)).step(g[:1])
    ps.Optimizer(two[1:], ps.Nesterov(0.13, 0.71), ps.L1(0.37)).step(g[1:])
    for a, b in zip(one, two, strict=True):
        assert_same_bits(a, b)
    opt = ps.Optimizer(groups, ps.AdamW(7.1))
    for bad in ([0.1], [0.1, 0.2, 0.3], [0.1, -0.2], [0.1, float("nan")]):
        with refused(ValueError, "lr", keep=one):
            opt.step(g, lr=bad)
    assert opt.steps == 0


@pytest.mark.parametrize("alias", [lambda x: x[:], lambda x: x.ravel(), lambda x: x[1:]])
def test_another_view_of_an_array_is_not_taken_for_it(alias):
    """Only the very same object counts as tied; memory under two names would be stepped twice."""
    x = normal((4, 6), seed=180)
    with refused(ValueError, "overlap", keep=[x]):
        ps.Optimizer([x, alias(x)], ps.AdamW(0.11), ps.L1(0.37)).step([np.ones((4, 6))] * 2)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (np.ones((3, 2)), r"params is one array of shape \(3, 2\)"),
        ([{"params": [np.ones(4)]}, {"params": np.ones((3, 2))}], r'\[1\]\["params"\].*\(3, 2\)'),
        ({"params": [np.ones(4)]}, r"one mapping, of \['params'\]; .* list of groups"),
    ],
)
def test_one_array_is_not_taken_for_a_list_of_its_rows(params, words):
    with pytest.raises(TypeError, match=words):
        ps.Optimizer(params, ps.SGD(0.1))


EXCHANGED = {
    "strength": (ps.L1(0.31), ps.L1(0.067)),
    "groups": (ps.Group(ps.L1(0.31), over="rows"), ps.L1(0.067)),
    "pattern": (ps.NM(1, 2), ps.Group(ps.L1(0.31), over="rows")),
    "levels": (ps.Quantize(2), ps.MCP(0.23, 3.7)),
    "none": (ps.SCAD(0.23, 3.9), None),
    "weights": (None, ps.L1(0.31, weights=np.arange(18.0).reshape(3, 6))),
}


@pytest.mark.parametrize(("first", "second"), EXCHANGED.values(), ids=list(EXCHANGED))
def test_an_exchanged_penalty_is_that_of_a_new_optimizer(first, second):
    x, y = normal((3, 6), seed=180), normal((3, 6), seed=180)
    g, h = normal((3, 6), seed=181), normal((3, 6), seed=182)
    one = ps.Optimizer([x], ps.AdamW(0.029), first)
    one.step([g])
    one.set_penalty(0, second)
    one.step([h])
    before = ps.Optimizer([y], ps.AdamW(0.029), first)
    before.step([g])
    after = ps.Optimizer([y], ps.AdamW(0.029), second)
    after.load_state_dict(before.state_dict())
    after.step([h])
    assert_same_bits(x, y)
    assert one.groups[0]["penalty"] is second


def test_a_penalty_that_fits_one_array_only_is_exchanged_for_none():
    x, y, g = pair(190), pair(190), pair(200)
    opt = ps.Optimizer(x, ps.SGD(0.17), ps.L1(0.31))
    with refused(ValueError, r"params\[1\]", r"\(7,\)"):
        opt.set_penalty(0, ps.L1(0.1, weights=np.ones((3, 5))))
    opt.step(g)
    ps.Optimizer(y, ps.SGD(0.17), ps.L1(0.31)).step(g)
    for a, b in zip(x, y, strict=True):
        assert_same_bits(a, b)


KEPT = {"selects among": ps.TopK(3), "schedule of its own": ps.Quantize(2, rho=Anneal(1, 9))}


@pytest.mark.parametrize(("words", "kept"), KEPT.items(), ids=list(KEPT))
@pytest.mark.parametrize("comes", [False, True])
def test_what_selects_or_follows_a_schedule_is_not_exchanged(words, kept, comes):
    opt = ps.Optimizer([normal(9, seed=210)], ps.SGD(0.17), None if comes else kept)
    with refused(ValueError, type(kept).__name__, words):
        opt.set_penalty(0, kept if comes else None)


def test_it_says_what_steps_what():
    groups = [{"params": pair(212)}, {"params": [normal(9, seed=213)], "rule": ps.SGD(0.5)}]
    opt = ps.Optimizer(groups, ps.RDA(0.17), ps.L1(0.31))
    by_rda = "2 arrays by RDA(lr=0.17) with L1(lam=0.31)"
    by_sgd = "1 array by SGD(lr=0.5, weight_decay=0.0) with L1(lam=0.31)"
    assert repr(opt) == f"Optimizer({by_rda}; {by_sgd})"
    opt.set_penalty(0, None)
    assert repr(opt) == f"Optimizer(2 arrays by RDA(lr=0.17); {by_sgd})"


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_what_is_bound_to_memory_has_no_copy(duplicate):
    opt = ps.Optimizer(pair(214), ps.AdamW(0.1))
    with pytest.raises(TypeError, match=r"bound to the memory .* state_dict\(\)"):
        duplicate(opt)


def test_groups_are_to_look_at():
    """What a step does not follow cannot be written."""
    x = [normal(9, seed=211)]
    opt = ps.Optimizer(x, ps.SGD(0.17), ps.L1(0.31))
    with pytest.raises(TypeError, match="item assignment"):
        opt.groups[0]["penalty"] = ps.L1(100.0)
    assert dict(opt.groups[0]) == {
        "params": tuple(x),
        "rule": ps.SGD(0.17),
        "penalty": opt.groups[0]["penalty"],
        "metric": "diagonal",
    }
    opt.set_penalty(0, None)
    assert opt.groups[0]["penalty"] is None
