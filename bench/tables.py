"""Results as records that JSON takes, and records as text and Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from contest import Case, Contestant, Goal
from timing import Timing

Record = dict[str, Any]

MARKS = {True: "✓", False: "✗", None: ""}


def record(case: Case, threads: int, times: dict[str, Timing]) -> Record:
    """One case at one thread count. Ratios: a contestant's time over that of the first."""
    return {
        "case": case.name,
        "n": case.n,
        "threads": threads,
        "bytes": case.moved,
        "note": case.note,
        "results": [_result(case, contestant, times) for contestant in case.contestants],
        "goals": [_goal(goal, times) for goal in case.goals_at_hand()],
    }


def _result(case: Case, contestant: Contestant, times: dict[str, Timing]) -> Record:
    first, own = times[case.contestants[0].name], times[contestant.name]
    return {
        "name": contestant.name,
        "median_s": own.median,
        "min_s": own.minimum,
        "turns": own.turns,
        "calls_in_turn": own.calls,
        "bytes": case.bytes_of(contestant),
        "gb_per_s": 1e-9 * case.bytes_of(contestant) / own.median,
        "gb_per_s_best": 1e-9 * case.bytes_of(contestant) / own.minimum,
        "ratio": own.median / first.median,
        "ratio_min": own.minimum / first.minimum,
        "ratio_by_bytes": contestant.moved / case.moved if contestant.moved else None,
    }


def _goal(goal: Goal, times: dict[str, Timing]) -> Record:
    median = goal.value({name: t.median for name, t in times.items()})
    minimum = goal.value({name: t.minimum for name, t in times.items()})
    return {
        "goal": goal.text,
        "bound": goal.bound,
        "median": median,
        "min": minimum,
        "met": goal.is_met(median),
    }


def duration(seconds: float) -> str:
    scale, unit = (1e6, "µs") if seconds < 1e-3 else (1e3, "ms")
    value = scale * seconds
    return f"{value:.{2 if value < 100 else 0 if value >= 1000 else 1}f} {unit}"


def by_bytes(result: Record) -> str:
    ratio = result["ratio_by_bytes"]
    return f"{ratio:.2f}" if ratio else ""


def text(found: Record) -> str:
    """A block of lines for one record."""
    threads = f"{found['threads']} thread" + "s" * (found["threads"] > 1)
    lines = [f"{found['case']}, n = {found['n']:,}, {threads}"]
    lines.append(f"  {'':46}{'median':>11}{'minimum':>11}{'GB/s':>8}{'ratio':>8}{'by bytes':>10}")
    for r in found["results"]:
        times = f"{duration(r['median_s']):>11}{duration(r['min_s']):>11}"
        rates = f"{r['gb_per_s']:8.1f}{r['ratio']:8.2f}{by_bytes(r):>10}"
        lines.append(f"  {r['name']:46}{times}{rates}")
    for g in found["goals"]:
        value = f"{g['median']:.2f} ({g['min']:.2f})"
        goal = f"{g['goal']} {g['bound']}".rstrip()
        lines.append(f"  {MARKS[g['met']] or '·'} {goal}: {value}")
    if found["note"]:
        lines.append(f"  {found['note']}")
    return "\n".join(lines)


def head(facts: Record) -> str:
    """The machine, the versions, the date and the command in one paragraph."""
    caches = ", ".join(f"{name} {size}" for name, size in facts["caches"].items())
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"{facts['cpu']}, {facts['cores']} cores ({caches}), {facts['memory_gib']} GiB, "
        f"huge pages {facts['huge_pages']}, {facts['system']}; {versions}, "
        f"instruction set {facts['instruction_set']}; load {facts['load_average']:.1f} "
        f"at the start; {facts['date']}; `{facts['command']}`"
    )


def markdown(report: Record) -> str:
    """The goals, then all figures, with a column for each thread count."""
    counts = sorted({found["threads"] for found in report["records"]})
    parts = [head(report["facts"]), GOALS_TEXT, _goal_table(report["records"], counts)]
    parts += [FIGURES_TEXT, _figure_table(report["records"], counts)]
    return "\n\n".join(parts) + "\n"


GOALS_TEXT = "Goals, by the median over the turns (by the minimum in parentheses):"
COLUMNS = (
    "GB/s: from the bytes that the passes over memory must move. Ratio: time over that of the "
    "first line of the case. By bytes: that ratio if bytes were all that counts; of a step with a "
    "second pass for the shrink it is the ceiling of what fusion can give."
)
FIGURES_TEXT = "All figures: median (minimum) of a call. " + COLUMNS


def _threads(counts: Iterable[int], columns: str) -> list[str]:
    return [
        f"{count} thread{'s' * (count > 1)}: {column}".rstrip(": ")
        for count in counts
        for column in columns.split("|")
    ]


def _table(header: list[str], rows: Iterable[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _goal_table(records: list[Record], counts: list[int]) -> str:
    rows: dict[tuple[str, str, str, str], dict[int, str]] = {}
    for found in records:
        for g in found["goals"]:
            key = (found["case"], f"{found['n']:,}", g["goal"], g["bound"])
            value = f"{g['median']:.2f} ({g['min']:.2f}) {MARKS[g['met']]}".strip()
            rows.setdefault(key, {})[found["threads"]] = value
    body = [[*key, *(cells.get(count, "") for count in counts)] for key, cells in rows.items()]
    return _table(["case", "n", "figure", "goal", *_threads(counts, "")], body)


def _figure_table(records: list[Record], counts: list[int]) -> str:
    rows: dict[tuple[str, str, str, str], dict[int, list[str]]] = {}
    for found in records:
        for r in found["results"]:
            key = (found["case"], f"{found['n']:,}", r["name"], by_bytes(r))
            times = f"{duration(r['median_s'])} ({duration(r['min_s'])})"
            cells = [times, f"{r['gb_per_s']:.1f}", f"{r['ratio']:.2f}"]
            rows.setdefault(key, {})[found["threads"]] = cells
    body = []
    for (case, n, name, most), by_count in rows.items():
        cells = [cell for count in counts for cell in by_count.get(count, ["", "", ""])]
        body.append([case, n, name, *cells, most])
    header = ["case", "n", "", *_threads(counts, "time|GB/s|ratio"), "by bytes"]
    return _table(header, body)
