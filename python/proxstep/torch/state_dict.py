"""What a state dict holds for the present groups and parameters, and what it holds of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from .inputs import name_at
from .options import PROGRAM

__all__ = ["merged_groups", "saved_states", "unmatched_states"]


def merged_groups(groups: Sequence[Mapping[str, Any]], state_dict: Any) -> list[dict[str, Any]]:
    """Return the present groups with copies of the saved settings, but those of the program.

    Raises
    ------
    TypeError, ValueError
        For what is no state dict, and for groups of other sizes.
    """
    _check_form(state_dict)
    saved = state_dict["param_groups"]
    sizes = [[len(group["params"]) for group in side] for side in (groups, saved)]
    if sizes[0] != sizes[1]:
        raise ValueError(f"the groups have {sizes[0]} parameters, those of the state {sizes[1]}")
    return [_merged(own, new) for own, new in zip(groups, saved, strict=True)]


def _check_form(state_dict: Any) -> None:
    """Raise for what is no state dict.

    Raises
    ------
    TypeError
    """
    if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= state_dict.keys():
        raise TypeError("an optimizer's state has 'state' and 'param_groups'")
    if not isinstance(state_dict["state"], Mapping):
        raise TypeError(f"'state' is a {type(state_dict['state']).__name__}; a dict is needed")
    groups = state_dict["param_groups"]
    if not isinstance(groups, list | tuple):
        raise TypeError(f"'param_groups' is a {type(groups).__name__}; a list is needed")
    for k, group in enumerate(groups):
        if not isinstance(group, Mapping) or not isinstance(group.get("params"), list | tuple):
            raise TypeError(f"param_groups[{k}] is no dict with a list of 'params': {group!r}")


def _merged(own: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
    kept = {"params", *PROGRAM, *({"param_names"} & own.keys())}
    return {**own, **deepcopy({name: saved[name] for name in saved.keys() - kept})}


def saved_states(
    groups: Sequence[Mapping[str, Any]], state_dict: Mapping[str, Any]
) -> Iterator[tuple[Any, str, Mapping[str, Any], Mapping[str, Any]]]:
    """Return every parameter that has a saved state, its name, its group, and that state."""
    for index, (group, saved) in enumerate(zip(groups, state_dict["param_groups"], strict=True)):
        keys = _keys(group, saved)
        for k, (param, key) in enumerate(zip(group["params"], keys, strict=True)):
            state = state_dict["state"].get(key)
            if state:
                yield param, name_at(group, index, k), group, state


def unmatched_states(state_dict: Mapping[str, Any]) -> dict[Any, Any]:
    """Return what a saved state holds of no parameter, as others put it there."""
    keys = {key for group in state_dict["param_groups"] for key in group["params"]}
    return {key: kept for key, kept in state_dict["state"].items() if key not in keys}


def _keys(own: Mapping[str, Any], saved: Mapping[str, Any]) -> Sequence[Any]:
    """Return a saved group's keys of states in the order of the present parameters.

    By name where both have the same names, else by place.
    """
    names, known = own.get("param_names"), saved.get("param_names")
    keys: Sequence[Any] = saved["params"]
    if names and known and sorted(names) == sorted(known):
        by_name = dict(zip(known, keys, strict=True))
        return [by_name[name] for name in names]
    return keys
