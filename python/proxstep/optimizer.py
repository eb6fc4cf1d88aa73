"""Many arrays in one native call: one dispatch, one job for the thread pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from . import _core
from .annealing import Annealed
from .arrays import Array, beside, gather_small, is_torch, on_host
from .checks import count, number, positive
from .directions import Directions
from .optimizer_state import check_state
from .parameter_groups import as_groups, described
from .penalties import Penalty
from .precision import Precision, Rounding
from .rules import Moments, Muon, Rule
from .selections import Selections
from .step import Metric, StepInfo, check_steppable, is_euclidean, rate
from .top_k import TopK

__all__ = ["Optimizer"]


@dataclass(frozen=True)
class _Entry:
    """One array with what steps it."""

    param: Array
    rule: Rule
    kept: dict[str, Array]  # the rule's moments and, of a 16-bit array, perhaps its master
    group: int


class Optimizer:
    """Steps a list of arrays in place.

    Parameters
    ----------
    params : sequence of arrays, or of dicts
        Every dict is a parameter group: its arrays under "params", and "rule", "penalty" or
        "metric" where they differ from the defaults that follow. An array that appears twice (tied
        weights) is stepped once, in the group that names it first.
    rule : Rule
    penalty : Penalty or TopK, optional
        A schedule of `TopK` or `Quantize` is asked for every step, with `steps`.
    metric : {"diagonal", "euclidean"}
        As for `step`.
    dtype : str, optional
        What 16-bit integers stand for: "bfloat16" or "float16".
    capturable : bool
        For arrays in CUDA memory: every step reads the learning rates from `rates` and the step
        count from memory of the device, so that a CUDA graph that holds a step goes on with every
        replay. Penalties, `grad_scale`, `max_norm` and the rules' other settings stay what they
        were at the capture; a `TopK` with a schedule is refused.
    moments : {None, "bfloat16"}
        What `Rule.init` takes: "bfloat16" moments are half as large, rounded stochastically.
    rounding : {"nearest", "stochastic"}
        How 16-bit parameters are stored. A change below half of the last digit is lost when it is
        rounded to nearest; rounded stochastically it is not, in the mean.
    master : bool
        Whether 16-bit parameters have float32 masters, which are stepped in their place; the
        parameters become their masters rounded to nearest. Exact zeros are zeros in both.
    seed : int
        Of stochastic rounding, from 0 to 2**64 - 1. Equal seeds give equal bits, whatever the
        number of threads and the processor, on the CPU and on a device.

    Attributes
    ----------
    rates : array or None
        Where capturable, the learning rates in float64, one per group, in device memory: write
        into it to change them.
    groups : tuple of mappings
        The parameter groups with all of their settings, to look at: `set_penalty` changes them.
    params : list of arrays
        The unique arrays, in the order in which gradients are expected.
    points : list of arrays
        Where the gradients are to be taken: the parameters, but the extrapolated points for FISTA.
    steps : int
        Steps taken; where capturable, reading it waits for the device.

    Raises
    ------
    TypeError, ValueError
        For arrays or settings that do not fit, or that overlap.

    Notes
    -----
    The arrays are looked at once, here: their memory is what every later step changes. Giving a
    torch parameter other memory afterwards (``p.data = ...``) or resizing an array in place is not
    followed; make a new Optimizer then, and carry the moments over by `state_dict`.

    What is zero, infinite, NaN or exact in 16 bits is what it is under either rounding. A master
    is made from its parameter here; what is written into the parameter later is overwritten by the
    next step. A nonzero master too small for 16 bits is a zero in the parameter. `StepInfo` counts
    the parameters' zeros; its penalty and change are those of the masters.

    Examples
    --------
    >>> import numpy as np, proxstep as ps
    >>> w, b = np.ones((2, 2)), np.zeros(2)
    >>> groups = [{"params": [w], "penalty": ps.L1(0.2)}, {"params": [b]}]
    >>> opt = ps.Optimizer(groups, ps.SGD(lr=0.5))
    >>> opt.step([np.full((2, 2), 1.8), np.ones(2)])
    >>> w[0], b
    (array([0., 0.]), array([-0.5, -0.5]))
    """

    def __init__(
        self,
        params: Sequence[Array] | Sequence[Mapping[str, Any]],
        rule: Rule,
        penalty: Penalty | TopK | None = None,
        *,
        metric: Metric = "diagonal",
        dtype: str | None = None,
        capturable: bool = False,
        moments: Moments = None,
        rounding: Rounding = "nearest",
        master: bool = False,
        seed: int = 0,
    ) -> None:
        precision = Precision(moments, rounding, master, seed)
        defaults = {"rule": rule, "penalty": penalty, "metric": metric}
        self._plan = _core.Plan(dtype, precision.seed, precision.stochastic)
        self._entries: list[_Entry] = []
        self._selections = Selections()
        self._groups = [{**defaults, **group} for group in as_groups(params)]
        seen: set[int] = set()
        for index, group in enumerate(self._groups):
            for param in group["params"]:
                if id(param) not in seen:
                    seen.add(id(param))
                    self._entries.append(_entry(param, index, group, dtype, precision))
        gather_small([entry.kept for entry in self._entries])
        for group in self._groups:
            self._plan.add_group(group["rule"].spec, is_euclidean(group["metric"]))
        self._annealed = Annealed()
        self._directions = Directions(dtype, precision.seed)
        for k, entry in enumerate(self._entries):
            self._add(k, entry, self._groups[entry.group]["penalty"])
        self._plan.check_overlaps()
        self._directions.check_overlaps()
        self._steps = 0
        self.rates: Array = None
        self._count: Array = None  # of the steps, in device memory
        if capturable:
            self._move_settings()

    def __repr__(self) -> str:
        return f"Optimizer({'; '.join(map(described, self._groups))})"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(
            "an Optimizer is bound to the memory of its arrays; save them and state_dict(), make a "
            "new one of the arrays, and load_state_dict()"
        )

    def _add(self, k: int, entry: _Entry, penalty: Penalty | TopK | None) -> None:
        self._plan.add(
            entry.group,
            entry.param,
            tuple(entry.kept[name] for name in entry.rule.stepped),
            self._annealed.spec(k, penalty),
            master=entry.kept.get("master"),
            selection=self._selections.number(penalty),
        )
        if isinstance(entry.rule, Muon):
            self._directions.add(k, entry.param, entry.rule, entry.kept["velocity"])

    def _move_settings(self) -> None:
        if not self._plan.on_device():
            raise ValueError("capturable is for arrays in CUDA memory; these are in CPU memory")
        if self._directions:
            raise ValueError("Muon is not capturable: its matrix products allocate memory")
        if self._selections.scheduled:
            raise ValueError("capturable fixes what a TopK keeps; its schedule needs the host")
        first = self._entries[0].param
        rates = [group["rule"].settings()[0] for group in self._groups]
        self.rates = beside(first, np.array(rates, np.float64))
        self._count = beside(first, np.zeros(1, np.int64))

    @property
    def steps(self) -> int:
        """Steps taken."""
        return self._steps if self._count is None else int(on_host(self._count)[0])

    @steps.setter
    def steps(self, taken: int) -> None:
        self._steps = taken
        if self._count is not None:
            self._count[...] = taken

    @property
    def groups(self) -> tuple[Mapping[str, Any], ...]:
        """The parameter groups with all of their settings, to look at."""
        return tuple(MappingProxyType(group) for group in self._groups)

    @property
    def params(self) -> list[Array]:
        """The unique arrays, in the order in which gradients are expected."""
        return [entry.param for entry in self._entries]

    @property
    def points(self) -> list[Array]:
        """Where the gradients are to be taken."""
        return [entry.kept.get("y", entry.param) for entry in self._entries]

    def step(
        self,
        grads: Sequence[Array],
        *,
        lr: float | Sequence[float] | None = None,
        grad_scale: float = 1.0,
        max_norm: float | None = None,
        stats: bool = False,
    ) -> StepInfo | None:
        """One step of all arrays.

        Parameters
        ----------
        grads : sequence of arrays
            One per array of `params`.
        lr : float or sequence of float, optional
            Learning rate of this step instead of the rules', one for all or one per group.
        grad_scale : float
            Factor of the gradients.
        max_norm : float, optional
            Positive. Scaled gradients whose global norm is larger are scaled down to it, in the
            pass of the step. Those of arrays that `Muon` steps neither count nor are scaled. A
            norm that is infinite (`global_norm`) scales finite gradients to zero.
        stats : bool
            Whether to return what the pass can tell, over all arrays.

        Returns
        -------
        StepInfo or None

        Raises
        ------
        TypeError, ValueError
            For gradients or settings that do not fit, and for `lr` where capturable; nothing has
            changed then.
        """
        number("grad_scale", grad_scale)
        if max_norm is not None:
            positive("max_norm", max_norm)
        if self.rates is not None and lr is not None:
            raise ValueError("lr is for optimizers that are not capturable; write into rates")
        if self._annealed:
            self._annealed.set(self._plan, lambda _: self._steps)
        rates = self._rates(lr)
        keep = self._selections.kept(lambda _: self._steps) if self._selections else []
        grads = list(grads)
        if self._directions:
            self._plan.check(grads, grad_scale, keep, rates)
            grads = self._directions.replace(grads, self._steps + 1, grad_scale)
        norm, found = self._plan.step(
            grads,
            self._steps + 1,
            rates,
            grad_scale,
            0.0 if max_norm is None else max_norm,
            stats,
            self.rates,
            self._count,
            keep,
        )
        if self._count is None:
            self._steps += 1
        return None if found is None else StepInfo(*found, norm)

    def set_penalty(self, group: int, penalty: Penalty | None) -> None:
        """Give the arrays of a group another penalty, or another strength, from the next step on.

        Parameters
        ----------
        group : int
            Its index in `groups`.
        penalty : Penalty or None
            Neither it nor the one before may be a `TopK` or have a schedule: these go their way.

        Raises
        ------
        IndexError, TypeError, ValueError
            Where there is no such group, or the penalty does not fit an array; nothing has changed
            then.

        Examples
        --------
        >>> import numpy as np, proxstep as ps
        >>> x = np.array([3.0, 0.3])
        >>> opt = ps.Optimizer([x], ps.SGD(lr=1.0), ps.L1(1.0))
        >>> opt.set_penalty(0, ps.L1(0.1))
        >>> opt.step([np.zeros(2)])
        >>> x
        array([2.9, 0.2])
        """
        own = self._groups[group]
        for each in (own["penalty"], penalty):
            if isinstance(each, TopK):
                raise ValueError(f"{each!r} selects among arrays; it cannot be exchanged")
            if callable(getattr(each, "rho", None)):
                raise ValueError(f"{each!r} follows a schedule of its own; it cannot be exchanged")
        check_steppable(own["rule"], penalty)
        members = [k for k, entry in enumerate(self._entries) if self._groups[entry.group] is own]
        try:
            self._exchange(members, penalty)
        except (TypeError, ValueError):
            self._exchange(members, own["penalty"])
            raise
        own["penalty"] = penalty

    def _exchange(self, members: list[int], penalty: Penalty | None) -> None:
        for k in members:
            self._plan.set_penalty(k, getattr(penalty, "spec", None))

    def _rates(self, lr: float | Sequence[float] | None) -> list[float]:
        if lr is None:
            return []
        if not isinstance(lr, Sequence):
            return [rate(lr)] * len(self._groups)
        if len(lr) != len(self._groups):
            raise ValueError(f"lr has {len(lr)} rates for {len(self._groups)} groups")
        return [rate(value) for value in lr]

    def state_dict(self) -> dict[str, Any]:
        """Return the step count and ``"<position>.<name>"`` for moments and masters (no copies)."""
        state: dict[str, Any] = {"steps": self.steps}
        for k, entry in enumerate(self._entries):
            for name, array in entry.kept.items():
                state[f"{k}.{name}"] = array
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy a `state_dict` into this optimizer; its parameters are the caller's to restore.

        Parameters
        ----------
        state : mapping
            "steps", an integer >= 0, and the moments and masters as arrays of this optimizer's
            library, shapes and dtypes.

        Raises
        ------
        TypeError, ValueError
            Where names, kinds, shapes or dtypes differ; nothing has changed then.
        """
        own = self.state_dict()
        check_state(own, state)
        for name, mine in own.items():
            if name != "steps":
                mine[...] = state[name].detach() if is_torch(mine) else state[name]
        self.steps = count("steps", state["steps"])


def _entry(
    param: Array, index: int, group: Mapping[str, Any], dtype: str | None, precision: Precision
) -> _Entry:
    rule: Rule = group["rule"]
    check_steppable(rule, group["penalty"])
    return _Entry(param, rule, precision.state(rule, param, dtype), index)
