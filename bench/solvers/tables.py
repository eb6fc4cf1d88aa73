"""Records as a line of text each, and as the report's tables."""

from __future__ import annotations

from typing import Any

from .cases import Case
from .ratios import ratios
from .results import Record
from .texts import GOALS, seconds, table, time_text


def line_of(found: Record) -> str:
    ends = "  ".join(f"{goal}: {time_text(found, goal):>9}" for goal in GOALS)
    calls = f"import {seconds(found.get('import_s'))}, first call {seconds(found['first_s'])}"
    memory = f"{found['peak_mib'] or 0:.0f} MiB beside X of {found.get('x_mib') or 0:.0f}"
    name = f"{found['case']}, {found['solver']}, {found['threads']} thr"
    return f"{name:72} {ends}  {calls}, {memory}"


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
    "Ratio: ours over that of the best peer, or of the one named. A peer that was stopped before "
    "the best one arrived gives a range, whose worse end counts; where all were stopped there is a "
    "bound, “open” where it does not settle the goal. Solvers without threads (liblinear, saga, a "
    "loop of small fits) are timed on one processor and stand for two. All compute in float64."
)
TIMES = (
    "All times. First call: of the process, at the roughest setting, with any compilation. "
    "Peak: memory that a fit took beyond what the process held before, beside that of "
    "X and of the solution w; its share is of X and w together, and below 1 there is no second X. "
    "“>”: stopped there; “only”: the finest setting came no nearer."
)
FIRST = (
    "The first call in a fresh process, with its import, and the same call again. Overhead: import "
    "and first call over import and warm call."
)
REFERENCES = "References: the best objective known and its relative duality gap."


MEMORY = ("peak / X / w, MiB", "share")


def times(records: list[Record], cases: list[Case]) -> str:
    names = {case.name for case in cases}
    rows = [
        [
            r["case"], r["solver"], str(r["threads"]), *(time_text(r, goal) for goal in GOALS),
            seconds(r["first_s"]), *memory_texts(r),
        ]
        for r in records if r["case"] in names
    ]  # fmt: skip
    return table(["case", "solver", "threads", *GOALS, "first call", *MEMORY], rows)


def memory_texts(found: Record) -> list[str]:
    """The peak, X and w in MiB, and the share of the first."""
    peak, x, w = (found.get(name) or 0.0 for name in ("peak_mib", "x_mib", "w_mib"))
    share = f"{peak / (x + w):.2f}" if x + w else "–"
    return [f"{peak:.1f} / {x:.1f} / {w:.1f}", share]


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
