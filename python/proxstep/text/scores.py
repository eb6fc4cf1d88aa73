"""How well texts are classified: loss, accuracy, F1, and the confusion of classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from ..arrays import Array


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class; 0 where nothing was labelled or found."""

    label: str
    texts: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Scores:
    """Scores over some texts.

    Attributes
    ----------
    texts : int
        Their number.
    loss : float
        Mean cross-entropy, nats a text.
    accuracy, macro_f1, micro_f1 : float
        Share of right labels; F1 averaged over classes, and over all decisions.
    classes : tuple of ClassScores
        By class.
    confusion : tuple of tuples of int
        Texts by true class (row) and predicted class.
    """

    texts: int
    loss: float
    accuracy: float
    macro_f1: float
    micro_f1: float
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, codes: Array, log_probabilities: Array, classes: Array) -> Scores:
        """Return the scores of class numbers (n,) and log probabilities (n, classes)."""
        found, numbers = log_probabilities.argmax(axis=1), np.arange(classes.size)
        table = confusion_matrix(codes, found, labels=numbers)
        by_class = precision_recall_fscore_support(codes, found, labels=numbers, zero_division=0.0)
        micro = precision_recall_fscore_support(codes, found, average="micro", zero_division=0.0)
        return cls(
            texts=codes.size,
            loss=float(losses(codes, log_probabilities).mean()),
            accuracy=float((found == codes).mean()),
            macro_f1=float(by_class[2].mean()),
            micro_f1=float(micro[2]),
            classes=tuple(_class_scores(classes, by_class)),
            confusion=tuple(map(tuple, table.tolist())),
        )


def losses(codes: Array, log_probabilities: Array) -> Array:
    """Return the cross-entropy of each text."""
    return -np.take_along_axis(log_probabilities, codes[:, None], axis=1)[:, 0]


def _class_scores(classes: Array, by_class: Any) -> list[ClassScores]:
    precision, recall, f1, texts = (column.tolist() for column in by_class)
    rows = zip(map(str, classes), texts, precision, recall, f1, strict=True)
    return [ClassScores(*row) for row in rows]
