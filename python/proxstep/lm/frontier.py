"""The frontier of a sweep: loss against zeros, a line for each way of making them."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .plot import headless_pyplot, save_figure
from .sweep import Outcome

ALONG = ("sparsity", "lam")  # settings that move a run along its line
SPREAD = ("seed",)  # settings whose runs are one mark


@dataclass(frozen=True)
class Mark:
    """Runs that differ in their seed alone: means, and losses from the lowest to the highest."""

    line: str
    place: str
    zeros: float
    loss: float
    low: float
    high: float
    runs: int


def make_marks(outcomes: Sequence[Outcome]) -> list[Mark]:
    """Return the marks of the runs that have a validation loss, in the order of their zeros."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.val_loss is not None:
            found[_key(outcome)].append((outcome.zeros, outcome.val_loss))
    marks = [_mark(*key, values) for key, values in found.items()]
    return sorted(marks, key=lambda mark: (mark.line, mark.zeros))


def _key(outcome: Outcome) -> tuple[str, str]:
    settings = [(k, v) for k, v in outcome.point.settings if k not in SPREAD]
    line = ", ".join(f"{k} {v}" for k, v in settings if k not in ALONG)
    return line or "runs", ", ".join(f"{k} {v}" for k, v in settings if k in ALONG)


def _mark(line: str, place: str, values: Sequence[tuple[float, float]]) -> Mark:
    zeros, losses = zip(*values, strict=True)
    mean = statistics.fmean
    return Mark(line, place, mean(zeros), mean(losses), min(losses), max(losses), len(values))


def describe(mark: Mark) -> str:
    """Return a mark as a line of a report.

    Examples
    --------
    >>> describe(Mark("penalty l1", "sparsity 0.8", 0.8, 1.75, 1.74, 1.77, 3))
    'penalty l1, sparsity 0.8: zeros 80.0 %, validation loss 1.7500 (1.7400 to 1.7700, 3 runs)'
    """
    name = ", ".join(part for part in (mark.line, mark.place) if part)
    spread = f" ({mark.low:.4f} to {mark.high:.4f}, {mark.runs} runs)" if mark.runs > 1 else ""
    return f"{name}: zeros {100 * mark.zeros:.1f} %, validation loss {mark.loss:.4f}{spread}"


def draw_frontier(marks: Sequence[Mark], path: Path, title: str) -> None:
    """Write loss against zeros as an image; bars span the seeds.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    pyplot = headless_pyplot()
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for line in dict.fromkeys(mark.line for mark in marks):
        _draw_line(axes, line, [mark for mark in marks if mark.line == line])
    axes.set_xlabel("exact zeros [% of 2-D weights]")
    axes.set_ylabel("validation loss [nats a token]")
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    save_figure(figure, path)


def _draw_line(axes: Any, line: str, marks: Sequence[Mark]) -> None:
    below, above = [m.loss - m.low for m in marks], [m.high - m.loss for m in marks]
    axes.errorbar(
        [100 * mark.zeros for mark in marks], [mark.loss for mark in marks],
        yerr=[below, above], marker="o", markersize=5, capsize=3, linewidth=1.4, label=line,
    )  # fmt: skip
