"""zeros.png: the share of exact zeros in each weight matrix, and where in it they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from proxstep.arrays import on_host

from .evaluate import zero_shares
from .parameters import Parameters
from .plot import headless_pyplot, save_figure

KINDS = ("qkv", "projection", "up", "down")
THUMBNAIL = 64  # most pixels along a side; each is the mean of the weights under it
SHADES = "Oranges"
CAPTION = "where they are: rows are outputs, columns inputs; darker: a larger share of zeros"


def draw_zeros(weights: Parameters, path: Path, title: str) -> None:
    """Write the map of zeros of a model as an image.

    Parameters
    ----------
    weights : Parameters
        The model's.
    path : Path
        Image file; its ending picks the format.
    title : str
        Line above the plot.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    pyplot = headless_pyplot()
    layers, sparse = weights.config.layers, any(zero_shares(weights).values())
    heights = [0.42 * layers + 1.7, 1.05 * layers + 0.6]  # inches: of numbers, of patterns
    figure = pyplot.figure(figsize=(7.2, sum(heights) if sparse else heights[0]))
    parts = [figure]
    if sparse:
        parts = list(figure.subfigures(2, 1, height_ratios=heights))
        _draw_patterns(parts[1], weights, heights[1])
    _draw_shares(parts[0], weights, heights[0])
    parts[0].suptitle(title, x=0.02, y=1 - 0.1 / heights[0], ha="left", va="top", fontsize=11)
    save_figure(figure, path)


def shrink(zeros: Any, most: int) -> Any:
    """Return means over blocks of a matrix, with at most `most` rows and columns.

    Examples
    --------
    >>> shrink(np.eye(4), 2).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    for axis in (0, 1):
        size = zeros.shape[axis]
        starts = np.unique(np.arange(min(size, most)) * size // min(size, most))
        counts = np.diff(np.append(starts, size))
        sums = np.add.reduceat(np.asarray(zeros, float), starts, axis=axis)
        zeros = sums / (counts[:, None] if axis == 0 else counts)
    return zeros


def _draw_shares(figure: Any, weights: Parameters, height: float) -> None:
    """Draw embeddings and blocks as two heat maps with a number in each cell; inches high."""
    shares, layers = zero_shares(weights), weights.config.layers
    embeddings = [name for name in shares if not name.startswith("blocks.")]
    top, bottom = figure.subplots(2, 1, height_ratios=(1, layers))
    top_edge, gap = 1 - 0.85 / height, 0.35 / (0.42 * (1 + layers) / 2)
    figure.subplots_adjust(left=0.11, right=0.98, top=top_edge, bottom=0.08 / height, hspace=gap)
    _heat(top, [[shares[name] for name in embeddings]], [n.replace("_", " ") for n in embeddings])
    table = [[shares[f"blocks.{i}.{kind}"] for kind in KINDS] for i in range(layers)]
    _heat(bottom, table, KINDS)
    top.set_yticks([0], [""])
    top.set_title("exact zeros [% of each matrix]", fontsize=9, loc="left", pad=8)
    bottom.set_yticks(range(layers), [f"block {i}" for i in range(layers)])


def _heat(axes: Any, table: Any, names: Any) -> None:
    axes.imshow(table, cmap=SHADES, vmin=0, vmax=1, aspect="auto")
    for (i, j), share in np.ndenumerate(np.array(table)):
        color = "white" if share > 0.6 else "black"
        axes.text(j, i, f"{100 * share:.1f}", ha="center", va="center_baseline", color=color)
    axes.set_xticks(range(len(names)), names)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _draw_patterns(figure: Any, weights: Parameters, height: float) -> None:
    """Draw each matrix of each block, (out, in) as rows and columns, dark where it is zero."""
    layers = weights.config.layers
    grid = figure.subplots(layers, len(KINDS), squeeze=False)
    edges = {"left": 0.11, "right": 0.98, "top": 1 - 0.55 / height, "bottom": 0.08 / height}
    figure.subplots_adjust(**edges, hspace=0.1, wspace=0.05)
    figure.text(0.11, 1 - 0.2 / height, CAPTION, fontsize=9)
    for i, row in enumerate(grid):
        for axes, kind in zip(row, KINDS, strict=True):
            zeros = on_host(weights[f"blocks.{i}.{kind}"]) == 0
            axes.imshow(shrink(zeros, THUMBNAIL), cmap=SHADES, vmin=0, vmax=1, aspect="auto")
            axes.set_xticks([])
            axes.set_yticks([])
        row[0].set_yticks([row[0].get_ylim()[0] / 2], [f"block {i}"])
        row[0].tick_params(length=0)
    for axes, kind in zip(grid[0], KINDS, strict=True):
        shapes = {weights[f"blocks.{i}.{kind}"].shape for i in range(layers)}
        size = "{} × {}".format(*shapes.pop()) if len(shapes) == 1 else "of several sizes"
        axes.set_title(f"{kind}, {size}", fontsize=9)
