"""Contestants that may not run everywhere: prototypes, and what needs a compiler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from contest import Contestant

Make = Callable[[], Callable[[], Any]]


def those_that_run(makers: Mapping[str, Make]) -> tuple[list[Contestant], list[str]]:
    """Those whose first call succeeds, and why the others take no part."""
    found = [attempt(name, make) for name, make in makers.items()]
    contestants = [contestant for contestant, _ in found if contestant]
    return contestants, [reason for _, reason in found if reason]


def attempt(name: str, make: Make) -> tuple[Contestant | None, str]:
    try:
        run = make()
        run()
    except Exception as error:  # whatever a prototype or a compiler raises
        first, *_ = str(error).splitlines() or [""]
        return None, f"{name} left out: {type(error).__name__}: {first}"
    return Contestant(name, run), ""
