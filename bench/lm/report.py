"""Markdown of the runs: mean and spread over the seeds beside the goals."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from .rows import Row

QUIET = 2.5  # load average of two threads that work alone, and a little more
HEAD = """# Training runs

`python bench/lm TEXT` with tinyshakespeare: characters, 4 layers, 4 heads, 128 channels,
context 64, batch 12, 2000 steps (where the row does not say otherwise; 10.7 M: 6 layers, 6 heads,
384 channels, context 256, batch 64). Loss over the whole
validation split in windows that do not overlap, nats a character: mean over the seeds, and the
lowest and highest. Seconds of the whole process, from start to sample and plots, of the runs that
had the machine to themselves, and peak memory: medians. "torch" is the same model, batches and
clipping in PyTorch with `AdamW(fused=True)`.

| run | seeds | validation loss | goal | zeros | seconds | peak MiB |
|---|---|---|---|---|---|---|
"""


def write_report(found: dict[str, Any], rows: list[Row], path: Path) -> None:
    lines = [line(row, [r for r in found["runs"] if r["row"] == row.name]) for row in rows]
    machine = found.get("machine", {})
    versions = ", ".join(f"{k} {v}" for k, v in machine.get("versions", {}).items())
    device = [machine["device"]] if "device" in machine else []
    host = f"{machine.get('cpu')}, {machine.get('cores')} cores, {machine.get('instruction_set')}"
    foot = f"\n{'; '.join([*device, host, versions, str(machine.get('date'))])}.\n"
    path.write_text(HEAD + "".join(filter(None, lines)) + foot)


def line(row: Row, runs: list[dict[str, Any]]) -> str:
    if not runs:
        return ""
    losses = [run["val_loss"] for run in runs]
    mean = statistics.fmean(losses)
    goal = "" if row.goal is None else f"{row.goal:g} {'✓' if mean <= row.goal else '✗'}"
    zeros = 100 * statistics.fmean(run["zeros"] for run in runs)
    quiet = [run["seconds"] for run in runs if run["load"] < QUIET]
    seconds = f"{statistics.median(quiet):.0f}" if quiet else ""
    peak = statistics.median(run["peak_mib"] for run in runs)
    return (
        f"| {row.name} | {len(runs)} | {mean:.3f} ({min(losses):.3f} to {max(losses):.3f}) "
        f"| {goal} | {zeros:.1f} % | {seconds} | {peak:.0f} |\n"
    )
