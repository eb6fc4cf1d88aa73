"""What a whole path, or all folds together, may use; and the one sign to stop for all of them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace

from ..solvers.monitor import Limits


class OutOfTime(RuntimeError):
    """Time ran out before there was anything to return."""


@dataclass(frozen=True)
class Budget:
    """Limits whose max_time is for everything together."""

    limits: Limits
    stop: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.perf_counter() - self.started

    def for_one(self) -> Limits:
        """Return the limits of the next fit."""
        left = self.limits.max_time
        if left is not None:
            left = max(0.0, left - self.seconds)
        return replace(self.limits, max_time=left, stopped=self.stop.is_set)
