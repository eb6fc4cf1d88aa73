"""What the optimizers take, and what they refuse: parameters, penalties, settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from .. import _core
from ..annealing import first_spec
from ..checks import count, flag
from ..nm import NM
from ..penalties import ElementwisePenalty, Penalty
from ..rules import Rule
from ..selections import Selections
from ..step import check_penalty, check_steppable, is_euclidean
from ..top_k import TopK

__all__ = [
    "check_filled",
    "check_group",
    "check_selections",
    "check_torch",
    "check_whole",
    "local",
    "name_at",
    "name_of",
    "penalty_of",
    "rate_of",
]

_DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
_OLDEST = (2, 9)


def check_torch(version: str) -> None:
    """Refuse a torch whose tensors do not say, when they are lent, whether they may be written."""
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        raise ImportError(f"proxstep.torch needs torch 2.9 or later, this is torch {version}")


def local(tensor: Any) -> Any:
    """Return what this process holds of a DTensor; other tensors are returned as they are."""
    to_local = getattr(tensor, "to_local", None)
    if to_local is None:
        return tensor
    own = to_local()
    wait = getattr(own, "wait", None)  # of what a collective call fills still
    return own if wait is None else wait()


def penalty_of(group: Mapping[str, Any], param: torch.Tensor) -> Penalty | TopK | None:
    """Return the group's penalty if it is meant for parameters of so many dimensions."""
    penalty: Penalty | TopK | None = group["penalty"]
    return penalty if param.ndim >= group["min_ndim"] else None


def rate_of(group: Mapping[str, Any]) -> Any:
    """Return the learning rate as a number, which torch keeps in tensors of one element as well."""
    lr = group["lr"]
    return lr.item() if isinstance(lr, torch.Tensor) and lr.numel() == 1 else lr


def check_filled(name: str, parameter: Any) -> None:
    """Raise for a parameter without memory.

    Raises
    ------
    ValueError
    """
    if not _is_filled(parameter):
        raise ValueError(f"{name} has no elements yet: it is lazy, or on the meta device")


def _is_filled(parameter: Any) -> bool:
    return not (is_lazy(parameter) or parameter.is_meta)


def name_of(groups: Sequence[Mapping[str, Any]], param: torch.Tensor) -> str:
    """Return the parameter's name where the optimizer was given names, else its place."""
    for index, group in enumerate(groups):
        for k, own in enumerate(group["params"]):
            if own is param:
                return name_at(group, index, k)
    return "a parameter of another optimizer"


def name_at(group: Mapping[str, Any], index: int, k: int) -> str:
    """Return the name of parameter k of a group, whose place among the groups is index."""
    names = group.get("param_names")
    return repr(names[k]) if names else f"parameter {k} of group {index}"


def check_group(groups: Sequence[Mapping[str, Any]], rule: Rule) -> None:
    """Raise for settings and parameters of the last group that no step could take.

    Raises
    ------
    TypeError, ValueError
        With the parameter's name.
    """
    group = groups[-1]
    check_steppable(rule, group["penalty"])
    is_euclidean(group["metric"])
    count("min_ndim", group["min_ndim"])
    for name in ("maximize", "skip_zero_rows"):
        flag(name, group[name])
    seen: set[int] = set()
    for param in group["params"]:
        if id(param) in seen:
            raise ValueError(f"{name_of(groups, param)} is listed twice; list tied weights once")
        seen.add(id(param))
        _check_named(groups, param)


def check_selections(groups: Sequence[Mapping[str, Any]]) -> None:
    """Raise where a `TopK` cannot select: by rows, or on two devices, or both going up and down.

    Raises
    ------
    TypeError, ValueError
    """
    places: dict[int, set[str]] = {}
    for group in groups:
        penalty = group["penalty"]
        check_penalty(penalty)
        if not isinstance(penalty, TopK):
            continue
        if group["skip_zero_rows"]:
            raise ValueError(f"{penalty!r} selects among all rows; skip_zero_rows skips some")
        if penalty.scope == "global":
            own = places.setdefault(id(penalty), set())
            own |= _places(group)
            if len(own) > 1:
                raise ValueError(f"{penalty!r} selects in one place, not {', '.join(sorted(own))}")


def _places(group: Mapping[str, Any]) -> set[str]:
    """Return where the group's penalised parameters are stepped, and which way."""
    penalised = [param for param in group["params"] if penalty_of(group, param) is not None]
    return {f"{param.device} with maximize={bool(group['maximize'])}" for param in penalised}


def check_whole(groups: Sequence[Mapping[str, Any]]) -> None:
    """Raise where the last group is spread over processes, each of which sees other gradients.

    Raises
    ------
    ValueError
        With the parameter's name.
    """
    for param in groups[-1]["params"]:
        placements = getattr(param, "placements", ())
        if not all(own.is_replicate() for own in placements):
            raise ValueError(
                f"{name_of(groups, param)} is spread as {placements}: max_norm and "
                "nonfinite='skip' look at one process alone; use torch's clip_grad_norm_"
            )


def _check_named(groups: Sequence[Mapping[str, Any]], param: Any) -> None:
    try:
        _check_param(groups[-1], param)
    except (TypeError, ValueError) as error:
        message = str(error).removeprefix("params[0]: ")
        raise type(error)(f"{name_of(groups, param)}: {message}") from None


def _check_param(group: Mapping[str, Any], param: Any) -> None:
    if param.dtype not in _DTYPES:
        hint = "; view it as real numbers (torch.view_as_real)" if param.is_complex() else ""
        raise TypeError(f"dtype {param.dtype} cannot be stepped{hint}")
    if param.layout is not torch.strided:
        raise TypeError(f"layout {param.layout} cannot be stepped; torch.strided can")
    if is_traceable_wrapper_subclass(local(param)):
        raise TypeError(f"a {type(local(param)).__name__} wraps other tensors; step these")
    if not _is_filled(param):  # looked at when it is
        return
    penalty = penalty_of(group, param)
    _check_shards(param, penalty)
    spec, rule = first_spec(penalty), _core.RuleSpec("sgd", [0.0, 0.0])
    trial = _core.Plan()
    trial.add_group(rule, False)
    trial.add(0, local(param), (), spec, selection=Selections().number(penalty))
    if group["skip_zero_rows"] and penalty is not None:
        if local(param) is not param:
            raise ValueError(
                "skip_zero_rows steps the rows of whole tensors, this is a DTensor placed as "
                f"{param.placements}"
            )
        _core.RowPlan(param, (), rule, spec, False, 0)


def _check_shards(param: Any, penalty: Penalty | TopK | None) -> None:
    """Raise for summands, and groups that may lie on several processes: whole rows do not."""
    placements = getattr(param, "placements", ())
    if any(own.is_partial() for own in placements):
        raise ValueError(f"the parameter is placed as {placements}: no process holds its elements")
    if penalty is None or isinstance(penalty, ElementwisePenalty):
        return
    in_rows = isinstance(penalty, NM) or getattr(penalty, "over", None) == "rows"
    if all(own.is_replicate() or (in_rows and own.is_shard(0)) for own in placements):
        return
    raise ValueError(
        f"{penalty!r} needs elements of other processes: the parameter is spread as {placements}; "
        "penalties of single elements are served, and those within rows where rows are whole"
    )
