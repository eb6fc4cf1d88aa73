"""Parameters whose rows are stepped by themselves: sparse gradients, and rows that rest at zero.

A row that is left out makes up for its steps later, with the bits of a row that was not.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from typing_extensions import override

from .. import _core
from ..annealing import first_spec
from ..precision import Precision
from ..rules import Rule
from ..step import is_euclidean
from ..top_k import TopK
from .gradients import dense_rows, laid_out
from .inputs import name_of, penalty_of
from .plan import tell_autograd
from .step_plan import Groups, Member, StepPlan, Terms

__all__ = ["RowPlan", "check_rows_precision", "skips_rows", "takes_rows"]


def takes_rows(param: Any, group: Any) -> bool:
    """Whether the parameter's rows are to be stepped by themselves."""
    if param.grad is not None and param.grad.is_sparse:
        return True
    return skips_rows(param, group)


def skips_rows(param: Any, group: Any) -> bool:
    """Whether the parameter's rows are passed over while they rest at zero."""
    return bool(group["skip_zero_rows"]) and penalty_of(group, param) is not None


def check_rows_precision(groups: Groups, param: Any, rule: Rule, precision: Precision) -> None:
    """Raise where something is kept in 16 bits that rows do not serve.

    groups: know the parameter's name.

    Raises
    ------
    ValueError
        With the parameter's name.
    """
    narrow = param.dtype.itemsize == 2 and (precision.master or precision.stochastic)
    keeps = set(rule.moments) - set(rule.starts_at_x)
    if narrow or (precision.moments is not None and keeps and param.dtype != torch.float64):
        raise ValueError(
            f"{name_of(groups, param)}: bfloat16 moments, masters and stochastic rounding are not "
            "served where rows are stepped by themselves, for sparse gradients or skip_zero_rows"
        )


class RowPlan(StepPlan):
    """Steps the rows of one parameter that have a gradient.

    Parameters
    ----------
    member : Member
    terms : Terms

    Raises
    ------
    ValueError
        For moments in bfloat16, masters and stochastic rounding, which rows do not serve.
    """

    clips: ClassVar[bool] = False  # the norm of its gradients must be asked for

    def __init__(self, member: Member, terms: Terms) -> None:
        rule = terms.rules[member.group]
        check_rows_precision(terms.groups, member.param, rule, terms.precision)
        self._warned = False  # of steps that were lost
        self._grad: Any = None
        self._take(member, terms)
        with self._named():
            self._core = _core.RowPlan(*self._arrays(), self._euclidean, int(member.taken))

    def _take(self, member: Member, terms: Terms) -> None:
        group = terms.groups[member.group]
        self._member, self._terms, self._groups = member, terms, terms.groups
        self._group = group
        self._rule = terms.rules[member.group]
        self._penalty, self._metric = penalty_of(group, member.param), group["metric"]
        self._euclidean = is_euclidean(self._metric)
        self._sign = -1.0 if group["maximize"] else 1.0
        self._moments = terms.moments(member)
        self._count = float(member.state["step"])
        self._remember()

    def _remember(self) -> None:
        """Keep in mind where everything lies and that nobody else has written since."""
        self._addresses = [t.data_ptr() for t in (self._member.param, *self._moments)]
        self._version = self._member.param._version

    def _arrays(self) -> tuple[Any, tuple[Any, ...], Any, Any]:
        if isinstance(self._penalty, TopK):
            raise ValueError(f"{self._penalty!r} selects among all rows; this is stepped by rows")
        moments = tuple(moment.detach() for moment in self._moments)
        spec = first_spec(self._penalty)
        return self._member.param.detach(), moments, self._rule.spec, spec

    @contextmanager
    def _named(self, what: str = "") -> Iterator[None]:
        try:
            yield
        except (TypeError, ValueError) as error:
            name = name_of(self._groups, self._member.param)
            raise type(error)(f"{what}{name}: {error}") from None

    def _follow(self) -> None:
        """Go on in other memory; what others have written into the rows stands as it is."""
        moved = [t.data_ptr() for t in (self._member.param, *self._moments)] != self._addresses
        if moved:
            param = self._member.param
            state = self._terms.state_of(param, self._group)  # in the parameter's dtype
            self._member = dataclasses.replace(self._member, state=state)
            self._moments = self._terms.moments(self._member)
            with self._named():
                self._core.rebind(*self._arrays(), self._euclidean)
        if self.is_written() and self._core.forget():
            self._warn()
        self._remember()

    def _warn(self) -> None:
        """Say once that rows have lost steps: it is not known which of them were written."""
        if not self._warned:
            warnings.warn(
                f"{name_of(self._groups, self._member.param)} was written in place while rows "
                "owed steps of the optimizer, shrinkage included: these are lost. Call flush() "
                "before you write into a parameter with sparse gradients, and let the optimizer "
                "follow an embedding with max_norm",
                stacklevel=2,
            )
        self._warned = True

    def is_written(self) -> bool:
        """Whether somebody else has written into the parameter since."""
        return bool(self._member.param._version != self._version)

    def accept(self) -> None:
        """Go on with what was written into rows that are at the present."""
        self._version = self._member.param._version

    def move(self, member: Member, terms: Terms) -> bool:
        """Go on under other terms, with no row waiting; False where that takes a new plan."""
        if not self._counts(member) or terms.rules[member.group].name != self._rule.name:
            return False
        self._take(member, terms)
        with self._named():
            self._core.rebind(*self._arrays(), self._euclidean)
        return True

    @override
    def take_rules(self, rules: list[Rule]) -> bool:
        new = rules[self._member.group]
        goes_on = self._counts(self._member) and new.name == self._rule.name
        if goes_on:
            self._rule = new
        return goes_on

    def _counts(self, member: Member) -> bool:
        """Whether nobody else has set the count of steps, which from 2^24 on is a rounded one."""
        return float(member.state["step"]) == self._count

    @override
    def gather(self) -> bool:
        """Look at the gradient; False where it is dense and all rows are to be stepped.

        Rows that a sparse one names twice are added up.
        """
        self._grad = self._member.param.grad
        if self._grad is None:
            return True
        if not self._grad.is_sparse:
            self._grad = laid_out(self._member.param, self._grad)
        elif not self._grad.is_coalesced():
            self._grad = self._member.param.grad = self._grad.coalesce()
        return takes_rows(self._member.param, self._group)

    @override
    def let_go(self) -> None:
        self._grad = None

    @override
    def counts(self) -> Iterator[tuple[torch.Tensor, float]]:
        if self._counts(self._member):
            yield self._member.state["step"], self._core.now

    @override
    def gradients(self) -> Iterator[tuple[Member, torch.Tensor]]:
        if self._grad is not None:
            yield self._member, self._lent()[1]

    @override
    def check(self, scale: float) -> None:
        if self._grad is not None:
            self._follow()
            with self._named("the gradient of "):
                self._core.check(*self._lent(), self._sign * scale)

    @override
    def step(self, scale: float, max_norm: float | None) -> None:
        if self._grad is None:
            return
        self._follow()
        with self._named("the gradient of "):
            self._step(*self._lent(), self._sign * scale)
        self._count = float(self._member.state["step"].fill_(self._core.now))
        self._tell()

    def _lent(self) -> tuple[Any, Any]:
        """Return which rows have a gradient, None for all, and their gradients."""
        return dense_rows(self._grad) if self._grad.is_sparse else (None, self._grad)

    def _step(self, indices: Any, values: Any, scale: float) -> None:
        if indices is None:
            self._core.step_awake(self._rule.spec, values, scale)
        else:
            self._core.step_rows(self._rule.spec, indices, values, scale)

    def _tell(self) -> None:
        tell_autograd([self._member.param])
        self._remember()

    def catch_up(self, rows: torch.Tensor) -> None:
        """Bring rows to the present."""
        self._follow()
        if self._core.catch_up(rows.detach().reshape(-1).to("cpu", torch.int64)):
            self._tell()

    def flush(self) -> None:
        """Bring all rows to the present."""
        self._follow()
        if self._core.flush():
            self._tell()

    def is_of(self, state: Any) -> bool:
        """Whether this is the state that the plan steps."""
        return state is self._member.state
