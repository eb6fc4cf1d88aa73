"""What others keep in an optimizer's state, as torch's optimizers let them."""

from __future__ import annotations

import copy
from typing import Any

import proxstep as ps
import pytest
from refusals import refused

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
cases = pytest.importorskip("torch_cases")

each = pytest.mark.parametrize("name", cases.OPTIMIZERS)


def keep(optimizer: Any, params: list[Any]) -> dict[str, Any]:
    """Put tensors and other things there, of parameters and of none."""
    average = torch.full_like(params[0], 0.37)
    optimizer.state[params[0]].update(average=average, frozen=True, note=None)
    optimizer.state["calls"] = {"k": 3}
    return {"average": average, "frozen": True, "note": None}


def assert_kept(optimizer: Any, param: Any, kept: dict[str, Any]) -> None:
    state = optimizer.state[param]
    assert all(state[key] is value for key, value in kept.items())
    assert optimizer.state["calls"] == {"k": 3}


@each
@pytest.mark.parametrize("before", [0, 2])
def test_it_stays_and_changes_no_step(name, before):
    mine, theirs = cases.tensors(), cases.tensors()
    ours, other = (cases.make(name, params, penalty=ps.L1(0.05)) for params in (mine, theirs))
    cases.train(mine, ours, before)
    state = ours.state[mine[0]]
    kept = keep(ours, mine)
    cases.train(mine, ours, 3, before)
    cases.train(theirs, other, before + 3)
    cases.assert_equal(mine, theirs)
    assert ours.state[mine[0]] is state
    assert_kept(ours, mine[0], kept)
    for p in mine:
        p.data = p.detach().to(torch.float32)
    cases.train(mine, ours, 1, before + 3)
    assert ours.state[mine[0]] is state
    assert_kept(ours, mine[0], kept)


@each
def test_it_is_saved_and_loaded(name):
    mine = cases.tensors(torch.bfloat16)
    ours = cases.make(name, mine, master=True)
    cases.train(mine, ours, 2)
    keep(ours, mine)
    ours.state[mine[0]]["average"] = average = torch.full((12, 16), 0.37)  # in its own dtype
    theirs = cases.copied(mine)
    other = cases.make(name, theirs, master=True)
    other.load_state_dict(ours.state_dict())
    found = other.state[theirs[0]]
    assert torch.equal(found["average"], average)
    assert found["average"].dtype == torch.float32
    assert found["average"].data_ptr() != average.data_ptr()
    assert_kept(other, theirs[0], {"frozen": True, "note": None})
    cases.train(mine, ours, 2, 2)
    cases.train(theirs, other, 2, 2)
    cases.assert_equal(mine, theirs)
    plain = cases.make(name, theirs)  # without masters
    plain.load_state_dict(copy.deepcopy(ours.state_dict()))
    assert "master" not in plain.state[theirs[0]]


def test_a_parameter_without_a_gradient_gets_no_moments_by_it():
    params = cases.tensors()
    optimizer = cases.make("AdamW", params)
    optimizer.state[params[1]]["average"] = torch.zeros(12)
    cases.train(params[:1], optimizer, 2)
    assert set(optimizer.state[params[1]]) == {"average"}
    cases.train(params, optimizer, 1)
    assert int(optimizer.state[params[1]]["step"]) == 1


def test_a_velocity_waits_while_there_is_no_momentum():
    """As with torch.optim.SGD."""
    mine, theirs = cases.tensors(), cases.tensors()
    ours, torchs, settings = cases.OPTIMIZERS["momentum"]
    one, two = ours(mine, **settings), torchs(theirs, **settings)
    for step, momentum in enumerate((0.9, 0.9, 0.0, 0.0, 0.9, 0.9)):
        for params, optimizer in ((mine, one), (theirs, two)):
            optimizer.param_groups[0]["momentum"] = momentum
            cases.train(params, optimizer, 1, step)
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


BAD_COUNTS = ["soon", None, -1.0, torch.inf, 1e30, torch.ones(3)]


@pytest.mark.parametrize("step", BAD_COUNTS, ids=str)
def test_a_count_that_is_none_is_refused(step):
    params = cases.tensors()
    optimizer = cases.make("AdamW", params)
    cases.train(params, optimizer, 2)
    saved = optimizer.state_dict()
    saved["state"] = {**saved["state"], 1: {**saved["state"][1], "step": step}}
    with refused(ValueError, "the step of parameter 1 of group 0", "number of steps"):
        optimizer.load_state_dict(saved)
    assert int(optimizer.state[params[1]]["step"]) == 2
