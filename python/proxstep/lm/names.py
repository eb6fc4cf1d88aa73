"""Unknown names: one error, with the nearest known one."""

from __future__ import annotations

from collections.abc import Iterable

from proxstep.checks import nearest


def check_name(kind: str, name: str, known: Iterable[str]) -> None:
    """Raise ValueError unless `name` is known.

    Examples
    --------
    >>> check_name("metric", "diagonl", ("diagonal", "euclidean"))
    Traceback (most recent call last):
    ValueError: unknown metric 'diagonl': did you mean 'diagonal'?
    """
    known = list(known)
    if name not in known:
        raise ValueError(f"unknown {kind} {name!r}: {nearest(name, known)}")
