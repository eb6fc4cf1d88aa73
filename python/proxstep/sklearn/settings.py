"""Settings of estimators that are neither numbers nor names, in words that name them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..checks import flag

_SWITCHES = ("fit_intercept", "standardize", "positive", "warm_start")


def check_switches(estimator: Any) -> None:
    """Refuse what is not True or False: any text would count as True."""
    for name in _SWITCHES:
        flag(name, getattr(estimator, name, False))


def numbers(name: str, given: Any, count: int, kind: str) -> Array:
    """Return so many numbers in float64, one for each thing of this kind."""
    try:
        array = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        needed = f"one number for each of the {count} {kind} is needed"
        raise TypeError(f"{name} is {given!r}; {needed}") from None
    if array.shape != (count,):
        raise ValueError(f"{name} has shape {array.shape}, there are {count} {kind}")
    return array
