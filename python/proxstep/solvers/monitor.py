"""When a solver stops, and the record of its checks. Every solver reports to one of these."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..arrays import Array
from ..problems import Evaluation, Problem
from .certificate import Certificate
from .result import Trace

_CHECK_EVERY = 10
_IDLE_CHECKS = 10  # checks without progress that make a stall, or this part of all so far:
_IDLE_PART = 10  # the momentum of ill-conditioned problems pauses for longer


def rounding(problem: Problem) -> float:
    """Return the rounding error of objectives not far above that of the null model."""
    return 4 * problem.eps * problem.scale


@dataclass(frozen=True)
class Limits:
    """Tolerance and budgets of one run."""

    tol: float
    max_iter: int
    max_time: float | None
    stopped: Callable[[], bool] = lambda: False  # for runs in threads, which Ctrl-C never reaches


@dataclass
class Monitor:
    """Measures the certificate from time to time and says why to stop."""

    certificate: Certificate
    limits: Limits
    rounding: float  # of the objective
    reason: str | None = None
    n_iter: int = 0
    gap: float = np.inf
    objective: float = np.inf
    margin: float = 1.0  # part of tol that the run may use
    check_every: int = _CHECK_EVERY  # iterations
    solver: str = "fista"
    idle: int = 0  # checks without progress
    _next_check: int = 0
    _lowest: float = np.inf  # objective, at the last check with progress
    _smallest: float = np.inf  # certificate, likewise
    _started: float = field(default_factory=time.perf_counter)
    _records: list[tuple[int, float, float, float]] = field(default_factory=list)

    def running(self, at: Evaluation, objective: float, steps: Array | float) -> bool:
        """Return whether to go on from this point; sets `reason` where not."""
        exhausted = self._exhausted()
        if self.n_iter >= self._next_check or exhausted is not None:
            self._next_check = self.n_iter + self.check_every
            self.check(at, objective, steps)
        if self.reason is None:
            self.reason = exhausted
        return self.reason is None

    def check(self, at: Evaluation, objective: float, steps: Array | float) -> None:
        """Measure and record the certificate."""
        self.objective = objective
        self.gap = self.certificate.measure(at, objective, steps)
        self._records.append((self.n_iter, objective, self.gap, self.seconds))
        self._note_progress(objective)
        if self.gap <= self.margin * self.limits.tol:
            self.reason = "converged"

    def continue_with(self, certificate: Certificate, rounding: float) -> None:
        """Go on within the same budgets, with another certificate that is checked at once."""
        self.certificate, self.rounding = certificate, rounding
        self.reason = self.reason if self.reason == "interrupted" else None
        self._next_check, self.idle = self.n_iter, 0
        self._lowest = self._smallest = np.inf

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.perf_counter() - self._started

    def trace(self) -> Trace:
        """Return the record of the checks."""
        columns = list(zip(*self._records, strict=True)) or [()] * 4
        return Trace(*(np.array(c) for c in columns))

    def _note_progress(self, objective: float) -> None:
        """Progress is an objective lower by more than rounding, or a certificate 10 % smaller."""
        if objective < self._lowest - self.rounding or self.gap < 0.9 * self._smallest:
            self._lowest, self._smallest, self.idle = objective, self.gap, 0
        else:
            self.idle += 1

    def out_of_time(self) -> bool:
        """Return whether a run should end where it is, asked within native loops."""
        late = self.limits.max_time is not None and self.seconds >= self.limits.max_time
        return late or self.limits.stopped()

    def _exhausted(self) -> str | None:
        if self.idle >= max(_IDLE_CHECKS, len(self._records) // _IDLE_PART):
            return "stalled"
        if self.limits.stopped():
            return "interrupted"
        if self.n_iter >= self.limits.max_iter:
            return "max_iter"
        if self.limits.max_time is not None and self.seconds >= self.limits.max_time:
            return "max_time"
        return None
