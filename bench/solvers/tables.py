"""Records as a line of text each, and as the report's tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .accuracy import TARGETS
from .cases import Case
from .ours import PROXSTEP
from .results import Record

GOALS = [f"{target:g}" for target in TARGETS]


def line_of(found: Record) -> str:
    ends = "  ".join(f"{goal}: {time_text(found, goal):>9}" for goal in GOALS)
    calls = f"import {seconds(found.get('import_s'))}, first call {seconds(found['first_s'])}"
    memory = f"{found['peak_mib'] or 0:.0f} MiB beside X of {found.get('x_mib') or 0:.0f}"
    name = f"{found['case']}, {found['solver']}, {found['threads']} thr"
    return f"{name:72} {ends}  {calls}, {memory}"


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


def markdown(report: dict[str, Any], cases: list[Case]) -> str:
    records = report["records"]
    counts = sorted({found["threads"] for found in records})
    parts = [head(report["facts"]), ABOUT, ratios(records, cases, counts)]
    parts += [TIMES, times(records, cases), FIRST, first_calls(records)]
    return "\n\n".join([*parts, REFERENCES, references(report["references"], cases)]) + "\n"


def head(facts: Record) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gib']} GiB, {facts['system']}; "
        f"{versions}, instruction set {facts['instruction_set']}; {facts['date']}; "
        "`python bench/solvers`"
    )


ABOUT = (
    "Time until the objective is within 1e-4 and 1e-6 of the best one known, relative to it: the "
    "median of fresh fits in a warm process, data ready in the layout that each solver likes. "
    "Ratio: ours over that of the best peer, or of the one named. "
    "All compute in float64."
)
TIMES = (
    "All times. First call: of the process, at the roughest setting, with any compilation. "
    "Peak: memory that a fit took beyond what the process held before, beside that of "
    "X. “>”: stopped there; “only”: the finest setting came no nearer."
)
FIRST = (
    "The first call in a fresh process, with its import, and the same call again. Overhead: import "
    "and first call over import and warm call."
)
REFERENCES = "References: the best objective known and its relative duality gap."


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def ratios(records: list[Record], cases: list[Case], counts: list[int]) -> str:
    ends = [f"{goal}, {n} thread{'s' * (n > 1)}" for n in counts for goal in GOALS]
    rows = []
    for case in cases:
        found = [ratio_text(records, case, n, goal) for n in counts for goal in GOALS]
        rows.append([case.name, f"≤ {case.goal:g} of {case.rival or 'best'}", *found])
    return table(["case", "goal", *ends], rows)


def ratio_text(records: list[Record], case: Case, threads: int, goal: str) -> str:
    """Ours over the best of theirs, with whose that is; or a bound, or why there is neither."""
    here = [r for r in records if r["case"] == case.name and r["threads"] == threads]
    own = next((r for r in here if r["solver"] == PROXSTEP.name), None)
    others = [r for r in here if r is not own and case.rival in (None, r["solver"])]
    if own is None:
        return "not measured" if case.form in PROXSTEP.makers else "not built"
    if own["to"][goal] is None:
        return "ours " + time_text(own, goal)
    arrived = [r for r in others if r["to"][goal] is not None]
    if not arrived:
        return bound_text(own["to"][goal], others)
    best = min(arrived, key=lambda r: r["to"][goal])
    value = own["to"][goal] / best["to"][goal]
    return f"{value:.2g} {'✓' if value <= case.goal else '✗'} ({best['solver']})"


def bound_text(own: float, others: list[Record]) -> str:
    """Nobody else arrived: all took longer than the least of their caps."""
    bounds = [r["over_s"] for r in others if r["over_s"] is not None]
    return f"< {own / min(bounds):.2g}" if bounds else "no peer"


def times(records: list[Record], cases: list[Case]) -> str:
    names = {case.name for case in cases}
    rows = [
        [
            r["case"], r["solver"], str(r["threads"]), *(time_text(r, goal) for goal in GOALS),
            seconds(r["first_s"]), f"{r['peak_mib'] or 0:.1f} / {r.get('x_mib') or 0:.1f}",
        ]
        for r in records if r["case"] in names
    ]  # fmt: skip
    return table(["case", "solver", "threads", *GOALS, "first call", "peak / X, MiB"], rows)


def first_calls(records: list[Record]) -> str:
    rows = []
    for r in records:
        if "golub" in r["case"] and r["warm_s"] is not None and r["threads"] == 1:
            over = (r["import_s"] + r["first_s"]) / (r["import_s"] + r["warm_s"])
            calls = [seconds(r[name]) for name in ("import_s", "first_s", "warm_s")]
            rows.append([r["case"], r["solver"], *calls, f"{over:.2f}"])
    return table(["case", "solver", "import", "first call", "warm call", "overhead"], rows)


def references(entries: dict[str, Any], cases: list[Case]) -> str:
    rows = []
    for case in cases:
        if case.name in entries:
            e = entries[case.name]
            rows.append([case.name, f"{e['objectives'][-1]:.15g}", f"{e['gap']:.1e}", e["by"]])
    return table(["case", "objective", "gap", "by"], rows)
