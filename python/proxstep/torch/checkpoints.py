"""An optimizer's state: made where a parameter has none, given out, and taken over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from copy import copy
from typing import Any, ClassVar

import torch

from ..rules import Rule
from .inputs import name_of
from .options import PROGRAM, Whole, check_served
from .state import StateForm
from .state_dict import merged_groups, saved_states, unmatched_states

__all__ = ["Checkpointed"]


class Checkpointed(torch.optim.Optimizer):  # type: ignore[misc]  # torch is not looked at
    """An optimizer whose state is torch's, with moments in dtypes of their own."""

    whole: Whole
    moment_names: ClassVar[Mapping[str, str]] = {}  # of the core -> of torch's optimizers

    def _make_rule(self, group: Mapping[str, Any]) -> Rule:
        raise TypeError(f"{type(self).__name__} has no rule; use ProxSGD, ProxAdamW or another")

    def _start(self, moment: torch.Tensor, group: Mapping[str, Any]) -> None:
        """Fill a moment that begins neither at zero nor as the parameter."""

    def flush(self) -> None:
        """Bring to the present what the state and the parameters owe."""

    def _leave(self) -> None:
        """Let parameters stand for themselves, whose state is to be replaced."""

    def _form(self, group: Mapping[str, Any]) -> StateForm:
        return StateForm(self._make_rule(group), self.moment_names, self.whole.precision)

    def _state_of(self, param: Any, group: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameter's state, made where it has none and of the form that is needed."""
        form = self._form(group)
        state: dict[str, Any] = self.state[param]
        if not form.fits(param, state):
            begun = form.begin(param, lambda moment: self._start(moment, group))
            if known := {key: kept for key, kept in state.items() if kept is not None}:
                whole = {**begun, **known}  # a momentum that was zero has no moment yet
                begun = form.restored(name_of(self.param_groups, param), param, whole)
            state.pop("master", None)
            state.update(begun)
        return state

    def state_dict(self) -> dict[str, Any]:
        """Return the state as torch's optimizers do, without the penalties and how they apply.

        Returns
        -------
        dict
            "state" and "param_groups"; the tensors are not copied.
        """
        self.flush()
        state: dict[str, Any] = super().state_dict()
        for group in state["param_groups"]:
            for name in PROGRAM:
                group.pop(name, None)
        return state

    @torch._disable_dynamo  # type: ignore[untyped-decorator]  # as torch's own
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state, of this optimizer or of its namesake in torch.optim.

        The settings are those of the state, but the penalties, `metric`, `min_ndim`,
        `skip_zero_rows` and what the state does not know stay as they are. Within a group,
        parameters are matched by name where both sides have the same names, else by place, as by
        torch; whatever else is to be matched takes a `register_load_state_dict_pre_hook`.

        Parameters
        ----------
        state_dict : dict
            It is copied.

        Raises
        ------
        TypeError, ValueError
            Where groups or shapes differ, and for options that are not served; nothing has changed
            then.
        """
        given = self._adapted(state_dict)
        groups = merged_groups(self.param_groups, given)
        for settings in groups:
            check_served(settings)
            self._make_rule(settings)  # refuses bad ones
        state: defaultdict[Any, Any] = defaultdict(dict, unmatched_states(given))
        for param, name, group, saved in saved_states(groups, given):
            form = self._form(group)
            state[param] = form.restored(name, param, saved) | form.foreign(param, saved)
        self._leave()
        self.__setstate__({"state": state, "param_groups": groups})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def _adapted(self, state_dict: Any) -> Any:
        """Return what the hooks make of a shallow copy of the state."""
        state_dict = copy(state_dict)
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            adapted = hook(self, state_dict)
            state_dict = state_dict if adapted is None else adapted
        return state_dict
