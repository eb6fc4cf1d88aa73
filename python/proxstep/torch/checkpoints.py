"""An optimizer's state: made where a parameter has none, given out, and taken over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from ..rules import Rule
from .inputs import name_of
from .options import PROGRAM, Whole
from .state import StateForm, merged_groups, saved_states

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

    def _form(self, group: Mapping[str, Any]) -> StateForm:
        return StateForm(self._make_rule(group), self.moment_names, self.whole.precision)

    def _state_of(self, param: Any, group: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameter's state, made where it has none and of the form that is needed."""
        state, form = self.state[param], self._form(group)
        if not state:
            self.state[param] = form.begin(param, lambda moment: self._start(moment, group))
        elif not form.fits(param, state):
            begun = form.begin(param, lambda moment: self._start(moment, group))
            whole = {**begun, **state}  # a momentum that was zero has no moment yet
            self.state[param] = form.restored(name_of(self.param_groups, param), param, whole)
        own: dict[str, Any] = self.state[param]
        return own

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

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state, of this optimizer or of its namesake in torch.optim.

        The settings are those of the state, but the penalties, `metric`, `min_ndim`,
        `skip_zero_rows` and what the state does not know stay as they are.

        Parameters
        ----------
        state_dict : dict

        Raises
        ------
        TypeError, ValueError
            Where groups, names or shapes differ; nothing has changed then.
        """
        merged = merged_groups(self.param_groups, state_dict)
        for group in merged:
            self._make_rule(group)  # refuses bad settings
        state = {
            param: self._form(group).restored(name_of(self.param_groups, param), param, saved)
            for param, group, saved in saved_states(self.param_groups, merged, state_dict)
        }
        penalties = [group["penalty"] for group in self.param_groups]
        super().load_state_dict({"state": {}, "param_groups": merged})
        for group, penalty in zip(self.param_groups, penalties, strict=True):
            group["penalty"] = penalty
        self.state.update(state)
