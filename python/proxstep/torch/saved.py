"""State dicts: checked before anything changes, and restored in the moments' own dtype."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from .inputs import name_of

__all__ = ["merged_groups", "new_moment", "own_state"]

_FOREIGN = {"max_exp_avg_sq": "amsgrad"}  # state that no rule here keeps -> the setting behind it


def new_moment(param: Any) -> Any:
    """Zeros of the parameter's shape and layout, in the compute type."""
    wide = torch.float64 if param.dtype == torch.float64 else torch.float32
    return torch.zeros_like(param, dtype=wide, memory_format=torch.preserve_format)


def merged_groups(groups: Sequence[Mapping[str, Any]], state_dict: Any) -> list[dict[str, Any]]:
    """Return the saved groups with what they do not say taken from the present ones.

    Raises
    ------
    TypeError, ValueError
        For what is no state dict, and for groups of other sizes.
    """
    if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= state_dict.keys():
        raise TypeError("an optimizer's state has 'state' and 'param_groups'")
    saved = state_dict["param_groups"]
    sizes = [[len(group["params"]) for group in side] for side in (groups, saved)]
    if sizes[0] != sizes[1]:
        raise ValueError(f"the groups have {sizes[0]} parameters, those of the state {sizes[1]}")
    return [
        {name: value for name, value in ({**own, **new}).items() if name != "penalty"}
        for own, new in zip(groups, saved, strict=True)
    ]


def own_state(
    groups: Sequence[Mapping[str, Any]], state_dict: Mapping[str, Any], moments: Sequence[list[str]]
) -> dict[Any, dict[str, Any]]:
    """Copy the saved counts and moments as the steps need them, by parameter.

    Raises
    ------
    ValueError
        With the parameter's name, where moments are missing, foreign, or of other shapes.
    """
    copies = {}
    for group, saved_group, names in zip(groups, state_dict["param_groups"], moments, strict=True):
        for param, key in zip(group["params"], saved_group["params"], strict=True):
            saved = state_dict["state"].get(key)
            if saved:
                _check_moments(name_of(groups, param), param, saved, names)
                copies[param] = _copy(param, saved, names)
    return copies


def _check_moments(name: str, param: Any, saved: Mapping[str, Any], moments: list[str]) -> None:
    for key, setting in _FOREIGN.items():
        if key in saved:
            raise ValueError(f"the state of {name} was made with {setting}, which is not served")
    for key in moments:
        shape = getattr(saved.get(key), "shape", None)
        if shape is None:
            raise ValueError(f"the state of {name} lacks {key!r}; it has {sorted(saved)}")
        if tuple(shape) != tuple(param.shape):
            own = tuple(param.shape)
            raise ValueError(f"{key} of {name} has shape {tuple(shape)}, the parameter {own}")


def _copy(param: Any, saved: Mapping[str, Any], moments: list[str]) -> dict[str, Any]:
    steps = float(saved.get("step", bool(moments)))  # torch.optim.SGD keeps no count
    state = {"step": torch.tensor(steps, dtype=torch.float32)}
    return state | {key: new_moment(param).copy_(saved[key]) for key in moments}
