"""What a state is matched with, what hooks see of it, and what is no state."""

from __future__ import annotations

import copy
from typing import Any

import proxstep as ps
import pytest
from refusals import refused

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
cases = pytest.importorskip("torch_cases")

NAMES = ("first", "second", "third")


def named(params: list[Any], order: tuple[int, ...]) -> list[Any]:
    return [(NAMES[k], params[k]) for k in order]


def started() -> tuple[list[Any], Any]:
    """Parameters of one shape and their optimizer, after some steps."""
    generator = torch.Generator().manual_seed(0)
    params = [torch.nn.Parameter(torch.randn(4, 3, generator=generator)) for _ in NAMES]
    optimizer = cases.make("AdamW", named(params, (0, 1, 2)), penalty=ps.L1(0.05))
    cases.train(params, optimizer, 3)
    return params, optimizer


def assert_goes_on(mine: list[Any], ours: Any, theirs: list[Any], other: Any) -> None:
    cases.train(mine, ours, 2, 3)
    cases.train(theirs, other, 2, 3)
    cases.assert_equal(mine, theirs)


def test_equal_names_are_matched_whatever_their_order():
    mine, ours = started()
    theirs = cases.copied(mine)
    other = cases.make("AdamW", named(theirs, (2, 0, 1)), penalty=ps.L1(0.05), nonfinite="raise")
    other.load_state_dict(ours.state_dict())
    assert other.param_groups[0]["param_names"] == ["third", "first", "second"]
    assert_goes_on(mine, ours, theirs, other)
    theirs[1].grad[2, 1] = torch.nan
    with refused(FloatingPointError, "'second'"):
        other.step()


@pytest.mark.parametrize("prefix", ["module.", None])
def test_other_names_or_none_are_matched_by_place(prefix):
    mine, ours = started()
    theirs = cases.copied(mine)
    given = theirs if prefix is None else [(prefix + n, p) for n, p in named(theirs, (0, 1, 2))]
    other = cases.make("AdamW", given, penalty=ps.L1(0.05))
    other.load_state_dict(ours.state_dict())
    assert other.param_groups[0]["param_names"] == [(prefix or "") + name for name in NAMES]
    assert_goes_on(mine, ours, theirs, other)


def keys_of(group: Any) -> dict[str, Any]:
    return dict(zip(group["param_names"], group["params"], strict=True))


def by_name(optimizer: Any, state_dict: Any) -> Any:
    """Bring the saved states into the optimizer's groups, as torch's tutorial does."""
    saved = {n: k for group in state_dict["param_groups"] for n, k in keys_of(group).items()}
    adapted = copy.deepcopy(optimizer.state_dict())
    for group in adapted["param_groups"]:
        for name, key in keys_of(group).items():
            adapted["state"][key] = state_dict["state"][saved[name]]
    return adapted


def test_a_hook_before_loading_adapts_the_state():
    """Here to an optimizer with other groups."""
    mine, ours = started()
    theirs = cases.copied(mine)
    groups = [{"params": named(theirs, (1,))}, {"params": named(theirs, (2, 0))}]
    other = cases.make("AdamW", groups, penalty=ps.L1(0.05))
    saved = ours.state_dict()
    with refused(ValueError, r"\[1, 2\]", r"\[3\]"):
        other.load_state_dict(saved)
    other.register_load_state_dict_pre_hook(by_name)
    other.load_state_dict(saved)
    assert_goes_on(mine, ours, theirs, other)


def test_a_hook_before_loading_may_change_its_copy():
    _, ours = started()
    saved = ours.state_dict()
    handle = ours.register_load_state_dict_pre_hook(lambda _, given: given.clear())
    with refused(TypeError, "'state'"):
        ours.load_state_dict(saved)
    assert set(saved) == {"state", "param_groups"}
    handle.remove()
    ours.load_state_dict(saved)


def test_a_hook_after_loading_sees_the_state():
    mine, ours = started()
    theirs = cases.copied(mine)
    other = cases.make("AdamW", named(theirs, (0, 1, 2)))
    seen: list[float] = []
    other.register_load_state_dict_post_hook(
        lambda own: seen.extend(float(own.state[p]["step"]) for p in theirs)
    )
    other.load_state_dict(ours.state_dict())
    assert seen == [3.0, 3.0, 3.0]


UNSERVED = [
    ("amsgrad", True, "amsgrad is True"),
    ("capturable", True, "capturable is True"),
    ("differentiable", True, "differentiable is True"),
    ("decoupled_weight_decay", False, "weight_decay is 0.31, not decoupled"),  # torch.optim.Adam
]


@pytest.mark.parametrize(("option", "value", "pattern"), UNSERVED)
def test_a_state_with_options_that_are_not_served_is_refused(option, value, pattern):
    _, optimizer = started()
    before = copy.deepcopy(optimizer.param_groups)
    saved = optimizer.state_dict()
    saved["param_groups"][0][option] = value
    with refused(ValueError, pattern, "not served"):
        optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0].keys() == before[0].keys()


NO_STATES: dict[str, tuple[dict[str, Any], str]] = {
    "no groups": ({"param_groups": None}, "'param_groups' is a NoneType; a list"),
    "groups of numbers": ({"param_groups": [3]}, r"param_groups\[0\] is no dict .* 'params': 3"),
    "a group without parameters": ({"param_groups": [{"lr": 0.1}]}, r"\[0\].*{'lr': 0.1}"),
    "no states": ({"state": None}, "'state' is a NoneType; a dict"),
    "a list of states": ({"state": [1]}, "'state' is a list; a dict"),
    "a state of one number": ({"state": {1: 5}}, "the state of 'second' is 5; a dict"),
}


@pytest.mark.parametrize("how", NO_STATES)
def test_what_is_no_state_is_refused(how):
    _, optimizer = started()
    changed, pattern = NO_STATES[how]
    with refused(TypeError, pattern):
        optimizer.load_state_dict({**optimizer.state_dict(), **changed})


BAD_TENSORS: dict[str, tuple[Any, type[Exception], str]] = {
    "a master of another shape": (torch.ones(3), ValueError, r"has shape \(3,\).*\(4, 3\)"),
    "a master of words": ("all", TypeError, "is str; a tensor of real numbers"),
    "a complex master": (torch.ones(4, 3) * 1j, TypeError, "is torch.complex64; a tensor of real"),
    "no master": (None, ValueError, "lacks 'master'"),
}


@pytest.mark.parametrize("how", BAD_TENSORS)
def test_what_is_no_tensor_of_the_parameters_shape_is_refused(how):
    param = torch.nn.Parameter(torch.linspace(-1, 1, 12).view(4, 3).bfloat16())
    optimizer = cases.make("AdamW", [("only", param)], master=True)
    cases.train([param], optimizer, 2)
    saved, before = optimizer.state_dict(), optimizer.state[param]["master"].clone()
    master, error, pattern = BAD_TENSORS[how]
    saved["state"] = {0: {**saved["state"][0], "master": master}}
    with refused(error, "'only'", pattern):
        optimizer.load_state_dict(saved)
    assert torch.equal(optimizer.state[param]["master"], before)
