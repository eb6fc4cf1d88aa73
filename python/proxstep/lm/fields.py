"""Fields of the settings: help, range and names in their metadata, and the checks by these."""

from __future__ import annotations

import math
from dataclasses import Field, field, fields
from typing import Any

from .names import check_name


def setting(
    default: Any, text: str, *, known: tuple[str, ...] = (), least: float = 0.0, file: str = ""
) -> Any:
    """Return a field with its help text and either the names it may take or its least value.

    Beside the names it may take any path that ends in `file`.
    """
    metadata = {"help": text, "known": known, "least": least, "file": file}
    return field(default=default, metadata=metadata)


def widths(text: str) -> Any:
    """Return a field of one number a block, or none; not one that a command line sets."""
    return field(default=(), metadata={"help": text, "known": (), "per_block": True})


def check_fields(config: Any) -> None:
    """Check type, range and name of every field against its metadata."""
    for item in fields(config):
        if not item.metadata.get("per_block"):
            check_value(item, getattr(config, item.name))


def check_value(item: Field[Any], value: Any) -> None:
    """Raise ValueError, with the value, unless it is one that the setting may have."""
    if item.metadata["known"]:
        check_choice(item, value)
    elif item.type == "bool":
        if not isinstance(value, bool):
            raise ValueError(f"{item.name}={value!r} is neither true nor false")
    else:
        _check_number(item.name, value, whole=item.type == "int", least=item.metadata["least"])


def check_choice(item: Field[Any], value: Any) -> None:
    """Raise ValueError unless a value is among the names of a setting, or a path it takes."""
    if not isinstance(value, str):
        raise ValueError(f"{item.name}={value!r} is not a string")
    ending = item.metadata["file"]
    if not (ending and value.endswith(ending)):
        check_name(item.name, value, item.metadata["known"])


def _check_number(name: str, value: Any, *, whole: bool, least: float) -> None:
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
        raise ValueError(f"{name}={value!r} is not a {'whole' if whole else 'finite'} number")
    if value < least:
        raise ValueError(f"{name}={value} is below {least:g}")


def check_widths(name: str, values: tuple[int, ...], layers: int) -> None:
    """Raise ValueError unless there are no widths, or a positive one for each layer."""
    if values and len(values) != layers:
        raise ValueError(f"{name} has {len(values)} numbers, layers={layers}")
    for value in values:
        _check_number(name, value, whole=True, least=1)
