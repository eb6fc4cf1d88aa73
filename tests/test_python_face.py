"""What Python adds around the core: conversions, copies, and checks before anything changes."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import proxstep as ps
import pytest
from cases import DTYPES, NARROW, assert_same_bits, normal
from refusals import PENALTY, RULE, fresh, refused

NAN = float("nan")
PROJECTIONS = [ps.L1Ball, ps.Simplex, ps.LinfBall]


def test_bits_without_their_meaning_make_no_state():
    bits = normal(5, "bfloat16").view(np.uint16)
    with refused(TypeError, "x has dtype uint16", r'\(pass dtype="bfloat16" for its bits\)'):
        RULE.init(bits)
    with refused(TypeError, "x has dtype uint16, not float32"):
        RULE.init(bits, dtype="float32")
    with refused(ValueError, "bfloat", "'bfloat16'"):
        RULE.init(bits, dtype="bfloat")
    with refused(TypeError, "int64"):
        RULE.init(np.arange(5))


@pytest.mark.torch
@pytest.mark.parametrize("dtype", NARROW)
def test_bits_start_where_their_numbers_do(dtype):
    import torch

    x = normal(9, dtype)
    bits, rule = x.view(np.uint16), ps.RDA(0.1)
    assert_same_bits(rule.init(bits, dtype=dtype).moments["origin"], x.astype(np.float32))
    origin = rule.init(torch.from_numpy(bits), dtype=dtype).moments["origin"]
    assert_same_bits(origin.numpy(), x.astype(np.float32))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("steps", None, "steps is None"),
        ("steps", True, "steps is True"),
        ("steps", 2.0, "steps is 2.0"),
        ("steps", -3, "steps is -3"),
        ("1.exp_avg_sq", [0.3, 0.4], "1.exp_avg_sq is a list"),
        ("1.exp_avg_sq", None, "1.exp_avg_sq is a NoneType"),
        ("1.exp_avg_sq", np.ones(3), r"1.exp_avg_sq.*\(3,\).*\(2,\)"),
        ("1.exp_avg_sq", np.ones(2, np.float32), "1.exp_avg_sq.*float32.*float64"),
        ("1.exp_avg_sq", np.ma.ones(2), "1.exp_avg_sq is a masked array"),
    ],
)
def test_a_state_is_checked_before_it_is_copied(key, value, words):
    one, two = (ps.Optimizer([normal(5), normal(2)], RULE) for _ in range(2))
    two.step([normal(5), normal(2)])
    own = [array for name, array in one.state_dict().items() if name != "steps"]
    with refused((TypeError, ValueError), words, keep=own):
        one.load_state_dict({**two.state_dict(), key: value})
    assert one.steps == 0
    one.load_state_dict({**two.state_dict(), "steps": np.int64(1)})
    assert one.state_dict()["steps"] == 1
    assert_same_bits(own[3], two.state_dict()["1.exp_avg_sq"])


@pytest.mark.torch
def test_a_state_of_another_library_is_refused():
    import torch

    x, y = normal(5), torch.from_numpy(normal(5))
    one, two = ps.Optimizer([x], RULE), ps.Optimizer([y], RULE)
    for to, given in ((one, two), (two, one)):
        with refused(TypeError, "exp_avg", "torch.Tensor", "numpy.ndarray"):
            to.load_state_dict(given.state_dict())


@pytest.mark.parametrize(
    ("value", "error"), [(-1, ValueError), (1.0, TypeError), (None, TypeError)]
)
def test_a_step_count_that_is_none(value, error):
    x, g, state = fresh()
    state.step = value
    with refused(error, f"state.step is {value}", keep=[x, *state.moments.values()]):
        ps.step(x, g, RULE, PENALTY, state)


@pytest.mark.parametrize("make", PROJECTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("over", [None, "rows"])
def test_the_indicator_is_zero_at_its_own_prox(make, dtype, over):
    h, z = make(1.9, over), normal((7, 33), dtype, scale=3.0)
    x = ps.prox(z, h)
    assert (h.value(x), h.value(z)) == (0.0, np.inf)
    assert np.isnan(h.value(np.where(np.arange(33) == 5, np.nan, x.astype(np.float32))))
    if dtype in NARROW:
        assert h.value(x.view(np.uint16), dtype=dtype) == 0.0
        assert h.value(z.view(np.uint16), dtype=dtype) == np.inf


@pytest.mark.torch
@pytest.mark.parametrize("make", PROJECTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_indicator_of_torch_tensors(make, dtype):
    import torch

    z = torch.from_numpy(normal((7, 33), scale=3.0)).to(getattr(torch, dtype)).requires_grad_()
    h = make(1.9)
    assert (h.value(ps.prox(z, h)), h.value(z)) == (0.0, np.inf)


@pytest.mark.parametrize("make", PROJECTIONS)
def test_the_indicator_of_nothing(make):
    """No row breaks no bound; only on a simplex do no elements fail to have a sum."""
    assert make(1.9, "rows").value(np.empty((0, 4))) == 0.0
    assert make(1.9).value(np.empty(0)) == (np.inf if make is ps.Simplex else 0.0)


@pytest.mark.parametrize(
    "make", [lambda over: ps.Group(PENALTY, over), lambda over: ps.SparseGroup(0.2, 0.3, over)]
)
def test_over_takes_whole_numbers_alone(make):
    z = normal((4, 6))
    assert_same_bits(ps.prox(z, make(np.int64(3))), ps.prox(z, make(3)))
    assert_same_bits(ps.prox(z, make(np.array([20, 4]))), ps.prox(z, make([20, 4])))
    lengths = [20, 4]
    h = make(lengths)
    lengths[0] = 7
    assert h.over == (20, 4)
    for bad, words in (
        (True, "over is True"),
        (3.0, "over is 3.0"),
        (None, "over is None"),
        ([20, 4.0], r"over\[1\] is 4.0"),
        ([True, 23], r"over\[0\] is True"),
    ):
        with refused(TypeError, words, "integer"):
            make(bad)


def weighted():
    w, v = np.random.default_rng(5).uniform(0.2, 2.3, (2, 12))
    return [
        (ps.MCP(0.4, 2.7, weights=w), {"weights": w}),
        (ps.Group(ps.L1(0.4), 1, group_weights=w), {"group_weights": w}),
        (
            ps.SparseGroup(0.3, 0.2, 1, weights=w, group_weights=v),
            {"weights": w, "group_weights": v},
        ),
    ]


@pytest.mark.parametrize("case", range(3))
def test_a_penalty_and_its_copies_hold_the_weights_of_their_making(case):
    h, given = weighted()[case]
    z, want = normal(12), {name: array.copy() for name, array in given.items()}
    before = ps.prox(z, h)
    for array in given.values():
        array[:] = 71.0
    copies = [h, copy.deepcopy(h), pickle.loads(pickle.dumps(h)), dataclasses.replace(h)]
    for made in copies:
        assert_same_bits(ps.prox(z, made), before)
        for name, array in want.items():
            held = getattr(made, name)
            assert_same_bits(held, array)
            with pytest.raises(ValueError, match="read-only"):
                held[0] = 1.3


@pytest.mark.parametrize("weights", [None, np.full(12, 0.7)])
@pytest.mark.parametrize("threshold", [-1.0, NAN])
def test_bad_thresholds_with_and_without_weights(weights, threshold):
    x, _, _ = fresh()
    with refused(ValueError, f"threshold is {threshold:g}", keep=[x]):
        ps.soft_threshold(x, threshold, weights=weights, out=x)


def test_masked_arrays_are_refused():
    x = np.ma.masked_less(normal(12), 0.3)
    for call in (
        lambda: ps.soft_threshold(x, 0.3),
        lambda: ps.prox(x, PENALTY),
        lambda: ps.prox(x, ps.L1Ball(1.9)),
        lambda: ps.SGD(0.1).init(x),
        lambda: ps.Optimizer([x], RULE),
    ):
        with refused(TypeError, "masked array"):
            call()


def test_ftrl_does_not_know_where_x_starts():
    """As documented: 0 without a gradient, near 0 with one."""
    start, g, rule = normal(12), normal(12, seed=3), ps.FTRL(0.13, beta=0.7)
    g[4], x = 0.0, start.copy()
    ps.step(x, g, rule, None, rule.init(x))
    np.testing.assert_allclose(x, (np.abs(g) * start - 0.13 * g) / (0.7 + np.abs(g)), atol=1e-15)
    assert x[4] == 0.0
