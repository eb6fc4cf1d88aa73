"""What the lines of a worker come to: one record for a case, a solver and a thread count."""

from __future__ import annotations

import statistics
from typing import Any

from .accuracy import TARGETS, Line

Record = dict[str, Any]


def record(case: str, solver: str, threads: int, lines: list[Line]) -> Record:
    """Return times to the targets, seconds of import and of the first call, and memory in MiB."""
    facts = {key: value for line in lines for key, value in line.items() if key in KEPT}
    fits = [line for line in lines if "suboptimality" in line]
    pairs = [(fit, statistics.median(fit["seconds"])) for fit in fits]
    later = [pair for pair in pairs if not pair[0]["first"]]
    return {
        "case": case, "solver": solver, "threads": threads, **facts,
        "to": {f"{target:g}": time_to(target, later) for target in TARGETS},
        "over_s": max([time for _, time in later] + unfinished(lines), default=None),
        "first_s": pairs[0][1] if pairs else None,
        "warm_s": later[0][1] if later else None,
        "peak_mib": max((fit["peak_mib"] for fit, _ in later or pairs), default=None),
        "best": min((fit["suboptimality"] for fit in fits), default=None),
        "stopped": bool(unfinished(lines)),
        "fits": [{k: v for k, v in fit.items() if k != "objectives"} for fit in fits],
    }  # fmt: skip


KEPT = ("import_s", "x_mib", "w_mib", "absent", "error")


def time_to(target: float, fits: list[tuple[Line, float]]) -> float | None:
    within = [seconds for fit, seconds in fits if fit["suboptimality"] <= target]
    return min(within, default=None)


def unfinished(lines: list[Line]) -> list[float]:
    """Return the cap of the fit that was begun last and not ended."""
    last = lines[-1] if lines else {}
    return [last["most_s"]] if "most_s" in last else []
