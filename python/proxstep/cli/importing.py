"""``proxstep import``: a checkpoint of another trainer as a run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proxstep.lm.config import TrainConfig
from proxstep.lm.folder import About
from proxstep.lm.handover import save_model
from proxstep.lm.nanogpt import read_characters, read_nanogpt
from proxstep.lm.numbers import NumberTokenizer

from .parser import known


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "import",
        help="take a model that nanoGPT has trained",
        description="Make a run's folder from a checkpoint of nanoGPT without biases: to sample, "
        "evaluate, compact and export.",
        allow_abbrev=False,
    )
    parser.set_defaults(command=run, parser=parser)
    parser.add_argument("kind", type=known("kind", ("nanogpt",)), metavar="nanogpt")
    parser.add_argument("file", type=Path, metavar="CKPT.pt", help="read without running it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    parser.add_argument(
        "--characters", type=Path, metavar="FILE",
        help="meta.pkl of the data, or a JSON list of characters (none: tokens are numbers)",
    )  # fmt: skip


def run(options: Any) -> int:
    """Write the folder."""
    weights = read_nanogpt(options.file)
    size = weights.config.vocabulary
    tokenizer = (
        read_characters(options.characters, size) if options.characters else NumberTokenizer(size)
    )
    save_model(options.out, weights, About(weights.config, TrainConfig(), tokenizer, (), ""))
    print(f"{options.out}: {weights.flat.size:,} weights, {weights.config.layers} layers")
    return 0
