"""What all the optimizers take by keyword, checked: of a group, or of the whole optimizer."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from ..checks import nearest, positive
from ..penalties import Penalty
from ..precision import Precision, Rounding
from ..rules import Moments
from ..step import Metric
from ..top_k import TopK

__all__ = [
    "GROUP_DEFAULTS",
    "PROGRAM",
    "WHOLE",
    "Options",
    "Whole",
    "check_keys",
    "check_served",
    "split_options",
]

Nonfinite = Literal["ignore", "raise", "skip"]
_HOW = ("foreach", "fused")  # how torch computes a step: the native one is both
_OTHERWISE = ("amsgrad", "capturable", "differentiable")  # another step
_NONFINITE = ("ignore", "raise", "skip")
GROUP_DEFAULTS: dict[str, Any] = {
    "penalty": None,
    "metric": "diagonal",
    "min_ndim": 2,
    "maximize": False,
    "skip_zero_rows": False,
}
PROGRAM = ("penalty", "metric", "min_ndim", "skip_zero_rows")  # not in a state
_MISSPELT = 0.85  # of difflib's likeness: "layer_decay" and "lr_decay" have 0.84
WHOLE = ("max_norm", "nonfinite", "moments", "rounding", "master", "seed")


class Options(TypedDict, total=False):
    """What all the optimizers take by keyword; described at `ProxSGD`."""

    penalty: Penalty | TopK | None
    metric: Metric
    min_ndim: int
    maximize: bool
    max_norm: float | None
    nonfinite: Nonfinite
    skip_zero_rows: bool
    moments: Moments
    rounding: Rounding
    master: bool
    seed: int


@dataclass(frozen=True)
class Whole:
    """Settings of the whole optimizer."""

    precision: Precision
    max_norm: float | None = None
    nonfinite: Nonfinite = "ignore"

    def __post_init__(self) -> None:
        if self.max_norm is not None:
            positive("max_norm", self.max_norm)
        if self.nonfinite not in _NONFINITE:
            raise ValueError(
                f"nonfinite is {self.nonfinite!r}; {nearest(str(self.nonfinite), _NONFINITE)}"
            )


def check_keys(group: Mapping[str, Any], settings: Iterable[str]) -> None:
    """Raise for keys of a new group that look like a misspelt setting.

    Others are left to whoever reads them, as by torch: schedulers and frameworks note "initial_lr",
    "max_momentum", "name", "lr_scale" and the like in groups.

    Raises
    ------
    TypeError
        For a key that is nearly a setting's name.
    ValueError
        For a setting of the whole optimizer, or an option of torch's that is not served.
    """
    check_served(group)
    for name in WHOLE:
        if name in group:
            raise ValueError(f"{name} is a setting of the whole optimizer, not of a group")
    known = {*settings, *WHOLE, "params", "param_names"}
    for name in group.keys() - known:
        close = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=_MISSPELT)
        if close:
            raise TypeError(f"a group has no setting {name!r}; did you mean {close[0]!r}?")


def check_served(given: Mapping[str, Any]) -> None:
    """Raise where an option of torch's optimizers asks for another step.

    Raises
    ------
    ValueError
    """
    for name in _OTHERWISE:
        if given.get(name):
            raise ValueError(f"{name} is {given[name]!r}, which is not served")
    decay = given.get("weight_decay")
    if decay and not given.get("decoupled_weight_decay", True):  # a state of torch.optim.Adam
        raise ValueError(f"weight_decay is {decay}, not decoupled, which is not served")


def split_options(
    given: Mapping[str, Any], settings: Iterable[str]
) -> tuple[dict[str, Any], Whole]:
    """Return the defaults of groups, and the settings of the whole.

    Options of torch's optimizers that change nothing here are left out. settings: the names of
    those of the rule, which a misspelt one may be.

    Raises
    ------
    TypeError
        For an unknown name.
    ValueError
        For a setting out of its range, or an option of torch's that asks for what is not served.
    """
    check_served(given)
    own = {k: v for k, v in given.items() if k not in (*_HOW, *_OTHERWISE)}
    known = (*settings, *GROUP_DEFAULTS, *WHOLE)
    for name in own.keys() - set(known):
        raise TypeError(f"there is no option {name!r}; {nearest(name, known)}")
    precision = Precision(
        own.pop("moments", None),
        own.pop("rounding", "nearest"),
        own.pop("master", False),
        own.pop("seed", 0),
    )
    whole = Whole(precision, own.pop("max_norm", None), own.pop("nonfinite", "ignore"))
    return {**GROUP_DEFAULTS, **own}, whole
