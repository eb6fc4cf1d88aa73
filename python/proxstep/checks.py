"""Messages about settings, with the values in them."""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np


def number(name: str, value: Any) -> None:
    """Raise unless value is a number, NaN and infinity included; strings and booleans are none."""
    if type(value) is float:
        return
    plain = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    try:
        if not isinstance(plain, (str, bytes, bool, np.bool_)) and not getattr(plain, "ndim", 0):
            float(plain)
            return
    except (TypeError, ValueError):
        pass
    raise TypeError(f"{name} is {value!r}; a number is needed")


def own_number(value: Any) -> Any:
    """Return the number in an array or tensor without dimensions; else value.

    Others may change such an array in place, which settings that are compiled would not see.
    """
    if isinstance(value, np.generic):
        return value
    own = value.item() if getattr(value, "ndim", None) == 0 else value
    return own if type(own) in (int, float) else value  # or it is refused as it came


def own_numbers(settings: Any, arrays: Iterable[str] = ()) -> None:
    """Let a frozen dataclass keep its numbers itself; arrays: fields that are none."""
    for name, given in list(vars(settings).items()):
        if type(given) is not float and name not in arrays:
            object.__setattr__(settings, name, own_number(given))


def function(name: str, value: Any, needed: str = "a callable") -> None:
    """Raise unless value can be called; a class that makes what can be is not meant."""
    if isinstance(value, type) or not callable(value):
        raise TypeError(f"{name} is {value!r}; {needed} is needed")


def non_negative(name: str, value: Any) -> None:
    """Raise unless value is a finite number >= 0."""
    number(name, value)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} is {value}; it must be finite and not negative")


def positive(name: str, value: Any) -> None:
    """Raise unless value is a finite number > 0."""
    number(name, value)
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value}; it must be finite and positive")


def positive_or_inf(name: str, value: Any) -> None:
    """Raise unless value is a number > 0, infinity included."""
    number(name, value)
    if not value > 0:
        raise ValueError(f"{name} is {value}; it must be positive")


def from_0_below_1(name: str, value: Any) -> None:
    """Raise unless 0 <= value < 1."""
    number(name, value)
    if not 0 <= value < 1:
        raise ValueError(f"{name} is {value}; it must be at least 0 and below 1")


def from_0_to_1(name: str, value: Any) -> None:
    """Raise unless 0 <= value <= 1."""
    number(name, value)
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}; it must lie between 0 and 1")


def non_negative_or_inf(name: str, value: Any) -> None:
    """Raise unless value is a number >= 0, infinity included."""
    number(name, value)
    if not value >= 0:
        raise ValueError(f"{name} is {value}; it must not be negative or NaN")


def flag(name: str, value: Any) -> None:
    """Raise unless value is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} is {value!r}; True or False is needed")


def integer(name: str, value: Any) -> int:
    """Return value as an int, NumPy's integers included; floats and booleans are refused."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except TypeError:
        pass
    raise TypeError(f"{name} is {value!r}; an integer is needed")


def count(name: str, value: Any) -> int:
    """Return value as an int >= 0."""
    whole = value if type(value) is int else integer(name, value)
    if whole < 0:
        raise ValueError(f"{name} is {whole}; it must not be negative")
    return whole


def at_least_one(name: str, value: Any) -> int:
    """Return value as an int >= 1."""
    whole = integer(name, value)
    if whole < 1:
        raise ValueError(f"{name} is {whole}; it must be at least 1")
    return whole


def nearest(given: str, known: Iterable[str]) -> str:
    """Words for an unknown name: the nearest known one, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(map(repr, names))}"
