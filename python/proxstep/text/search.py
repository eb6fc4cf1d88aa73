"""The strength of the penalty: a path that ends when held-out texts stop gaining."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from ..arrays import Array
from ..paths import Path, Point, path
from ..problems import Problem
from .config import TextConfig
from .linear import Linear, make_penalty
from .scores import losses

_F1: dict[str, Any] = {"average": "macro", "zero_division": 0.0}  # over all classes, as `Scores`


@dataclass(frozen=True)
class Look:
    """What held-out texts say of the model at one strength.

    Attributes
    ----------
    lam, nonzeros, gap : float, int, float
        Strength, weights that are not zero, and certificate.
    train_loss, loss : float
        Mean cross-entropy of training and of held-out texts, by class weights.
    accuracy, f1 : float
        Of held-out texts; F1 is the mean over classes.
    loss_error, accuracy_error : float
        Standard errors of loss and accuracy.
    """

    lam: float
    nonzeros: int
    gap: float
    train_loss: float
    loss: float
    accuracy: float
    f1: float
    loss_error: float
    accuracy_error: float


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Features (n, p), class numbers (n,) and weights (n,) of texts that are not trained on."""

    X: Any
    codes: Array
    weights: Array

    def look(self, point: Point) -> Look:
        """Return the scores of a point."""
        log_probabilities = Linear.of(point).log_probabilities(self.X)
        found, n = log_probabilities.argmax(axis=1), self.codes.size
        f1 = f1_score(self.codes, found, labels=range(log_probabilities.shape[1]), **_F1)
        each, shares = losses(self.codes, log_probabilities), self.weights / self.weights.sum()
        loss, accuracy = float(shares @ each), float((found == self.codes).mean())
        return Look(
            lam=point.lam,
            nonzeros=point.nonzeros,
            gap=point.gap,
            train_loss=point.loss,
            loss=loss,
            accuracy=accuracy,
            f1=float(f1),
            loss_error=float(np.linalg.norm(shares * (each - loss))),
            accuracy_error=math.sqrt(accuracy * (1 - accuracy) / n),
        )


class Search:
    """Follows the strengths and remembers what held-out texts say."""

    def __init__(self, config: TextConfig, held_out: HeldOut | None) -> None:
        self.config, self.held_out = config, held_out
        self.looks: list[Look] = []
        self._gained = 0  # number of the last look with a gain

    def follow(
        self, problem: Problem, progress: bool = False, lambdas: list[float] | None = None
    ) -> Path:
        """Return the path: of strengths given here, of the one that is set, or of many.

        Raises
        ------
        ValueError
            If time ran out before a strength was solved.
        KeyboardInterrupt
            If it was interrupted.
        """
        config, penalty = self.config, make_penalty(self.config, problem.shape)
        if lambdas is None and config.lam:
            lambdas = [config.lam]
        found = path(
            problem, penalty, config.strengths, lambda_ratio=config.floor,
            lambdas=lambdas, tol=config.tol,
            max_time=config.max_time or None, until=self._ended, progress=progress,
        )  # fmt: skip
        if found.reason == "interrupted":
            raise KeyboardInterrupt
        if not found.points:
            raise ValueError(f"max_time={config.max_time} ended before a strength was solved")
        return found

    def chosen(self) -> int:
        """Return the number of the strength with the best score, the largest of equals."""
        scores = np.array([score(look, self.config.select) for look in self.looks])
        best = int(scores.argmax())
        if not self.config.one_standard_error:
            return best
        error = getattr(self.looks[best], f"{self.config.select}_error")
        return int((scores >= scores[best] - error).argmax())

    def _ended(self, point: Point) -> bool:
        """Look at a point and tell whether neither loss nor score gained for long."""
        if self.held_out is None:
            return False
        look = self.held_out.look(point)
        if any(score(look, name) > self._best(name) for name in ("loss", self.config.select)):
            self._gained = len(self.looks)
        self.looks.append(look)
        waited = len(self.looks) - 1 - self._gained
        return 0 < self.config.patience <= waited

    def _best(self, name: str) -> float:
        return max((score(look, name) for look in self.looks), default=-math.inf)


def score(look: Look, name: str) -> float:
    """Return a score that is better when larger."""
    return -look.loss if name == "loss" else float(getattr(look, name))
