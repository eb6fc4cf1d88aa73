"""Made texts of several classes, for the tests of proxstep.text."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from proxstep.cli import main

SMALL = ["--quiet", "--features", "words", "--strengths", "12", "--floor", "0.02"]
TOPICS = {
    "weather": ["Rain,", "wind;", "sun", "snow", "cloudy", "storm", "12°", "fog", "dry", "cold"],
    "kitchen": ["salt", "Café", "oven", "bake", "£3", "onion", "soup;", "spoon", "salt!", "dry"],
    "sport": ["goal", "team", "win!", "score", "3:1", "run", "Ball", "coach", "cup", "cold"],
}
COMMON = ["the", "a", "of", "and", "today", "we", "it", "was", "not", "very", "in", "with", "for"]


def make_rows(count: int = 150, topics: int = 3, seed: int = 4) -> list[tuple[str, str]]:
    """Labels, some of them wrong, and texts; some words are of two classes."""
    draws = np.random.default_rng(seed)
    names = list(TOPICS)[:topics]
    shares = np.arange(topics, 0, -1) / (topics * (topics + 1) / 2)
    return [_row(draws, str(draws.choice(names, p=shares))) for _ in range(count)]


def _row(draws: Any, label: str) -> tuple[str, str]:
    words = [*draws.choice(COMMON, 7), *draws.choice(TOPICS[label], 2)]
    draws.shuffle(words)
    wrong = draws.random() < 0.15
    return str(draws.choice(list(TOPICS)[:2])) if wrong else label, " ".join(words)


def columns(rows: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Texts and labels."""
    return [text for _, text in rows], [label for label, _ in rows]


def write_table(path: Path, rows: list[tuple[str, str]], delimiter: str = "\t") -> Path:
    """Write a header and the rows; quotes only where a comma separates."""
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=quoting, quotechar='"')
        writer.writerows([("label", "text"), *rows])
    return path


def classify(*arguments: Any) -> int:
    """Run ``proxstep classify`` with small settings and return its exit code."""
    return main(["classify", *SMALL, *map(str, arguments)])


def model_bytes(folder: str) -> list[bytes]:
    """The files of a saved classifier."""
    return [path.read_bytes() for path in sorted(Path(folder).glob("model*"))]
