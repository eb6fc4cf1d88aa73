"""What every plan does in a step, and what it is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from .. import _core
from ..precision import Precision
from ..rules import Rule

__all__ = ["Groups", "Member", "StepPlan", "Terms"]

Groups = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Member:
    """A parameter and its state: the step count and the moments."""

    param: torch.Tensor
    state: dict[str, torch.Tensor]
    group: int  # its index
    place: int  # among all parameters of the optimizer, by which random bits know it
    taken: float  # steps before the plan was made, where "step" may be a rounded count


@dataclass(frozen=True)
class Terms:
    """What all plans of an optimizer share: the parameter groups, their rules, the precision."""

    groups: Groups
    rules: Sequence[Rule]
    precision: Precision
    names: Mapping[str, str]  # of moments, of the core -> of torch's optimizers
    state_of: Callable[[Any, Any], dict[str, Any]]  # a parameter's, in the form it needs now

    @property
    def keys(self) -> tuple[str, ...]:
        """What plans read in states."""
        moments = {moment: None for rule in self.rules for moment in rule.moments}
        return "step", "master", *(self.names.get(moment, moment) for moment in moments)

    def moments(self, member: Member) -> list[Any]:
        """Return a member's moments in the order of its rule."""
        moments = self.rules[member.group].moments
        return [member.state[self.names.get(moment, moment)] for moment in moments]


class StepPlan(ABC):
    """Steps some parameters of an optimizer: gather, ask_schedules, perhaps check, step, let_go."""

    clips: ClassVar[bool]  # by the norm of its gradients, in the pass of the step

    @abstractmethod
    def take_rules(self, rules: list[Rule]) -> bool:
        """Go on with other settings; False where that takes a new plan."""

    @abstractmethod
    def gather(self) -> bool:
        """Look at the gradients; False where they take a plan of another kind."""

    @abstractmethod
    def counts(self) -> Iterator[tuple[torch.Tensor, float]]:
        """Return the counts of steps that states keep, each with what it may be the rounding of."""

    @abstractmethod
    def gradients(self) -> Iterator[tuple[Member, torch.Tensor]]:
        """Members that have a gradient, and it; of a sparse one the values."""

    def grad_norm(self) -> float:
        """Global norm of the gradients."""
        return _core.global_norm([grad for _, grad in self.gradients()])

    def ask_schedules(self) -> None:  # noqa: B027  # most have none
        """Ask each schedule once what it says of this step."""

    @abstractmethod
    def check(self, scale: float) -> None:
        """Raise what `step` would, and change nothing.

        Raises
        ------
        TypeError, ValueError
            For gradients that do not fit, with the parameter's name.
        """

    @abstractmethod
    def step(self, scale: float, max_norm: float | None) -> None:
        """Step what has a gradient, as gathered.

        Raises
        ------
        TypeError, ValueError
            As `check` does; nothing has changed then.
        """

    @abstractmethod
    def let_go(self) -> None:
        """Forget the gradients."""
