"""What the proximal optimizers share: torch's interface around one native call a step.

torch owns the parameters and the state; a plan of the core points into both and follows them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Literal, TypedDict

import torch

from .. import _core
from ..checks import nearest, positive
from ..penalties import Penalty
from ..precision import Precision, Rounding
from ..projections import TopK
from ..rules import Moments, Rule
from ..step import Metric
from .footing import Footing
from .inputs import check_group, check_selections, name_of, own_options
from .plan import Member, NativePlan, Terms
from .rows import RowPlan, takes_rows
from .saved import check_moments, merged_groups, new_moment, saved_states

__all__ = ["Options", "ProxOptimizer"]

_OWN = ("max_norm", "nonfinite", "precision", "_setting_names")  # pickled besides torch's
_WHOLE = {"max_norm", "nonfinite", "moments", "rounding", "master", "seed"}  # not of one group
_NONFINITE = ("ignore", "raise", "skip")
_DEFAULTS: dict[str, Any] = {
    "penalty": None,
    "metric": "diagonal",
    "min_ndim": 2,
    "maximize": False,
    "max_norm": None,
    "nonfinite": "ignore",
    "skip_zero_rows": False,
    "moments": None,
    "rounding": "nearest",
    "master": False,
    "seed": 0,
}


class Options(TypedDict, total=False):
    """What all the optimizers take by keyword; described at `ProxSGD`."""

    penalty: Penalty | TopK | None
    metric: Metric
    min_ndim: int
    maximize: bool
    max_norm: float | None
    nonfinite: Literal["ignore", "raise", "skip"]
    skip_zero_rows: bool
    moments: Moments
    rounding: Rounding
    master: bool
    seed: int


class ProxOptimizer(torch.optim.Optimizer):  # type: ignore[misc]  # torch is not looked at
    """What `ProxSGD`, `ProxAdamW`, `ProxAdagrad` and `ProxRDA` share; not used by itself.

    Every step is one native pass over the parameters, gradients and moments of each device: rule,
    then prox. A parameter whose gradient is None is left alone, its penalty included.

    State is torch's: ``state[p]`` holds "step", a float32 on the CPU, and the moments in float32
    (float64 for float64 parameters) under the names of torch's own optimizers. `state_dict` leaves
    the penalties out: they are settings of your program, as the model's code is, so a checkpoint
    can be continued with another penalty, and ``torch.load(..., weights_only=True)`` reads it.
    """

    moment_names: ClassVar[Mapping[str, str]] = {}  # of the core -> of torch's optimizers

    def __init__(self, params: Any, defaults: dict[str, Any], options: Options) -> None:
        given: dict[str, Any] = {**_DEFAULTS, **own_options(options, _DEFAULTS)}
        self.max_norm: float | None = given.pop("max_norm")
        self.nonfinite: str = given.pop("nonfinite")
        self.precision = Precision(
            given.pop("moments"), given.pop("rounding"), given.pop("master"), given.pop("seed")
        )
        if self.max_norm is not None:
            positive("max_norm", self.max_norm)
        if self.nonfinite not in _NONFINITE:
            raise ValueError(
                f"nonfinite is {self.nonfinite!r}; {nearest(self.nonfinite, _NONFINITE)}"
            )
        self._plans: list[NativePlan | RowPlan] = []
        self._row_plans: dict[Any, RowPlan] = {}  # by parameter
        self._footing: Footing | None = None  # what the plans stand on
        self._rules: list[tuple[list[Any], Rule]] = []  # of the last step, with their settings
        self._setting_names = tuple(defaults)
        super().__init__(params, {**defaults, **given})

    def _make_rule(self, group: Mapping[str, Any]) -> Rule:
        raise NotImplementedError

    def _start(self, name: str, moment: torch.Tensor, group: Mapping[str, Any]) -> None:
        """Fill a moment that does not begin at zero."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters with settings of its own, as for torch's optimizers.

        Parameters
        ----------
        param_group : dict
            "params", and what differs from the defaults: "penalty", "lr" and the others.

        Raises
        ------
        TypeError, ValueError
            For settings out of their range and for parameters that cannot be stepped: complex,
            not dense, or of a shape that the penalty does not fit. The group is not added then.
        """
        for name in _WHOLE & param_group.keys():
            raise ValueError(f"{name} is a setting of the whole optimizer, not of a group")
        super().add_param_group(param_group)
        try:
            check_selections(self.param_groups)
            check_group(self.param_groups[-1], self._make_rule(self.param_groups[-1]))
        except (TypeError, ValueError):
            self.param_groups.pop()
            raise

    @torch._disable_dynamo  # type: ignore[untyped-decorator]  # native: nothing to compile
    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step.

        Parameters
        ----------
        closure : callable, optional
            Clears the gradients, computes the loss and its gradients, and returns the loss.

        Returns
        -------
        What the closure returned, or None.

        Raises
        ------
        TypeError, ValueError
            For gradients that do not fit; nothing has changed then, and the parameter is named.
        FloatingPointError
            With ``nonfinite="raise"``, for a gradient with NaN or infinity.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        scale = self._unscaled()
        if scale is not None:
            self._step(scale)
        return loss

    @property
    def _step_supports_amp_scaling(self) -> bool:
        """Whether torch's GradScaler leaves the scale and what it found to the step.

        Where it would refuse the gradients otherwise, float16 ones, and on the CPU, where reading
        them waits for nothing. Elsewhere not: Lightning clips no gradients of such optimizers.
        """
        params = [p for group in self.param_groups for p in group["params"]]
        return all(p.device.type == "cpu" for p in params) and any(
            p.dtype == torch.float16 for p in params
        )

    def _unscaled(self) -> float | None:
        """Factor of the gradients by a GradScaler's scale; None where it found infinities."""
        found, scale = getattr(self, "found_inf", None), getattr(self, "grad_scale", None)
        if found is not None and float(found):
            return None
        return 1.0 if scale is None else 1.0 / float(scale)

    def _step(self, scale: float) -> None:
        plans = self._following_plans()
        max_norm = self.max_norm
        clips = len(plans) == 1 and plans[0].clips
        if self.nonfinite != "ignore" or (max_norm and not clips):
            norm = scale * math.hypot(*(plan.grad_norm() for plan in plans))
            if not math.isfinite(norm) and self.nonfinite != "ignore":
                return self._refuse_nonfinite(plans)
            if max_norm and norm > max_norm:
                scale *= max_norm / norm
            max_norm = None
        for plan in plans:
            plan.step(scale, max_norm)

    def _refuse_nonfinite(self, plans: Iterable[NativePlan | RowPlan]) -> None:
        if self.nonfinite == "skip":
            return
        for plan in plans:
            for member, grad in plan.gradients():
                if not math.isfinite(_core.global_norm([grad])):
                    name = name_of(self.param_groups, member.param)
                    raise FloatingPointError(f"the gradient of {name} is not finite")

    def _following_plans(self) -> list[NativePlan | RowPlan]:
        """Return the plans with their gradients, made anew where something has moved."""
        rules = self._present_rules()
        stands = self._footing is not None and self._footing.holds(self.state, self.param_groups)
        if not (stands and all(plan.take_rules(rules) and plan.gather() for plan in self._plans)):
            self._make_plans(rules)
            for plan in self._plans:
                plan.gather()
        return self._plans

    def _make_plans(self, rules: list[Rule]) -> None:
        """One for each device and direction, and one for each parameter that is stepped by rows."""
        check_selections(self.param_groups)
        dense: dict[tuple[Any, bool], list[Member]] = {}
        by_rows: dict[Any, RowPlan] = {}
        for index, group in enumerate(self.param_groups):
            for p in group["params"]:
                if p.grad is None and p not in self.state:
                    continue
                member = Member(p, self._state_of(p, group), index)
                if p in self._row_plans or takes_rows(p, group):
                    by_rows[p] = self._row_plan(member, rules)
                else:
                    dense.setdefault((p.device, bool(group["maximize"])), []).append(member)
        self._row_plans = by_rows
        self._plans = [
            NativePlan(own, Terms(self.param_groups, rules, self.precision), maximize)
            for (_, maximize), own in dense.items()
        ]
        self._plans += by_rows.values()
        self._footing = Footing(self.state, self.param_groups)

    def _row_plan(self, member: Member, rules: list[Rule]) -> RowPlan:
        plan = self._row_plans.get(member.param)
        if plan is None or not plan.take_rules(rules):
            return RowPlan(member, Terms(self.param_groups, rules, self.precision))
        plan.move(member, self.param_groups)
        return plan

    def flush(self) -> None:
        """Bring all rows to the present that sparse gradients or `skip_zero_rows` left behind.

        To be called before the parameters are looked at: evaluated without `follow`, saved, or
        counted. `state_dict` does it by itself.
        """
        for plan in self._row_plans.values():
            plan.flush()

    def follow(self, embedding: torch.nn.Module) -> None:
        """Bring the rows to the present that a module with sparse gradients is about to read.

        With it, training by sparse gradients has the bits of training by dense ones.

        Parameters
        ----------
        embedding : torch.nn.Embedding or torch.nn.EmbeddingBag
            Its first argument has the indices. Its ``state_dict`` brings all rows to the present.
        """

        def catch_up(module: Any, arguments: tuple[Any, ...]) -> None:
            plan = self._row_plans.get(module.weight)
            if plan is not None:
                plan.catch_up(arguments[0])

        embedding.register_forward_pre_hook(catch_up)
        embedding.register_state_dict_pre_hook(lambda *_: self.flush())

    def _present_rules(self) -> list[Rule]:
        """Return the groups' rules, the same objects while their settings stay the same."""
        known, self._rules = self._rules, []
        for k, group in enumerate(self.param_groups):
            settings = [_number(group[name]) for name in self._setting_names]
            same = k < len(known) and known[k][0] == settings
            self._rules.append(known[k] if same else (settings, self._make_rule(group)))
        return [rule for _, rule in self._rules]

    def _state_of(self, param: Any, group: Mapping[str, Any]) -> dict[str, Any]:
        state: dict[str, Any] = self.state[param]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device="cpu")
            rule = self._make_rule(group)
            for name in rule.moments:
                moment = new_moment(param, self._moment_dtype(param, name, rule))
                if name in rule.starts_at_x:
                    moment.copy_(param)
                self._start(name, moment, group)
                state[self.moment_names.get(name, name)] = moment
            if self._has_master(param):
                state["master"] = new_moment(param, torch.float32).copy_(param)
        elif {k: v.dtype for k, v in state.items() if k != "step"} != self._dtypes(param, group):
            self.state[param] = state = self._restored(param, group, state)  # after model.to(dtype)
        return state

    def _moment_dtype(self, param: Any, name: str, rule: Rule) -> Any:
        if param.dtype == torch.float64:
            return torch.float64
        narrow = self.precision.moments is not None and name not in rule.starts_at_x
        return torch.bfloat16 if narrow else torch.float32

    def _dtypes(self, param: Any, group: Mapping[str, Any]) -> dict[str, Any]:
        """Of the moments, and of the master."""
        rule = self._make_rule(group)
        dtypes = {
            self.moment_names.get(name, name): self._moment_dtype(param, name, rule)
            for name in rule.moments
        }
        return {**dtypes, "master": torch.float32} if self._has_master(param) else dtypes

    def _has_master(self, param: Any) -> bool:
        return self.precision.master and param.dtype.itemsize == 2

    def state_dict(self) -> dict[str, Any]:
        """Return the state as torch's optimizers do, without the penalties.

        Returns
        -------
        dict
            "state" and "param_groups"; the tensors are not copied.
        """
        self.flush()
        state: dict[str, Any] = super().state_dict()
        for group in state["param_groups"]:
            del group["penalty"]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state, of this optimizer or of its namesake in torch.optim.

        The settings are those of the state, but the penalties and what the state does not know
        stay as they are.

        Parameters
        ----------
        state_dict : dict

        Raises
        ------
        TypeError, ValueError
            Where groups, names or shapes differ; nothing has changed then.
        """
        merged = merged_groups(self.param_groups, state_dict)
        state = {
            param: self._restored(param, group, saved)
            for param, group, saved in saved_states(self.param_groups, merged, state_dict)
        }
        penalties = [group["penalty"] for group in self.param_groups]
        self.flush()
        super().load_state_dict({"state": {}, "param_groups": merged})
        for group, penalty in zip(self.param_groups, penalties, strict=True):
            group["penalty"] = penalty
        self.state.update(state)

    def _restored(
        self, param: Any, group: Mapping[str, Any], saved: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Copy what was saved of a parameter, in the dtypes of this optimizer."""
        dtypes = self._dtypes(param, group)
        steps = float(saved.get("step", bool(dtypes)))  # torch.optim.SGD keeps no count
        check_moments(name_of(self.param_groups, param), param, saved, set(dtypes) - {"master"})
        saved = {"master": param, **saved}
        state = {"step": torch.tensor(steps, dtype=torch.float32, device="cpu")}
        return state | {key: new_moment(param, d).copy_(saved[key]) for key, d in dtypes.items()}

    def __getstate__(self) -> dict[str, Any]:
        self.flush()
        own = {name: getattr(self, name) for name in _OWN}
        return {**super().__getstate__(), **own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._plans, self._row_plans, self._footing, self._rules = [], {}, None, []


def _number(setting: Any) -> Any:
    return float(setting) if isinstance(setting, torch.Tensor) else setting
