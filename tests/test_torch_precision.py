"""16-bit moments, stochastic rounding and masters: the bits of the core's, saved and restored."""

from __future__ import annotations

import copy
from typing import Any

import proxstep as ps
import pytest
from refusals import refused

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
cases = pytest.importorskip("torch_cases")

OPTIONS: dict[str, dict[str, Any]] = {
    "moments": {"moments": "bfloat16", "seed": 7},
    "stochastic": {"rounding": "stochastic", "seed": 2**63 + 11},
    "both": {"moments": "bfloat16", "rounding": "stochastic", "seed": 3},
    "master": {"master": True},
    "master, moments": {"master": True, "moments": "bfloat16", "seed": 5},
}
each = pytest.mark.parametrize("name", cases.RULES)
each_option = pytest.mark.parametrize("option", OPTIONS)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])


@each
@each_option
@each_dtype
@pytest.mark.parametrize("place", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_the_bits_are_those_of_the_core(name, option, dtype, place):
    mine = [p for p in cases.tensors(getattr(torch, dtype), place=place) if p.ndim == 2]
    theirs, h = [p.detach().clone() for p in mine], ps.L1(0.05)
    ours = cases.make(name, mine, penalty=h, **OPTIONS[option])
    core = ps.Optimizer(theirs, cases.RULES[name], h, **OPTIONS[option])
    for seed in range(4):
        cases.train(mine, ours, 1, seed)
        core.step([p.grad for p in mine])
    cases.assert_equal([p.detach() for p in mine], theirs)


@each
@each_option
@each_dtype
def test_a_restored_run_goes_on_bit_for_bit(name, option, dtype):
    mine = cases.tensors(getattr(torch, dtype))
    one = cases.make(name, mine, penalty=ps.L1(0.05), **OPTIONS[option])
    cases.train(mine, one, 3)
    resumed = cases.copied(mine)
    two = cases.make(name, resumed, penalty=ps.L1(0.05), **OPTIONS[option])
    two.load_state_dict(copy.deepcopy(one.state_dict()))
    cases.train(mine, one, 3, 3)
    cases.train(resumed, two, 3, 3)
    cases.assert_equal(mine, resumed)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_checkpoints_go_from_one_precision_to_another(dtype):
    """Moments are rounded or widened, masters begin as the parameters or are dropped."""
    params = cases.tensors(getattr(torch, dtype))
    for before in OPTIONS.values():
        for after in OPTIONS.values():
            first = cases.make("AdamW", params, **before)
            cases.train(params, first, 2)
            second = cases.make("AdamW", params, **after)
            second.load_state_dict(first.state_dict())
            narrow = "moments" in after
            for p, state in second.state.items():
                assert state["exp_avg"].dtype == (torch.bfloat16 if narrow else torch.float32)
                assert ("master" in state) == ("master" in after)
                whole = state.get("master", p.float())
                assert torch.equal(whole.to(p.dtype), p)
            cases.train(params, second, 1)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_small_steps_and_shrinks_are_lost_to_nearest_alone(dtype):
    """A thousand shrinks of 1 by 2e-4: each is below the half unit of rounding."""
    ended = {}
    for name, options in {**OPTIONS, "nearest": {}}.items():
        p = torch.nn.Parameter(torch.ones(64, 64, dtype=getattr(torch, dtype)))
        optimizer = cases.make(
            "SGD", [p], lr=0.01, weight_decay=0.0, penalty=ps.L1(2e-2), **options
        )
        for _ in range(1000):
            p.grad = torch.zeros_like(p)
            optimizer.step()
        ended[name] = float(p.detach().double().mean())
    assert ended["nearest"] == ended["moments"] == 1.0
    for name in ("stochastic", "both", "master", "master, moments"):
        assert ended[name] == pytest.approx(0.8, abs=0.005)


def test_what_precision_does_not_serve_is_refused():
    with refused(ValueError, "master"):
        cases.make("AdamW", cases.tensors(), master=True, rounding="stochastic")
    with refused(ValueError, "moments is 'float16'"):
        cases.make("AdamW", cases.tensors(), moments="float16")
    table = torch.nn.Embedding(9, 4, sparse=True, dtype=torch.bfloat16)
    for options in ({"master": True}, {"rounding": "stochastic"}, {"moments": "bfloat16"}):
        optimizer = cases.make("SGD", table.named_parameters(), momentum=0.7, **options)
        table.weight.grad = None
        table(torch.tensor([1, 2])).sum().backward()
        kept = table.weight.detach().clone()
        with refused((TypeError, ValueError), "rows are stepped by"):
            optimizer.step()
        assert torch.equal(table.weight, kept)
