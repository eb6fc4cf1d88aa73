"""The state of a parameter: how it begins, and how it is restored, in the moments' own dtypes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch

from ..precision import Precision
from ..rules import Rule

__all__ = ["StateForm"]

_MOST_STEPS = 2.0**63  # the core counts in 64 bits
_FOREIGN = {"max_exp_avg_sq": "amsgrad"}  # state that no rule here keeps -> the setting behind it


@dataclass(frozen=True)
class StateForm:
    """What the state of a parameter holds under a rule: "step", the moments, and any master.

    Whatever else is in it belongs to others, and is left alone.

    names: what torch calls the moments that the core calls otherwise.
    """

    rule: Rule
    names: Mapping[str, str]
    precision: Precision

    def dtypes(self, param: Any) -> dict[str, Any]:
        """Of the moments, and of the master if there is one."""
        found = {self._name(moment): self._dtype(param, moment) for moment in self.rule.moments}
        return {**found, "master": torch.float32} if self._has_master(param) else found

    def begin(self, param: Any, start: Callable[[Any], None]) -> dict[str, Any]:
        """Make the state before the first step; start: fills moments that do not begin as x."""
        state = {"step": torch.zeros((), dtype=torch.float32, device="cpu")}
        for moment in self.rule.moments:
            made = state[self._name(moment)] = _new(param, self._dtype(param, moment))
            if moment in self.rule.starts_at_x:
                made.copy_(param)
            else:
                start(made)
        if self._has_master(param):
            state["master"] = _new(param, torch.float32).copy_(param)
        return state

    def fits(self, param: Any, state: Mapping[str, Any]) -> bool:
        """Whether the state has this form still, which ``model.to(...)`` may have changed."""
        if ("master" in state) != self._has_master(param) or not _is_count(state.get("step")):
            return False
        return all(_is_like(param, state.get(k), dtype) for k, dtype in self.dtypes(param).items())

    def restored(self, name: str, param: Any, saved: Mapping[str, Any]) -> dict[str, Any]:
        """Copy a saved state into this form.

        Raises
        ------
        TypeError, ValueError
            With the parameter's name, where moments are missing, foreign, or of other shapes.
        """
        dtypes = self.dtypes(param)
        _check_saved(name, saved)
        for key in dtypes.keys() - ({"master"} - saved.keys()):
            _check_moment(name, key, param, saved)
        steps = _number_of(name, saved.get("step", bool(dtypes)))  # torch.optim.SGD keeps no count
        state = {"step": torch.tensor(steps, dtype=torch.float32, device="cpu")}
        saved = {"master": param, **saved}
        return state | {key: _new(param, d).copy_(saved[key]) for key, d in dtypes.items()}

    def foreign(self, param: Any, saved: Mapping[str, Any]) -> dict[str, Any]:
        """Copy what others keep in a saved state, tensors to the parameter's device."""
        own = {"step", "master", *self.dtypes(param)}
        return {key: _copied(saved[key], param.device) for key in saved if key not in own}

    def _name(self, moment: str) -> str:
        return self.names.get(moment, moment)

    def _dtype(self, param: Any, moment: str) -> Any:
        if param.dtype == torch.float64:
            return torch.float64
        narrow = self.precision.moments is not None and moment not in self.rule.starts_at_x
        return torch.bfloat16 if narrow else torch.float32

    def _has_master(self, param: Any) -> bool:
        return self.precision.master and param.dtype.itemsize == 2


def _new(param: Any, dtype: Any) -> Any:
    """Make zeros of the parameter's shape and layout."""
    return torch.zeros_like(param, dtype=dtype, memory_format=torch.preserve_format)


def _is_like(param: Any, kept: Any, dtype: Any) -> bool:
    """Whether this is a tensor as `_new` makes it."""
    return (
        isinstance(kept, torch.Tensor)
        and (kept.dtype, kept.shape, kept.device) == (dtype, param.shape, param.device)
        and kept.stride() == param.stride()
    )


def _is_count(kept: Any) -> bool:
    return (
        isinstance(kept, torch.Tensor)
        and (kept.dtype, kept.device.type) == (torch.float32, "cpu")
        and kept.numel() == 1
    )


def _number_of(name: str, step: Any) -> float:
    """Return the count of steps in a saved state.

    Raises
    ------
    ValueError
        With the parameter's name.
    """
    try:
        if 0 <= (steps := float(step)) < _MOST_STEPS:
            return steps
    except (TypeError, ValueError, RuntimeError):
        pass
    raise ValueError(f"the step of {name} is {step!r}; a number of steps is needed")


def _copied(kept: Any, device: Any) -> Any:
    return kept.to(device, copy=True) if isinstance(kept, torch.Tensor) else deepcopy(kept)


def _check_saved(name: str, saved: Any) -> None:
    """Raise for what is no state, or one that no rule here goes on with.

    Raises
    ------
    TypeError, ValueError
        With the parameter's name.
    """
    if not isinstance(saved, Mapping):
        raise TypeError(f"the state of {name} is {saved!r}; a dict is needed")
    for key, setting in _FOREIGN.items():
        if key in saved:
            raise ValueError(f"the state of {name} was made with {setting}, which is not served")


def _check_moment(name: str, key: str, param: Any, saved: Mapping[str, Any]) -> None:
    """Raise unless a saved state has a tensor of real numbers in the parameter's shape.

    Raises
    ------
    TypeError, ValueError
        With the parameter's name.
    """
    kept = saved.get(key)
    if kept is None:
        raise ValueError(f"the state of {name} lacks {key!r}; it has {sorted(saved)}")
    if not isinstance(kept, torch.Tensor) or not kept.is_floating_point():
        kind = getattr(kept, "dtype", type(kept).__name__)
        raise TypeError(f"{key} of {name} is {kind}; a tensor of real numbers is needed")
    if kept.shape != param.shape:
        shape, own = tuple(kept.shape), tuple(param.shape)
        raise ValueError(f"{key} of {name} has shape {shape}, the parameter {own}")
