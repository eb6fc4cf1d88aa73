"""Parameters whose rows are stepped by themselves: sparse gradients, and rows that rest at zero.

A row that is left out makes up for its steps later, with the bits of a row that was not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import torch

from .. import _core
from ..annealing import Annealed
from ..rules import Rule
from ..step import is_euclidean
from ..top_k import TopK
from .inputs import name_of, penalty_of
from .plan import Groups, Member, Terms, tell_autograd

__all__ = ["RowPlan", "takes_rows"]


def takes_rows(param: Any, group: Any) -> bool:
    """Whether the parameter's rows are to be stepped by themselves."""
    if param.grad is not None and param.grad.is_sparse:
        return True
    return bool(group["skip_zero_rows"]) and penalty_of(group, param) is not None


class RowPlan:
    """Steps the rows of one parameter that have a gradient.

    Parameters
    ----------
    member : Member
    terms : Terms

    Raises
    ------
    ValueError
        For 16-bit parameters with masters or stochastic rounding, which rows do not serve.
    """

    clips: ClassVar[bool] = False  # the norm of its gradients must be asked for

    def __init__(self, member: Member, terms: Terms) -> None:
        self._member = member
        self._groups = terms.groups
        self._rule = terms.rules[member.group]
        if "master" in member.state or (
            terms.precision.stochastic and member.param.dtype.itemsize == 2
        ):
            name = name_of(terms.groups, member.param)
            raise ValueError(
                f"{name}: masters and stochastic rounding are not served where rows are stepped by "
                "themselves, for sparse gradients or skip_zero_rows"
            )
        self._address = member.param.data_ptr()
        euclidean = is_euclidean(terms.groups[member.group]["metric"])
        taken = int(member.state["step"])
        x, moments, rule, penalty = self._arrays()
        self._core = _core.RowPlan(x, moments, rule, penalty, euclidean, taken)

    def _arrays(self) -> tuple[Any, tuple[Any, ...], Any, Any]:
        penalty = penalty_of(self._groups[self._member.group], self._member.param)
        if isinstance(penalty, TopK):
            name = name_of(self._groups, self._member.param)
            raise ValueError(f"{penalty!r} selects among all rows; {name} is stepped by rows")
        moments = tuple(v for name, v in self._member.state.items() if name != "step")
        spec = Annealed().spec(0, penalty)
        return self._member.param, moments, self._rule.spec, spec

    def move(self, member: Member, groups: Groups) -> None:
        """Go on with arrays that have moved, or under another penalty."""
        if member.param.data_ptr() == self._address:
            self.flush()  # under the old one
        self._address = member.param.data_ptr()
        self._member, self._groups = member, groups
        self._core.rebind(*self._arrays())

    def take_rules(self, rules: list[Rule]) -> bool:
        """Go on with other settings; False where the rule is now of another kind."""
        new = rules[self._member.group]
        if new.name != self._rule.name:
            self.flush()
            return False
        self._rule = new
        return True

    def gather(self) -> bool:
        """Look at the gradient; rows that a sparse one names twice are added up."""
        grad = self._member.param.grad
        if grad is not None and grad.is_sparse and not grad.is_coalesced():
            self._member.param.grad = grad.coalesce()
        return True

    def gradients(self) -> Iterator[tuple[Member, torch.Tensor]]:
        """Return the parameter and its gradient, if there is one; a sparse one's values."""
        grad = self._member.param.grad
        if grad is not None:
            yield self._member, grad.values() if grad.is_sparse else grad

    def grad_norm(self) -> float:
        """Norm of the gradient."""
        return _core.global_norm([grad for _, grad in self.gradients()])

    def step(self, scale: float, max_norm: float | None) -> None:
        """Step the rows that have a gradient.

        Raises
        ------
        TypeError, ValueError
            For a gradient that does not fit, with the parameter's name; nothing has changed then.
        """
        grad = self._member.param.grad
        if grad is None:
            return
        if self._groups[self._member.group]["maximize"]:
            scale = -scale
        try:
            self._step(grad, scale)
        except (TypeError, ValueError) as error:
            name = name_of(self._groups, self._member.param)
            raise type(error)(f"the gradient of {name}: {error}") from None
        self._member.state["step"] += 1
        tell_autograd([self._member.param])

    def _step(self, grad: Any, scale: float) -> None:
        if not grad.is_sparse:
            self._core.step_awake(self._rule.spec, grad, scale)
            return
        if grad.sparse_dim() != 1:
            raise TypeError(
                f"{grad.sparse_dim()} of its dimensions are sparse; 1 is served, the rows"
            )
        self._core.step_rows(self._rule.spec, grad.indices()[0], grad.values(), scale)

    def catch_up(self, rows: torch.Tensor) -> None:
        """Bring rows to the present."""
        self._core.catch_up(rows.detach().reshape(-1).to("cpu", torch.int64))

    def flush(self) -> None:
        """Bring all rows to the present."""
        self._core.flush()
