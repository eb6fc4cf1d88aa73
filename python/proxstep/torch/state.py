"""The state of a parameter: how it begins, and how it is restored, in the moments' own dtypes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..precision import Precision
from ..rules import Rule
from .options import PROGRAM

__all__ = ["StateForm", "merged_groups", "saved_states"]

_FOREIGN = {"max_exp_avg_sq": "amsgrad"}  # state that no rule here keeps -> the setting behind it


@dataclass(frozen=True)
class StateForm:
    """What the state of a parameter holds under a rule: "step", the moments, and any master.

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
        """Whether the state is of this form still, which ``model.to(dtype)`` may have changed."""
        own = {k: (v.dtype, v.shape) for k, v in state.items() if k != "step"}
        return own == {k: (dtype, param.shape) for k, dtype in self.dtypes(param).items()}

    def restored(self, name: str, param: Any, saved: Mapping[str, Any]) -> dict[str, Any]:
        """Copy a saved state into this form.

        Raises
        ------
        ValueError
            With the parameter's name, where moments are missing, foreign, or of other shapes.
        """
        dtypes = self.dtypes(param)
        _check_moments(name, param, saved, set(dtypes) - {"master"})
        steps = float(saved.get("step", bool(dtypes)))  # torch.optim.SGD keeps no count
        state = {"step": torch.tensor(steps, dtype=torch.float32, device="cpu")}
        saved = {"master": param, **saved}
        return state | {key: _new(param, d).copy_(saved[key]) for key, d in dtypes.items()}

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


def merged_groups(groups: Sequence[Mapping[str, Any]], state_dict: Any) -> list[dict[str, Any]]:
    """Return the saved groups with what a state does not say taken from the present ones.

    But no penalties: they would be copied.

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
        {name: value for name, value in own.items() if name != "penalty"}
        | {name: value for name, value in new.items() if name not in PROGRAM}
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


def _check_moments(name: str, param: Any, saved: Mapping[str, Any], moments: Iterable[str]) -> None:
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
