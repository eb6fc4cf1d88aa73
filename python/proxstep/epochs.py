"""The loop of `train` over epochs and batches.

Letters: x parameters, b intercept (stepped by the same rule, without a penalty).
"""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass, replace

import numpy as np

from .arrays import Array
from .history import History
from .optimizer import Optimizer
from .penalties import Penalty
from .problems import Problem
from .quantize import Quantize
from .schedules import Schedule
from .solvers.result import ConvergenceWarning
from .top_k import TopK


@dataclass(frozen=True)
class Settings:
    """What holds for a whole run."""

    batch_size: int
    schedule: Schedule
    patience: int | None
    max_norm: float | None


class Run:
    """The state of one call of `train`."""

    def __init__(
        self,
        problem: Problem,
        penalty: Penalty | TopK | None,
        optimizer: Optimizer,
        settings: Settings,
        validation: Problem | None,
    ) -> None:
        self.problem, self.penalty, self.validation = problem, penalty, validation
        self.optimizer, self.settings = optimizer, settings
        self.x, self.intercept = self._with_intercept(optimizer.params)
        self._keep_best(-1, math.inf)
        self.reason = "finished"
        self.records: list[tuple[float, ...]] = []
        self.started = time.perf_counter()

    def _with_intercept(self, arrays: list[Array]) -> tuple[Array, Array]:
        if len(arrays) == 2:
            return arrays[0], arrays[1]
        return arrays[0], np.zeros(self.problem.shape[1:] or 1, self.problem.dtype)

    def fit(self, epochs: int, rng: np.random.Generator) -> None:
        """Run the epochs, with an eye on the loss and on Ctrl-C."""
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                for epoch in range(epochs):
                    lr = self._epoch(rng.permutation(self.problem.X.shape[0]))
                    if self._stops(epoch, lr):
                        break
        except KeyboardInterrupt:
            self.reason = "interrupted"

    def _epoch(self, order: Array) -> float:
        """Step through all batches; return the last learning rate."""
        size, lr = self.settings.batch_size, math.nan
        for first in range(0, order.size, size):
            x, intercept = self._with_intercept(self.optimizer.points)
            _, *grads = self.problem.batch(order[first : first + size], x, intercept)
            lr = self.settings.schedule(self.optimizer.steps)
            stepped = grads[: len(self.optimizer.params)]
            self.optimizer.step(stepped, lr=lr, max_norm=self.settings.max_norm)
        return lr

    def _stops(self, epoch: int, lr: float) -> bool:
        """Record the epoch, keep the best parameters, and return whether to stop."""
        loss = self.problem.loss(self.x, self.intercept)
        held_out = self.validation.loss(self.x, self.intercept) if self.validation else math.nan
        objective = loss + self._penalty_value()
        seconds = time.perf_counter() - self.started
        nonzeros = float(np.count_nonzero(self.x))
        self.records.append((loss, objective, held_out, nonzeros, lr, seconds))
        if not math.isfinite(loss):
            self.reason = "diverged"
            _warn_diverged(epoch, loss, lr)
        elif self.validation is None or held_out < self.best_loss:
            self._keep_best(epoch, held_out)
        elif self.settings.patience and epoch - self.best_epoch >= self.settings.patience:
            self.reason = "early stopping"
        return self.reason != "finished"

    def _keep_best(self, epoch: int, held_out: float) -> None:
        self.best_epoch, self.best_loss = epoch, held_out
        self.best = (self.x.copy(), self.intercept.copy())  # the next epoch writes into them

    def _penalty_value(self) -> float:
        """Return h of the last update, whose schedule may have changed it since the first."""
        penalty, update = self.penalty, self.optimizer.steps - 1
        if isinstance(penalty, TopK) and penalty.schedule is not None:
            penalty = replace(penalty, k=penalty.at(update), schedule=None)
        elif isinstance(penalty, Quantize):
            penalty = penalty.at(update)
        return penalty.value(self.x) if penalty else 0.0

    def history(self) -> History:
        """Return the record."""
        x, b = self.best
        columns = np.array(self.records, np.float64).reshape(-1, 6).T
        loss, objective, val_loss, nonzeros, lr, seconds = columns
        return History(
            x=x,
            intercept=float(b[0]) if len(self.problem.shape) == 1 else b,
            reason=self.reason,
            best_epoch=self.best_epoch,
            loss=loss,
            objective=objective,
            val_loss=val_loss,
            nonzeros=nonzeros.astype(np.int64),
            lr=lr,
            seconds=seconds,
        )


def _warn_diverged(epoch: int, loss: float, lr: float) -> None:
    warnings.warn(
        f"ps.train diverged in epoch {epoch}: the training loss is {loss} at the learning rate "
        f"{lr:g}; lower it, or set max_norm",
        ConvergenceWarning,
        stacklevel=5,
    )
