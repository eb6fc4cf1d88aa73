"""State dicts: checked before anything changes, and restored in the moments' own dtype."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch

__all__ = ["check_moments", "merged_groups", "new_moment", "saved_states"]

_FOREIGN = {"max_exp_avg_sq": "amsgrad"}  # state that no rule here keeps -> the setting behind it


def new_moment(param: Any, dtype: Any) -> Any:
    """Make zeros of the parameter's shape and layout."""
    return torch.zeros_like(param, dtype=dtype, memory_format=torch.preserve_format)


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


def saved_states(
    groups: Sequence[Mapping[str, Any]],
    merged: Sequence[Mapping[str, Any]],
    state_dict: Mapping[str, Any],
) -> Iterator[tuple[Any, Mapping[str, Any], Mapping[str, Any]]]:
    """Return every parameter with a saved state, its merged group, and that state."""
    for group, settings, saved in zip(groups, merged, state_dict["param_groups"], strict=True):
        for param, key in zip(group["params"], saved["params"], strict=True):
            state = state_dict["state"].get(key)
            if state:
                yield param, settings, state


def check_moments(name: str, param: Any, saved: Mapping[str, Any], moments: Iterable[str]) -> None:
    """Raise where moments are missing, foreign, or of other shapes.

    Raises
    ------
    ValueError
        With the parameter's name.
    """
    for key, setting in _FOREIGN.items():
        if key in saved:
            raise ValueError(f"the state of {name} was made with {setting}, which is not served")
    for key in sorted(moments):
        shape = getattr(saved.get(key), "shape", None)
        if shape is None:
            raise ValueError(f"the state of {name} lacks {key!r}; it has {sorted(saved)}")
        if tuple(shape) != tuple(param.shape):
            own = tuple(param.shape)
            raise ValueError(f"{key} of {name} has shape {tuple(shape)}, the parameter {own}")
