"""Numbers and tables as text."""

from __future__ import annotations

from collections.abc import Iterable

from .accuracy import TARGETS
from .results import Record

GOALS = [f"{target:g}" for target in TARGETS]


def seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3g} s" if value >= 1 else f"{1e3 * value:.3g} ms"


def time_text(found: Record, goal: str) -> str:
    """A time, a bound on it, or why there is none."""
    for why in ("error", "absent"):
        if why in found:
            return why
    if found["to"][goal] is not None:
        return seconds(found["to"][goal])
    if found["over_s"] is not None and (found["stopped"] or found["best"] is None):
        return "> " + seconds(found["over_s"])
    return "–" if found["best"] is None else f"only {found['best']:.0e}"


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
