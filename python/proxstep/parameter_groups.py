"""Parameter groups of an optimizer, whichever way they are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .checks import nearest

__all__ = ["as_groups", "described"]

_KEYS = ("params", "rule", "penalty", "metric")


def as_groups(params: Sequence[Any]) -> list[dict[str, Any]]:
    """Return groups with a tuple of arrays each, of a list of arrays or of groups.

    Raises
    ------
    TypeError
        For one array or one mapping, or a mixture of both kinds.
    ValueError
        For a key that no group has, or a group without "params".
    """
    if isinstance(params, Mapping):
        raise TypeError(f"params is one mapping, of {list(params)}; give a list of groups: [group]")
    items = _as_arrays("params", params)
    if not any(isinstance(item, Mapping) for item in items):
        return [{"params": items}]
    for item in items:
        if not isinstance(item, Mapping):
            raise TypeError(f"params mixes groups and {type(item).__name__}; give one or the other")
        for key in item.keys() - set(_KEYS):
            raise ValueError(f"a group has the key {key!r}; {nearest(key, _KEYS)}")
        if "params" not in item:
            raise ValueError(f'a group lacks "params"; it has {sorted(item)}')
    return [
        {**item, "params": _as_arrays(f'params[{k}]["params"]', item["params"])}
        for k, item in enumerate(items)
    ]


def _as_arrays(name: str, given: Any) -> tuple[Any, ...]:
    if hasattr(given, "shape"):
        raise TypeError(f"{name} is one array of shape {tuple(given.shape)}; give a list: [x]")
    return tuple(given)


def described(group: Mapping[str, Any]) -> str:
    """Return one line of a group with all of its settings."""
    size = len(group["params"])
    penalty = "" if group["penalty"] is None else f" with {group['penalty']!r}"
    return f"{size} array{'s' * (size != 1)} by {group['rule']!r}{penalty}"
