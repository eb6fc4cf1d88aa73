"""confusion.png and path.png of a classifier. Each function returns the bytes of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..lm.plot import TRAIN, VALIDATION, headless_pyplot, image_of
from . import EXTRA
from .scores import Scores
from .search import Look

SECOND = "#c2571a"
_MOST_WRITTEN = 20  # classes whose counts are written into the plot
_DARK = 0.55  # share from which on a cell wants white letters


def draw_confusion(scores: Scores, title: str) -> bytes:
    """Return the confusion of classes: counts, coloured by their share of the true class.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    pyplot = headless_pyplot(EXTRA)
    table = np.array(scores.confusion)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    side = min(14.0, 3.2 + 0.35 * len(table))
    figure, axes = pyplot.subplots(figsize=(side + 0.9, side), layout="constrained")
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(table) <= _MOST_WRITTEN:
        _write_counts(axes, table, shares)
    _name_classes(axes, [item.label for item in scores.classes])
    bar = figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class")
    bar.outline.set_visible(False)
    axes.set_title(title, fontsize=10, loc="left")
    return image_of(figure)


def _write_counts(axes: Any, table: Any, shares: Any) -> None:
    size = 11 if len(table) <= 8 else 7
    for (row, column), count in np.ndenumerate(table):
        if count:
            color = "white" if shares[row, column] > _DARK else "black"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=color, size=size)


def _name_classes(axes: Any, labels: list[str]) -> None:
    short = [label if len(label) <= 18 else label[:17] + "…" for label in labels]
    size = max(3.0, min(10.0, 300 / len(labels)))
    upright = max(map(len, short)) * len(short) > 40
    axes.set_xticks(range(len(short)), short, rotation=90 if upright else 0, fontsize=size)
    axes.set_yticks(range(len(short)), short, fontsize=size)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def draw_search(looks: Sequence[Look], chosen: int, title: str) -> bytes:
    """Return loss above and scores below, a dot a strength, over the weights that are not zero.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    pyplot = headless_pyplot(EXTRA)
    figure, (loss, scores) = pyplot.subplots(
        2, 1, sharex=True, figsize=(8, 6), layout="constrained"
    )
    shown = [look for look in looks if look.nonzeros]  # 0 has no place on a logarithmic axis
    _draw_losses(loss, shown)
    _draw_scores(scores, shown)
    for axes in (loss, scores):
        if looks[chosen].nonzeros:
            axes.axvline(looks[chosen].nonzeros, color="black", linewidth=1, linestyle="--")
        axes.legend(frameon=False)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return image_of(figure)


def _draw_losses(axes: Any, looks: Sequence[Look]) -> None:
    nonzeros, loss = [look.nonzeros for look in looks], np.array([look.loss for look in looks])
    error = np.array([look.loss_error for look in looks])
    axes.fill_between(nonzeros, loss - error, loss + error, color=VALIDATION, alpha=0.15, lw=0)
    _line(axes, nonzeros, [look.train_loss for look in looks], TRAIN, "training")
    _line(axes, nonzeros, loss, VALIDATION, "validation, ± 1 standard error")
    axes.set_ylabel("cross-entropy [nats a text]")


def _draw_scores(axes: Any, looks: Sequence[Look]) -> None:
    nonzeros = [look.nonzeros for look in looks]
    _line(axes, nonzeros, [100 * look.accuracy for look in looks], VALIDATION, "accuracy")
    _line(axes, nonzeros, [100 * look.f1 for look in looks], SECOND, "F1, mean of classes")
    axes.set_ylabel("validation texts [%]")
    axes.set_xlabel("weights that are not zero (dashed: chosen)")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")


def _line(axes: Any, x: Any, y: Any, color: str, label: str) -> None:
    axes.plot(x, y, "o-", color=color, label=label, markersize=3, linewidth=1.3)
