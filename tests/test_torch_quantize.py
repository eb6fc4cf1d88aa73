"""Levels in the optimizers for PyTorch: the core's bits, schedules that go on, refusals by name."""

from __future__ import annotations

import copy
from typing import Any

import proxstep as ps
import pytest
from refusals import refused

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
cases = pytest.importorskip("torch_cases")


def penalties() -> dict[str, Any]:
    anneal = ps.schedules.Anneal(1, 6)
    return {
        "hard": ps.Quantize(2, rho=0.0),
        "soft rows": ps.Quantize(4, over="rows", rho=0.3),
        "annealed": ps.Quantize(3, over="rows", rho=anneal),
        "blocks": ps.Quantize(levels=(-1.5, 0.0, 0.7), over=4, rho=anneal),
    }


each = pytest.mark.parametrize("name", cases.RULES)
each_penalty = pytest.mark.parametrize("penalty", penalties())


@each
@each_penalty
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_the_bits_are_those_of_the_core(name, penalty, dtype):
    mine = [p for p in cases.tensors(getattr(torch, dtype)) if p.ndim == 2]
    theirs, h = [p.detach().clone() for p in mine], penalties()[penalty]
    ours = cases.make(name, mine, penalty=h)
    core = ps.Optimizer(theirs, cases.RULES[name], h)
    for seed in range(8):
        cases.train(mine, ours, 1, seed)
        core.step([p.grad for p in mine])
        cases.assert_equal([p.detach() for p in mine], theirs)
    if penalty != "soft rows":
        assert len(mine[0][0].abs().unique()) <= (9 if penalty == "blocks" else 4)


@each_penalty
def test_a_schedule_goes_on_where_a_restored_run_was(penalty):
    mine = cases.tensors()
    one = cases.make("AdamW", mine, penalty=penalties()[penalty])
    cases.train(mine, one, 3)
    resumed = cases.copied(mine)
    two = cases.make("AdamW", resumed, penalty=penalties()[penalty])
    two.load_state_dict(copy.deepcopy(one.state_dict()))
    cases.train(mine, one, 3, 3)
    cases.train(resumed, two, 3, 3)
    cases.assert_equal(mine, resumed)


def test_what_levels_do_not_serve_is_refused_by_name():
    p = torch.nn.Parameter(torch.ones(4, 6))
    with refused(ValueError, "'table'"):
        cases.make("SGD", [("table", p)], penalty=ps.Quantize(2, over=5, rho=0.0))
    with refused(TypeError, "'table'", "levels are not served where rows"):
        h = ps.Quantize(2, over="rows", rho=0.5)
        cases.make("SGD", [("table", p)], penalty=h, skip_zero_rows=True)
