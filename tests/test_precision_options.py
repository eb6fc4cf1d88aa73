"""The options of mixed precision: what they make, what is saved, what is refused."""

from __future__ import annotations

import io
from typing import Any

import ml_dtypes
import numpy as np
import proxstep as ps
import pytest
from cases import RULE_CASES, assert_same_bits, normal, rule
from precision_cases import typed
from proxstep.arrays import widen_bfloat16, widened
from refusals import refused

OPTIONS = (
    ("float32", {"moments": "bfloat16"}),
    ("bfloat16", {"moments": "bfloat16", "rounding": "stochastic"}),
    ("float16", {"moments": "bfloat16", "master": True}),
)
each_option = pytest.mark.parametrize(("dtype", "options"), OPTIONS)


def grads(dtype: str, t: int) -> list[Any]:
    return [normal((7, 9), dtype, seed=600 + t), normal(1301, dtype, seed=620 + t)]


def made(params: list[Any], seed: int = 11, **options: Any) -> ps.Optimizer:
    return ps.Optimizer(params, ps.AdamW(0.05), ps.L1(0.11), seed=seed, **options)


def after(dtype: str, steps: int, **options: Any) -> tuple[list[Any], ps.Optimizer]:
    params = grads(dtype, 30)
    opt = made(params, **options)
    for t in range(steps):
        opt.step(grads(dtype, t))
    return params, opt


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    np.savez(file, **{k: np.asarray(v) for k, v in state.items()})
    file.seek(0)
    return dict(np.load(file))


@each_option
def test_a_resumed_run_has_the_bits_of_one_that_went_on(dtype, options):
    want, _ = after(dtype, 5, **options)
    params, opt = after(dtype, 3, **options)
    state = opt.state_dict()
    if dtype != "bfloat16":  # NumPy's files know no type of ml_dtypes
        state = through_a_file(state)
        assert int(state["steps"]) == 3
        state["steps"] = int(state["steps"])
    again = made(params, **options)
    again.load_state_dict(state)
    for t in (3, 4):
        again.step(grads(dtype, t))
    for a, b in zip(params, want, strict=True):
        assert_same_bits(a, b)


@each_option
def test_seeds_give_other_bits_and_equal_seeds_the_same(dtype, options):
    moving = {**options, "rounding": "stochastic"} if "master" not in options else options
    one, same, other = (after(dtype, 3, **{**moving, "seed": s})[1] for s in (11, 11, 12))
    key = "1.exp_avg_sq"
    assert_same_bits(one.state_dict()[key], same.state_dict()[key])
    differing = np.mean(one.state_dict()[key] != other.state_dict()[key])
    assert 0.2 < differing < 0.8


@pytest.mark.parametrize(("name", "r"), RULE_CASES)
def test_which_moments_are_halved(name, r):
    """All that decay or accumulate; a copy of x stays float32."""
    r = rule(name, r)
    for dtype in ("float32", "float16", "bfloat16"):
        x = normal((3, 5), dtype, seed=630)
        for key, moment in r.init(x, moments="bfloat16").moments.items():
            halved = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.uint16
            assert moment.dtype == (np.float32 if key in r.starts_at_x else halved)
            assert moment.shape == x.shape
            want = x.astype(np.float32) if key in r.starts_at_x else 0
            assert np.all(typed(moment).astype(np.float32) == want)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_wide_parameters_have_no_master_and_nothing_to_round(dtype):
    """A model of mixed dtypes is stepped as one."""
    for options in ({"master": True}, {"rounding": "stochastic"}):
        x, plain = normal(70, dtype, seed=631), normal(70, dtype, seed=631)
        narrow = normal(70, "float16", seed=632)
        opt = made([narrow, x], **options)
        opt.step([np.ones_like(narrow), np.ones_like(x)])
        made([plain]).step([np.ones_like(plain)])
        assert_same_bits(x, plain)
        assert "1.master" not in opt.state_dict()
        assert ("0.master" in opt.state_dict()) == ("master" in options)


def test_uint16_with_a_dtype_is_bfloat16():
    x = normal(300, "bfloat16", seed=633)
    for options in ({"moments": "bfloat16", "rounding": "stochastic"}, {"master": True}):
        want, bits = x.copy(), x.copy().view(np.uint16)
        g = normal(300, "bfloat16", seed=634)
        made([want], **options).step([g])
        made([bits], **options, dtype="bfloat16").step([g.view(np.uint16)])
        assert_same_bits(bits.view(ml_dtypes.bfloat16), want)


@pytest.mark.torch
@each_option
def test_torch_tensors(dtype, options):
    """The same bits as NumPy's arrays; moments are tensors of bfloat16."""
    import torch

    as_tensor = lambda a: torch.tensor(a.astype(np.float32)).to(getattr(torch, dtype))  # noqa: E731
    want, ours = after(dtype, 3, **options)
    params = [as_tensor(p) for p in grads(dtype, 30)]
    opt = made(params, **options)
    for t in range(3):
        opt.step([as_tensor(g) for g in grads(dtype, t)])
    for a, b in zip(params, want, strict=True):
        assert torch.equal(a, as_tensor(b))
    for key, array in ours.state_dict().items():
        if key != "steps":
            tensor = opt.state_dict()[key]
            assert tensor.dtype == (torch.float32 if "master" in key else torch.bfloat16)
            assert np.array_equal(tensor.float().numpy(), typed(array).astype(np.float32))
    again = made([p.clone() for p in params], **options)
    again.load_state_dict(opt.state_dict())
    for key in set(opt.state_dict()) - {"steps"}:
        assert torch.equal(again.state_dict()[key], opt.state_dict()[key])


@pytest.mark.parametrize(
    ("dtype", "options", "words"),
    [
        ("float32", {"moments": "float16"}, ["moments", "bfloat16"]),
        ("float32", {"moments": "bfloat"}, ["moments is 'bfloat'", "'bfloat16' or None"]),
        ("float64", {"moments": "bfloat16"}, ["float64", "bfloat16 moments"]),
        ("float16", {"rounding": "stochastik"}, ["did you mean 'stochastic'"]),
        ("float16", {"rounding": "stochastic", "master": True}, ["not both"]),
        ("float16", {"seed": -1}, ["seed is -1"]),
        ("float16", {"seed": 2**64}, ["seed is", r"2\*\*64"]),
    ],
)
def test_options_that_are_refused(dtype, options, words):
    x = normal(12, dtype, seed=640)
    with refused(ValueError, *words, keep=[x]):
        ps.Optimizer([x], ps.AdamW(0.1), **options)


def test_a_master_is_wanted_or_not():
    """Any text would count as True."""
    with refused(TypeError, "master is 'no'; True or False is needed"):
        made([normal(4, "bfloat16", seed=3)], master="no")
    with refused(TypeError, r"master is array\(\[ True, False\]\); True or False is needed"):
        made([normal(4, "bfloat16", seed=3)], master=np.array([True, False]))


def test_a_seed_is_an_integer():
    with refused(TypeError, "seed is 0.5"):
        ps.Optimizer([np.ones(3)], ps.SGD(0.1), seed=0.5)


@pytest.mark.parametrize(("rule", "key"), [(ps.RDA(0.1), "origin"), (ps.FISTA(0.1), "y")])
def test_copies_of_x_must_not_be_bfloat16(rule, key):
    x, g = normal(12, "float32", seed=641), normal(12, "float32", seed=642)
    state = rule.init(x)
    state.moments[key] = np.zeros(12, np.uint16)
    with refused(TypeError, "bfloat16", "float32 is needed", keep=[x]):
        ps.step(x, g, rule, None, state)


def test_moments_that_do_not_fit():
    x, g, r = normal(12, "float64", seed=643), normal(12, "float64", seed=644), ps.Momentum(0.1)
    state = ps.State(0, {"velocity": np.zeros(12, np.uint16)})
    with refused(TypeError, "bfloat16", "float64 is needed", keep=[x]):
        ps.step(x, g, r, None, state)
    narrow = x.astype(np.float32)
    with refused(TypeError, "float16", "float32 is needed", keep=[narrow]):
        ps.step(narrow, g.astype(np.float32), r, None, ps.State(0, {"velocity": x.astype("f2")}))
    mixed = ps.AdamW(0.1).init(narrow, moments="bfloat16")
    mixed.moments["exp_avg_sq"] = np.zeros(12, np.float32)
    with refused(TypeError, "float32", "bfloat16 is needed", keep=[narrow]):
        ps.step(narrow, g.astype(np.float32), ps.AdamW(0.1), None, mixed)
    with refused(ValueError, "overlap", keep=[narrow]):
        inside = ps.State(0, {"velocity": narrow.view(np.uint16)[:12]})
        ps.step(narrow, g.astype(np.float32), r, None, inside)


def test_every_bfloat16_is_widened_bit_for_bit() -> None:
    bits = np.arange(65536, dtype=np.uint16)
    want = bits.view(ml_dtypes.bfloat16).astype(np.float32)
    out = np.full(65536, 3.0, np.float32)
    widen_bfloat16(bits, out)
    assert_same_bits(out, want)
    turned = np.asfortranarray(bits.reshape(32, 2048))
    assert_same_bits(widened(turned, "bfloat16"), want.reshape(32, 2048))
