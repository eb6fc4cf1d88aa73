"""What the proximal optimizers share: torch's interface around one native call a step.

torch owns the parameters and the state; a plan of the core points into both and follows them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from weakref import WeakMethod

import torch
from typing_extensions import override

from .checkpoints import Checkpointed
from .following import Hook
from .inputs import check_group, check_selections, check_torch, check_whole, name_of
from .options import Options, check_keys, split_options
from .plans import Owner, Plans
from .rows import RowPlan, check_rows_precision, skips_rows
from .step_plan import StepPlan

__all__ = ["ProxOptimizer"]


class ProxOptimizer(Checkpointed):
    """What `ProxSGD`, `ProxAdamW`, `ProxAdagrad` and `ProxRDA` share; not used by itself.

    Every step is one native pass over the parameters, gradients and moments of each device: rule,
    then prox. A parameter whose gradient is None is left alone, its penalty included.

    State is torch's: ``state[p]`` holds "step", a float32 on the CPU, and the moments in float32
    (float64 for float64 parameters) under the names of torch's own optimizers; what you keep there
    besides is saved and loaded with it. `state_dict` leaves out the penalties and how they apply
    (`metric`, `min_ndim`, `skip_zero_rows`): these belong to your program, as the model's code
    does, so a checkpoint can be continued with another penalty, and
    ``torch.load(..., weights_only=True)`` reads it.
    """

    def __init__(self, params: Any, defaults: dict[str, Any], options: Options) -> None:
        check_torch(torch.__version__)
        common, self.whole = split_options(options, defaults)
        self._setting_names = tuple(defaults)
        self._plans = self._new_plans()
        super().__init__(params, {**defaults, **common})

    def _new_plans(self) -> Plans:
        return Plans(
            Owner(
                self._setting_names,
                _weakly(self._make_rule),
                _weakly(self._state_of),
                self.moment_names,
                self.whole.precision,
            )
        )

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters with settings of its own, as for torch's optimizers.

        Parameters
        ----------
        param_group : dict
            "params", and what differs from the defaults: "penalty", "lr" and the others. Keys that
            are no settings are kept, as by torch.

        Raises
        ------
        TypeError, ValueError
            For settings out of their range or misspelt, and for parameters that cannot be stepped:
            complex, not dense, or of a shape that the penalty does not fit. The group is not added.
        """
        if isinstance(param_group, dict):  # or torch refuses it
            check_keys(param_group, self.defaults)
        super().add_param_group(param_group)
        try:
            check_selections(self.param_groups)
            self._check_last_group()
            if self.whole.max_norm is not None or self.whole.nonfinite == "skip":
                check_whole(self.param_groups)
        except BaseException:
            self.param_groups.pop()
            raise

    def _check_last_group(self) -> None:
        group = self.param_groups[-1]
        rule = self._make_rule(group)
        check_group(self.param_groups, rule)
        for param in group["params"]:
            if skips_rows(param, group):
                check_rows_precision(self.param_groups, param, rule, self.whole.precision)

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
            For gradients that do not fit, with the parameter's name. No parameter, moment or count
            has changed then; where it was the first step, fresh state stays behind.
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
        try:
            plans = self._plans.present(self.state, self.param_groups)
            self._step_together(plans, scale)
        finally:
            self._plans.let_go()

    def _step_together(self, plans: Sequence[StepPlan], scale: float) -> None:
        """Step all plans, or none: whatever may be refused is looked at before anything moves."""
        max_norm = self.whole.max_norm
        clips = len(plans) == 1 and plans[0].clips
        looks = self.whole.nonfinite != "ignore" or bool(max_norm and not clips)
        for plan in plans:
            plan.ask_schedules()
        if looks or len(plans) > 1:
            for plan in plans:
                plan.check(scale)
        if looks:
            norm = scale * math.hypot(*(plan.grad_norm() for plan in plans))
            if not math.isfinite(norm) and self.whole.nonfinite != "ignore":
                self._refuse_nonfinite(plans)
                return
            if max_norm and norm > max_norm:
                scale *= max_norm / norm
            max_norm = None
        for plan in plans:
            plan.step(scale, max_norm)

    def _refuse_nonfinite(self, plans: Iterable[StepPlan]) -> None:
        if self.whole.nonfinite == "skip":
            return
        found = [m.param for plan in plans for m, grad in plan.gradients() if not _is_finite(grad)]
        name = name_of(self.param_groups, found[0]) if found else "all parameters together"
        raise FloatingPointError(f"the gradient of {name} is not finite")

    def flush(self) -> None:
        """Bring all rows to the present that sparse gradients or `skip_zero_rows` left behind.

        To be called before the parameters are looked at: evaluated without `follow`, saved, copied
        or counted. `state_dict` does it by itself.
        """
        self._plans.flush(self.state)

    @override
    def _leave(self) -> None:
        self._plans.leave(self.state)

    def follow(self, embedding: torch.nn.Module) -> None:
        """Bring the rows to the present that a module with sparse gradients is about to read.

        With it, training by sparse gradients has the bits of training by dense ones.

        Parameters
        ----------
        embedding : torch.nn.Embedding or torch.nn.EmbeddingBag
            Its first argument has the indices. Its ``state_dict`` brings all rows to the present,
            and so does ``load_state_dict`` before it writes. The rows that its ``max_norm`` scales
            are those it reads. A copy of it, or one that was pickled, is to be followed anew.

        Raises
        ------
        TypeError
            For what is neither.
        """
        if not isinstance(embedding, torch.nn.Embedding | torch.nn.EmbeddingBag):
            raise TypeError(
                f"a {type(embedding).__name__} cannot be followed; Embedding and EmbeddingBag can"
            )
        embedding.register_forward_pre_hook(Hook(self._catch_up), with_kwargs=True)
        embedding.register_forward_hook(Hook(self._accept_scaled))
        embedding.register_state_dict_pre_hook(Hook(lambda *_: self.flush()))
        embedding.register_load_state_dict_pre_hook(Hook(lambda *_: self.flush()))

    def _catch_up(self, module: Any, given: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        plan = self._row_plan(module)
        if plan is not None:
            plan.catch_up(given[0] if given else keywords["input"])

    def _accept_scaled(self, module: Any, *_: Any) -> None:
        plan = self._row_plan(module)
        if plan is not None and getattr(module, "max_norm", None) is not None:
            plan.accept()

    def _row_plan(self, module: Any) -> RowPlan | None:
        plan = self._plans.of_rows(module.weight)
        return plan if plan is not None and plan.is_of(self.state.get(module.weight)) else None

    def __getstate__(self) -> dict[str, Any]:
        self.flush()
        own = {"whole": self.whole, "_setting_names": self._setting_names}
        return {**super().__getstate__(), **own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._plans = self._new_plans()


def _weakly(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a call of a method that does not keep its object, so that no cycle holds memory."""
    held = WeakMethod(method)

    def call(*given: Any) -> Any:
        return held()(*given)  # type: ignore[misc]  # alive: only its own plans call

    return call


def _is_finite(grad: Any) -> bool:
    return bool(torch.isfinite(grad).all())
