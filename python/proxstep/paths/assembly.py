"""What the folds of a cross-validation and the path have in common, when all is well or cut short.

A fold is the path without its samples and the scores of those; L is the number of strengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Array
from .budget import Budget, OutOfTime
from .folds import Split
from .result import Path
from .scoring import Score
from .validation import CrossValidation


@dataclass(frozen=True)
class Fold:
    """One fold's path, and its held-out scores."""

    path: Path
    scores: Array


def assemble(
    whole: Path, folds: Sequence[Fold], parts: Sequence[Split], budget: Budget, score: Score | None
) -> CrossValidation:
    """Return the scores of folds and strengths that were solved, with their fits to all samples."""
    paths = [whole, *(fold.path for fold in folds)]
    reason = next((each.reason for each in paths if each.reason != "finished"), "finished")
    kept, length = _fullest([min(len(whole), len(fold.path)) for fold in folds])
    if length == 0:
        _give_up(reason, budget)
    scores = np.array([folds[k].scores[:length] for k in kept])
    _check_scores(scores, kept, whole)
    weights = np.array([parts[k].test.sum() for k in kept])
    path = replace(whole, points=whole.points[:length], reason=reason)
    return CrossValidation(scores, weights / weights.sum(), kept, path, budget.seconds, score)


def _fullest(lengths: list[int]) -> tuple[Array, int]:
    """Return the folds, and the strengths that each of them has solved, with the most scores.

    These are all folds and all strengths unless the run was cut short: then folds that have
    hardly begun would leave hardly a strength.
    """
    order = np.argsort(lengths, kind="stable")[::-1]
    areas = np.sort(lengths)[::-1] * np.arange(1, len(lengths) + 1)
    count = len(lengths) - int(np.argmax(areas[::-1]))  # the most folds among equals
    return np.sort(order[:count]), lengths[order[count - 1]]


def _give_up(reason: str, budget: Budget) -> None:
    if reason == "interrupted":
        raise KeyboardInterrupt("no fold had solved a strength")
    raise OutOfTime(
        f"max_time is {budget.limits.max_time}; within it no fold had solved a strength"
    )


def _check_scores(scores: Array, kept: Array, path: Path) -> None:
    wrong = np.argwhere(~np.isfinite(scores))
    if len(wrong):
        k, i = wrong[0]
        where = f"the score of fold {kept[k]} at strength {path[i].lam:g}"
        raise ValueError(f"{where} is {scores[k, i]:g}; it must be finite")
