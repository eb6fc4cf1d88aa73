"""How paths and cross-validations are drawn. Strengths fall to the right, on a logarithmic axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Array
from ..plotting import pyplot
from .coefficients import ever

if TYPE_CHECKING:
    from .result import Path
    from .validation import CrossValidation

_COUNTS = 6  # numbers of nonzeros above a plot
_LINE_HEIGHT = 0.045  # of a label, in heights of the plot


def draw_path(path: Path, ax: Any, labels: Any) -> Any:
    """Draw all parameters that are ever not zero."""
    ax = _axes(ax)
    shown = path.lambdas > 0
    union, values = ever([point.parameters for point in path.points])
    ax.axhline(0.0, color="gray", linewidth=0.6)
    marker = "o" if np.count_nonzero(shown) == 1 else None  # a line needs two points
    lines = ax.plot(path.lambdas[shown], values[shown], linewidth=1.3, marker=marker)
    _strength_axis(ax, path)
    ax.set_ylabel("parameter")
    if labels is not None:
        of_row = path.shape[1] if len(path.shape) == 2 else 1
        _label_ends(ax, lines, [labels[i // of_row] for i in union])
    return ax


def draw_validation(validation: CrossValidation, ax: Any) -> Any:
    """Draw mean and standard error at each strength, and both choices."""
    ax = _axes(ax)
    shown = validation.lambdas > 0
    mean, error = validation.mean[shown], validation.standard_error[shown]
    ax.errorbar(
        validation.lambdas[shown], mean, error, fmt="o", markersize=3, color="#0b5fa5",
        ecolor="#9aa5b1", elinewidth=0.9, capsize=1.5,
    )  # fmt: skip
    _mark_choice(ax, validation.best.lam, "best", color="black", linestyle="--")
    if len(validation.scores) > 1:
        one = validation.one_standard_error.lam
        _mark_choice(ax, one, "one standard error", color="#c2571a", linestyle=":", linewidth=1.8)
    if ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False)
    _strength_axis(ax, validation.path)
    ax.set_ylabel("held-out mean loss" if validation.score is None else "held-out score")
    return ax


def _mark_choice(ax: Any, strength: float, label: str, **style: Any) -> None:
    if strength > 0:  # 0 has no place on a logarithmic axis
        ax.axvline(strength, label=label, **style)


def _axes(ax: Any) -> Any:
    return pyplot().subplots(layout="constrained")[1] if ax is None else ax


def _strength_axis(ax: Any, path: Path) -> None:
    """Strengths below, falling; the numbers of nonzeros above."""
    ax.set_xscale("log")
    ax.set_xlabel("strength λ")
    ax.xaxis.set_inverted(True)
    ax.spines[["top", "right"]].set_visible(False)
    shown = np.flatnonzero(path.lambdas > 0)
    ticks = shown[np.linspace(0, len(shown) - 1, min(_COUNTS, len(shown))).round().astype(int)]
    above = ax.secondary_xaxis("top")
    above.set_xticks(path.lambdas[ticks], [str(count) for count in path.nonzeros[ticks]])
    above.xaxis.minorticks_off()
    above.spines["top"].set_visible(False)
    above.set_xlabel("nonzeros", color="gray")
    above.tick_params(length=0, labelcolor="gray")


def _label_ends(ax: Any, lines: Any, names: list[str]) -> None:
    """Write the names beside the last points, apart from each other, in the lines' colours."""
    low, high = ax.get_ylim()
    ends = np.array([line.get_ydata()[-1] for line in lines])
    places = _spread(ends, _LINE_HEIGHT * (high - low))
    for line, name, end, place in zip(lines, names, ends, places, strict=True):
        ax.annotate(
            name, (line.get_xdata()[-1], end), (1.015, (place - low) / (high - low)),
            textcoords="axes fraction", color=line.get_color(), va="center", fontsize=9,
        )  # fmt: skip


def _spread(ends: Array, apart: float) -> Array:
    """Return places in the order of the ends, at least so far apart, around the same middle."""
    order = np.argsort(ends, kind="stable")
    steps = apart * np.arange(ends.size)
    raised = np.maximum.accumulate(ends[order] - steps) + steps
    lowered = np.minimum.accumulate((ends[order] - steps)[::-1])[::-1] + steps
    places = np.empty(ends.size)
    places[order] = 0.5 * (raised + lowered)
    return places
