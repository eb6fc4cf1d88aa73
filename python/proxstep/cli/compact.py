"""``proxstep compact``: a smaller dense model with the same outputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from proxstep.lm.compact import compact
from proxstep.lm.folder import load_model
from proxstep.lm.handover import save_model
from proxstep.lm.model import GPT
from proxstep.lm.parameters import Parameters

from .parser import add_slot


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "compact",
        help="leave out what exact zeros make idle",
        description="Write a smaller dense model with the same outputs: without the heads and "
        "hidden units that only add zeros. Row and column penalties make such models.",
        allow_abbrev=False,
    )
    parser.set_defaults(command=run, parser=parser)
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a run")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    add_slot(parser)


def run(options: Any) -> int:
    """Write the smaller model and tell what was left out."""
    model, about, info = load_model(options.folder, options.slot or "")
    small = compact(model.weights)
    kept = {key: info[key] for key in ("step", "val_loss") if key in info}
    save_model(options.out, small, replace(about, model=small.config), **kept)
    for line in report(model.weights, small):
        print(line)
    print(f"folder: {options.out}")
    return 0


def report(before: Parameters, after: Parameters) -> list[str]:
    """Return what became of heads, hidden units and weights, and how close the outputs are."""
    blocks = range(before.config.layers)
    both = (before, after)
    heads = [[w.config.heads_of(i) for i in blocks] for w in both]
    hidden = [[w.config.hidden_of(i) for i in blocks] for w in both]
    sizes = [w.matrices.size for w in both]
    zeros = [1 - np.count_nonzero(w.matrices) / w.matrices.size for w in both]
    return [
        _change("heads", *heads),
        _change("hidden units", *hidden),
        f"2-D weights: {sizes[0]:,} -> {sizes[1]:,} ({sizes[1] / sizes[0]:.1%})",
        f"zeros among them: {zeros[0]:.2%} -> {zeros[1]:.2%}",
        f"logits on a random text differ by at most {_difference(before, after):.1e}",
    ]


def _change(name: str, before: list[int], after: list[int]) -> str:
    blocks = ", ".join(f"{a} of {b}" for a, b in zip(after, before, strict=True))
    return f"{name}: {sum(before):,} -> {sum(after):,} (by block: {blocks})"


def _difference(before: Parameters, after: Parameters) -> float:
    """Return the largest difference of logits, as a share of the largest of them."""
    config = before.config
    tokens = np.random.default_rng(0).integers(config.vocabulary, size=(1, config.context))
    logits, found = (GPT(weights).forward(tokens) for weights in (before, after))
    return float(np.abs(found - logits).max() / np.abs(logits).max())
