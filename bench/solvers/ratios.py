"""Our time over that of the best peer, and what it is worth where somebody was stopped."""

from __future__ import annotations

from . import peers
from .cases import Case
from .ours import PROXSTEP
from .results import Record
from .texts import GOALS, seconds, table, time_text

SERIAL = {peer.name for peer in peers.PEERS if not peer.threaded}


def ratios(records: list[Record], cases: list[Case], counts: list[int]) -> str:
    ends = [f"{goal}, {n} thread{'s' * (n > 1)}" for n in counts for goal in GOALS]
    rows = []
    for case in cases:
        found = [ratio_text(records, case, n, goal) for n in counts for goal in GOALS]
        rows.append([case.name, f"≤ {case.goal:g} of {case.rival or 'best'}", *found])
    return table(["case", "goal", *ends], rows)


def ratio_text(records: list[Record], case: Case, threads: int, goal: str) -> str:
    """Ours over the best of theirs, with whose that is; or bounds, or why there is neither."""
    here = [r for r in records if r["case"] == case.name]
    own = next((r for r in at_count(here, threads) if r["solver"] == PROXSTEP.name), None)
    others = [
        r for r in at_count(here, threads)
        if r is not own and case.rival in (None, r["solver"])
    ]  # fmt: skip
    if own is None:
        return "not measured" if case.form in PROXSTEP.makers else "not built"
    if own["to"][goal] is None:
        return "ours " + time_text(own, goal)
    arrived = [r for r in others if r["to"][goal] is not None]
    if not arrived:
        return bound_text(own["to"][goal], others, case.goal)
    best = min(arrived, key=lambda r: r["to"][goal])
    return value_text(own["to"][goal], best, goal, cut_before(best, others, goal), case.goal)


def at_count(records: list[Record], threads: int) -> list[Record]:
    """Those at this thread count; a solver without threads is the same at any."""
    return [r for r in records if r["threads"] == threads or r["solver"] in SERIAL]


def cut_before(best: Record, others: list[Record], goal: str) -> Record | None:
    """Whom a cap stopped before the time of the best that arrived: they might have been better."""
    cut = [
        r for r in others
        if r["to"][goal] is None and r["stopped"] and r["over_s"] < best["to"][goal]
    ]  # fmt: skip
    return min(cut, key=lambda r: r["over_s"], default=None)


def value_text(own: float, best: Record, goal: str, cut: Record | None, most: float) -> str:
    value = own / best["to"][goal]
    if cut is None:
        return f"{value:.2g} {mark(value, most)} ({best['solver']})"
    worst = own / cut["over_s"]
    end = f"({best['solver']}; {cut['solver']} stopped at {seconds(cut['over_s'])})"
    return f"{value:.2g} to {worst:.2g} {mark(worst, most)} {end}"


def mark(value: float, most: float) -> str:
    return "✓" if value <= most else "✗"


def bound_text(own: float, others: list[Record], most: float) -> str:
    """Nobody else arrived: those that were stopped took longer than the least of their caps."""
    bounds = [r["over_s"] for r in others if r["over_s"] is not None and r["stopped"]]
    if not bounds:
        return "no peer arrived" if others else "no peer"
    bound = own / min(bounds)
    verdict = "✓" if bound <= most else "open"
    return (
        f"< {bound:.2g} {verdict} (none arrived, the first was stopped at {seconds(min(bounds))})"
    )
