"""The parameters of one device as the core sees them: one native call steps them all."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import torch
from typing_extensions import override

from .. import _core
from ..annealing import Annealed
from ..quantize import Quantize
from ..rules import Rule
from ..selections import Selections
from ..step import is_euclidean
from ..top_k import TopK
from .gradients import laid_out, local_gradient
from .inputs import local, name_of, penalty_of
from .step_plan import Member, StepPlan, Terms

__all__ = ["NativePlan"]


def tell_autograd(params: Sequence[torch.Tensor]) -> None:
    """Let a later backward through what was computed before the step fail, as torch's own would."""
    torch.autograd.graph.increment_version(params)


def is_captured(on_device: bool) -> bool:
    """Return whether a step becomes part of a CUDA graph, which keeps its count and its rates."""
    return on_device and torch.cuda.is_current_stream_capturing()


class NativePlan(StepPlan):
    """One native call that steps all members.

    Parameters
    ----------
    members : list of Member
    terms : Terms
    maximize : bool
        Whether to go up.
    """

    clips: ClassVar[bool] = True  # by the norm of its gradients, in the pass of the step

    def __init__(self, members: list[Member], terms: Terms, maximize: bool) -> None:
        self._members = members
        self._params = [member.param for member in members]
        self._steps = [member.state["step"] for member in members]
        self._on_device = any(param.is_cuda for param in self._params)
        self._are_sharded = any(local(param) is not param for param in self._params)
        self._groups = terms.groups
        self._sign = -1.0 if maximize else 1.0
        self._rules = list(terms.rules)
        self._grads: list[Any] = []
        self._keep: list[int | float] = []  # of selections, in this step
        self._selections = Selections()
        self._annealed = Annealed()
        self._counts: dict[int, list[torch.Tensor]] = defaultdict(list)  # of a penalty's members
        self._core = _core.Plan(None, terms.precision.seed, terms.precision.stochastic)
        for group, rule in zip(terms.groups, terms.rules, strict=True):
            self._core.add_group(rule.spec, is_euclidean(group["metric"]))
        for k, member in enumerate(members):
            self._add(k, member, terms.moments(member))
        self._check_overlaps()

    def _add(self, k: int, member: Member, moments: list[Any]) -> None:
        count, master = self._steps[k], member.state.get("master")
        penalty = penalty_of(self._groups[member.group], member.param)
        self._counts[id(penalty)].append(count)
        try:
            self._core.add(
                member.group,
                local(member.param).detach(),
                tuple(local(moment).detach() for moment in moments),
                self._annealed.spec(k, penalty),
                count,
                None if master is None else local(master).detach(),
                selection=self._selections.number(penalty),
                place=member.place,
            )
            self._core.set_taken(k, member.taken)
        except (TypeError, ValueError) as error:
            raise type(error)(self._named(str(error))) from None

    def _check_overlaps(self) -> None:
        try:
            self._core.check_overlaps()
        except ValueError as error:
            raise ValueError(self._named(str(error)) + "; list tied weights once") from None

    def _taken(self, penalty: TopK | Quantize) -> int:
        """Return how many steps the members of a penalty have taken, its schedule's update."""
        if isinstance(penalty, TopK) and penalty.schedule is None:
            return 0
        return int(max(float(count) for count in self._counts[id(penalty)]))

    @override
    def take_rules(self, rules: list[Rule]) -> bool:
        if any(old.name != new.name for old, new in zip(self._rules, rules, strict=True)):
            return False
        for index, new in enumerate(rules):
            if new is not self._rules[index]:
                self._core.set_rule(index, new.spec)
        self._rules = list(rules)
        return True

    @override
    def gather(self) -> bool:
        if is_captured(self._on_device):
            raise RuntimeError(
                "a CUDA graph would repeat the very step that it captures, with its learning rates "
                "and its number: step outside of it, or with ps.Optimizer(..., capturable=True)"
            )
        self._grads = [param.grad for param in self._params]
        if self._are_sharded:
            pairs = zip(self._params, self._grads, strict=True)
            self._grads = [None if g is None else local_gradient(p, g) for p, g in pairs]
        return not any(grad is not None and grad.is_sparse for grad in self._grads)

    @override
    def counts(self) -> Iterator[tuple[torch.Tensor, float]]:
        for k, step in enumerate(self._steps):
            yield step, self._core.taken(k, float(step))

    @override
    def gradients(self) -> Iterator[tuple[Member, torch.Tensor]]:
        for member, grad in zip(self._members, self._grads, strict=True):
            if grad is not None:
                yield member, grad

    @override
    def let_go(self) -> None:
        self._grads = []

    @override
    def ask_schedules(self) -> None:
        self._keep = self._selections.kept(self._taken) if self._selections else []
        if self._annealed:
            self._annealed.set(self._core, self._taken)

    @override
    def check(self, scale: float) -> None:
        self._hand_over(lambda: self._core.check(self._grads, self._sign * scale, self._keep))

    @override
    def step(self, scale: float, max_norm: float | None) -> None:
        scale, limit = self._sign * scale, 0.0 if max_norm is None else max_norm
        self._hand_over(
            lambda: self._core.step(self._grads, 0.0, [], scale, limit, False, keep=self._keep)
        )
        tell_autograd([member.param for member, _ in self.gradients()])

    def _hand_over(self, call: Callable[[], object]) -> None:
        """Let the core look at the gradients, laid out for it where that is what it misses."""
        try:
            call()
        except (TypeError, ValueError) as error:
            if not self._lay_out():
                raise type(error)(self._named(str(error))) from None
            self._hand_over(call)

    def _lay_out(self) -> bool:
        """Bring gradients into the memory order of their parameters; whether any was not."""
        given = self._grads
        self._grads = [
            None if grad is None else laid_out(local(param), grad)
            for param, grad in zip(self._params, given, strict=True)
        ]
        return any(a is not b for a, b in zip(given, self._grads, strict=True))

    def _named(self, message: str) -> str:
        def name(match: re.Match[str]) -> str:
            own = name_of(self._groups, self._members[int(match[2])].param)
            return own if match[1] == "params" else f"the gradient of {own}"

        return re.sub(r"(grads|params)\[(\d+)\]", name, message)
