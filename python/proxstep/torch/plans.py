"""All plans of an optimizer: made anew where something has moved, and followed else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..checks import count
from ..precision import Precision
from ..rules import Rule
from .footing import Footing
from .inputs import check_selections
from .plan import NativePlan
from .rows import RowPlan, takes_rows
from .step_plan import Member, StepPlan, Terms

__all__ = ["Owner", "Plans"]

Group = Mapping[str, Any]


@dataclass(frozen=True)
class Owner:
    """What plans ask of their optimizer."""

    settings: Sequence[str]  # names of what a group's rule depends on
    make_rule: Callable[[Group], Rule]
    state_of: Callable[[Any, Group], dict[str, Any]]
    names: Mapping[str, str]  # of moments, of the core -> of torch's optimizers
    precision: Precision


class Plans:
    """One plan for each device and direction, and one for each parameter stepped by rows."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._plans: list[StepPlan] = []
        self._by_rows: dict[Any, RowPlan] = {}  # of a parameter
        self._footing: Footing | None = None  # what the plans stand on
        self._rules: list[tuple[list[Any], Rule]] = []  # of the last step, with their settings

    def present(self, state: Mapping[Any, Any], groups: Sequence[Group]) -> list[Any]:
        """Return the plans, with the gradients and settings of this step."""
        rules = self._present_rules(groups)
        stands = self._footing is not None and self._footing.holds(state, groups)
        if not (stands and all(plan.take_rules(rules) and plan.gather() for plan in self._plans)):
            own = self._owner
            self._make(state, Terms(groups, rules, own.precision, own.names, own.state_of))
            for plan in self._plans:
                plan.gather()
        return self._plans

    def let_go(self) -> None:
        """Forget the gradients."""
        for plan in self._plans:
            plan.let_go()

    def of_rows(self, param: Any) -> RowPlan | None:
        """Return the plan of a parameter that is stepped by rows."""
        return self._by_rows.get(param)

    def flush(self, state: Mapping[Any, Any]) -> None:
        """Bring all rows to the present, but of parameters whose state was replaced."""
        for param, plan in self._by_rows.items():
            if plan.is_of(state.get(param)):
                plan.flush()

    def leave(self, state: Mapping[Any, Any]) -> None:
        """Bring the rows to the present whose state is to be replaced; what was written stands."""
        for param, plan in self._by_rows.items():
            if plan.is_of(state.get(param)) and not plan.is_written():
                plan.flush()

    def _make(self, state: Mapping[Any, Any], terms: Terms) -> None:
        for group in terms.groups:
            count("min_ndim", group["min_ndim"])
        check_selections(terms.groups)
        self.flush(state)  # under the old terms
        dense: dict[tuple[Any, bool], list[Member]] = {}
        by_rows: dict[Any, RowPlan] = {}
        for member in self._members(state, terms):
            p, group = member.param, terms.groups[member.group]
            if takes_rows(p, group) or (p.grad is None and p in self._by_rows):
                by_rows[p] = self._row_plan(member, terms)
            else:
                dense.setdefault((p.device, bool(group["maximize"])), []).append(member)
        self._by_rows = by_rows
        self._plans = [NativePlan(own, terms, up) for (_, up), own in dense.items()]
        self._plans += by_rows.values()
        self._footing = Footing(state, terms)

    def _members(self, state: Mapping[Any, Any], terms: Terms) -> Iterator[Member]:
        """Return the parameters that have a gradient or had one, with their states."""
        counts = self._counts()
        params = [(p, index) for index, group in enumerate(terms.groups) for p in group["params"]]
        for place, (p, index) in enumerate(params):
            if p.grad is None and "step" not in state.get(p, ()):
                continue
            known = counts.get(id(state.get(p, {}).get("step")))
            own = self._owner.state_of(p, terms.groups[index])
            yield Member(p, own, index, place, known[1] if known else float(own["step"]))

    def _counts(self) -> dict[int, tuple[torch.Tensor, float]]:
        """Return the present plans' counts by identity, with what they may be the rounding of."""
        return {id(own[0]): own for plan in self._plans for own in plan.counts()}

    def _row_plan(self, member: Member, terms: Terms) -> RowPlan:
        plan = self._by_rows.get(member.param)
        if plan is None or not plan.is_of(member.state) or not plan.move(member, terms):
            return RowPlan(member, terms)
        return plan

    def _present_rules(self, groups: Sequence[Group]) -> list[Rule]:
        """Return the groups' rules, the same objects while their settings stay the same."""
        known, self._rules = self._rules, []
        for k, group in enumerate(groups):
            settings = [_number(group[name]) for name in self._owner.settings]
            same = k < len(known) and known[k][0] == settings
            rule = known[k][1] if same else self._owner.make_rule(group)
            self._rules.append((settings, rule))
        return [rule for _, rule in self._rules]


def _number(setting: Any) -> Any:
    """Return a copy that nobody changes in place."""
    if isinstance(setting, list | tuple):
        return [_number(own) for own in setting]
    return float(setting) if isinstance(setting, torch.Tensor) else setting
