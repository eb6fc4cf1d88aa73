"""A tiny training run on the command line, for the tests of proxstep.cli."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lm_cases import TEXT
from proxstep.cli import main
from proxstep.lm.checkpoint import load_checkpoint

SMALL = [
    *("--quiet", "--layers", "1", "--heads", "2", "--channels", "8", "--context", "6"),
    *("--batch", "5", "--steps", "12", "--warmup", "3", "--eval-every", "4", "--save-every", "4"),
    *("--lr", "0.02", "--penalty", "l1", "--lam", "0.5"),
]


def make_text(folder: Path) -> Path:
    """Write text.txt."""
    path = folder / "text.txt"
    path.write_text(TEXT)
    return path


def train(*arguments: Any) -> int:
    """Run ``proxstep train`` here and return its exit code."""
    return main(["train", *SMALL, *map(str, arguments)])


def final_bits(folder: Path) -> dict[str, bytes]:
    """Every array of the last checkpoint."""
    return {name: array.tobytes() for name, array in load_checkpoint(folder, "last")[0].items()}


def read_log(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON-lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]
