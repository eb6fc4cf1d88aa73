"""Whether a saved state fits an optimizer, before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .arrays import Array, is_torch, refuse_masked
from .checks import count

__all__ = ["check_state"]


def check_state(own: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Raise unless the state has what the optimizer's own has.

    Raises
    ------
    TypeError
        For what is no mapping, or arrays of another library.
    ValueError
        For other keys, shapes or dtypes, or a count of steps that is none.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"the state is {state!r}; a mapping such as state_dict() is needed")
    if own.keys() != state.keys():
        differing = sorted(map(str, own.keys() ^ state.keys()))
        raise ValueError(f"the state and this optimizer differ in {', '.join(differing)}")
    count("steps", state["steps"])
    for name, mine in own.items():
        if name != "steps":
            _check_moment(name, mine, state[name])


def _check_moment(name: str, mine: Array, given: Any) -> None:
    is_array = hasattr(given, "shape") and hasattr(given, "dtype")
    if not is_array or is_torch(given) != is_torch(mine):
        raise TypeError(f"{name} is a {_kind(given)}, a {_kind(mine)} is needed")
    refuse_masked(given, name)
    if tuple(mine.shape) != tuple(given.shape) or mine.dtype != given.dtype:
        raise ValueError(
            f"{name} is {given.dtype} of shape {tuple(given.shape)}, "
            f"{mine.dtype} of shape {tuple(mine.shape)} is needed"
        )


def _kind(thing: Any) -> str:
    return f"{type(thing).__module__}.{type(thing).__name__}".removeprefix("builtins.")
