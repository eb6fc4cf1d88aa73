"""Saving and going on: state dicts, torch.save, safetensors, pickles, torch's own checkpoints."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import proxstep as ps
import pytest
from refusals import refused

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
cases = pytest.importorskip("torch_cases")

each = pytest.mark.parametrize("name", cases.OPTIMIZERS)
peers = pytest.mark.parametrize("name", [n for n, (_, p, _) in cases.OPTIMIZERS.items() if p])
DTYPES = ["float64", "float32", "bfloat16", "float16"]


def through_torch_save(state: Any) -> Any:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def through_safetensors(state: Any) -> Any:
    """Tensors as a file of tensors, settings as JSON would have them."""
    io_of = pytest.importorskip("safetensors.torch")
    flat = {f"{k}.{n}": t.contiguous() for k, s in state["state"].items() for n, t in s.items()}
    saved: dict[int, dict[str, Any]] = {}
    for key, tensor in io_of.load(io_of.save(flat)).items():
        number, name = key.split(".")
        saved.setdefault(int(number), {})[name] = tensor
    return {"state": saved, "param_groups": state["param_groups"]}


ROUTES = {
    "directly": lambda state: state,
    "deepcopy": copy.deepcopy,
    "pickle": lambda state: pickle.loads(pickle.dumps(state)),
    "torch.save": through_torch_save,
    "safetensors": through_safetensors,
}


@each
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_restored_run_goes_on_bit_for_bit(name, route, dtype):
    """Moments keep their own dtype: torch's loading would round those of 16-bit parameters."""
    straight = cases.tensors(getattr(torch, dtype))
    one = cases.make(name, straight, penalty=ps.L1(0.05))
    cases.train(straight, one, 3)
    resumed = cases.copied(straight)
    two = cases.make(name, resumed, penalty=ps.L1(0.05))
    two.load_state_dict(ROUTES[route](one.state_dict()))
    cases.train(straight, one, 3, 3)
    cases.train(resumed, two, 3, 3)
    cases.assert_equal(straight, resumed)
    for p, q in zip(straight, resumed, strict=True):
        for key, value in one.state[p].items():
            assert torch.equal(value, two.state[q][key])
            assert value.dtype == two.state[q][key].dtype


@each
def test_a_state_has_no_penalty_so_that_another_can_go_on(name):
    mine = cases.tensors()
    ours = cases.make(name, mine, penalty=ps.Group(ps.MCP(0.1), over="rows"), min_ndim=2)
    cases.train(mine[:1], ours, 2)
    state = ours.state_dict()
    program = {"penalty", "metric", "min_ndim", "skip_zero_rows"}
    assert all(not program & group.keys() for group in state["param_groups"])
    theirs, penalty = cases.copied(mine), ps.L1(0.2)
    other = cases.make(name, theirs, penalty=penalty, metric="euclidean", min_ndim=1)
    other.load_state_dict(state)
    assert other.param_groups[0]["penalty"] is penalty
    ours.param_groups[0].update(penalty=penalty, metric="euclidean", min_ndim=1)
    cases.train(mine, ours, 2, 2)
    cases.train(theirs, other, 2, 2)
    cases.assert_equal(mine, theirs)


@peers
def test_checkpoints_of_torch_are_continued(name):
    """A run of torch.optim goes on here, and one of ours there."""
    ours, torchs, settings = cases.OPTIMIZERS[name]
    theirs = cases.tensors()
    before = torchs(theirs, **settings)
    cases.train(theirs, before, 3)
    mine = cases.copied(theirs)
    after = ours(mine, lr=123.0)
    after.load_state_dict(before.state_dict())
    back = cases.copied(theirs)
    cases.train(mine, after, 3, 3)
    cases.train(theirs, before, 3, 3)
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
    again = torchs(back, **settings)
    state = copy.deepcopy(after.state_dict()["state"])  # torch would share its tensors
    again.load_state_dict({**before.state_dict(), "state": state})
    for p, q in zip(back, mine, strict=True):
        p.data.copy_(q)
    cases.train(mine, after, 2, 6)
    cases.train(back, again, 2, 6)
    for a, b in zip(mine, back, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@each
def test_an_optimizer_is_pickled_and_copied_with_its_model(name):
    for copy_of in (copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))):
        mine = cases.tensors()
        ours = cases.make(name, mine, penalty=ps.L1(0.05), max_norm=1.7, nonfinite="raise")
        cases.train(mine, ours, 2)
        theirs, other = copy_of((mine, ours))
        assert other.whole == ours.whole
        cases.train(mine, ours, 2, 2)
        cases.train(theirs, other, 2, 2)
        cases.assert_equal(mine, theirs)


def spoiled(state: Any, how: str) -> Any:
    state = copy.deepcopy(state)
    if how == "no state":
        return {"param_groups": state["param_groups"]}
    if how == "no mapping":
        return [1, 2]
    if how == "fewer parameters":
        state["param_groups"][0]["params"].pop()
    if how == "another shape":
        state["state"][1]["exp_avg"] = torch.zeros(3)
    if how == "a moment is missing":
        del state["state"][1]["exp_avg"]
    if how == "amsgrad":
        state["state"][1]["max_exp_avg_sq"] = torch.zeros(12)
    if how == "a bad rate":
        state["param_groups"][0]["lr"] = -0.7
    return state


REFUSED_STATES = {
    "no state": (TypeError, "'state'"),
    "no mapping": (TypeError, "'state'"),
    "fewer parameters": (ValueError, r"\[5\].*\[4\]"),
    "another shape": (ValueError, r"exp_avg of parameter 1 of group 0.*\(3,\).*\(12,\)"),
    "a moment is missing": (ValueError, "parameter 1 of group 0 lacks 'exp_avg'"),
    "amsgrad": (ValueError, "amsgrad"),
    "a bad rate": (ValueError, "lr is -0.7"),
}


@pytest.mark.parametrize("how", REFUSED_STATES)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(how):
    params = cases.tensors()
    optimizer = cases.make("AdamW", params, penalty=ps.L1(0.05))
    cases.train(params, optimizer, 2)
    before = copy.deepcopy(optimizer.state_dict())
    error, pattern = REFUSED_STATES[how]
    with refused(error, pattern):
        optimizer.load_state_dict(spoiled(optimizer.state_dict(), how))
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for key, own in before["state"].items():
        assert all(torch.equal(after["state"][key][name], t) for name, t in own.items())
