"""Coordinate descent over all blocks at once, by a kept Gram matrix: X is not read."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..penalties import Penalty
from ..problems import Evaluation, Problem
from ..problems.by_gram import KeptGram
from .monitor import Monitor
from .working_set import _FINEST, _INNER, WorkingSet

_FIRST = 10.0  # tolerances of tol, of which the first epochs leave a tenth
_SHARE = 0.05  # of tol that the rounding of an evaluation may take


class GramSet(WorkingSet):
    """A block at rest costs a glance at its gradient, so that there is no set to choose."""

    def __init__(
        self, problem: Problem, penalty: Penalty, monitor: Monitor, at: Evaluation, gram: KeptGram
    ) -> None:
        super().__init__(problem, penalty, monitor, at)
        self.gram, self.screening = gram, None
        count = len(problem.design.scales) if self.groups is None else self.groups[1]
        self._all = np.arange(count)

    def _evaluate(self, x: Array, offset: Any) -> Evaluation:
        """By the samples where the Gram matrix's rounding would show."""
        if self.gram.rounding(x) <= _SHARE * self.monitor.limits.tol * self.problem.scale:
            return self.gram.evaluate(x)
        return super()._evaluate(x, offset)

    def _sharpen(self) -> None:
        """At once as exactly as asked: there is no other set to look for."""
        tol = self.monitor.limits.tol
        self.tolerance = max(_FINEST * tol, _INNER * min(self.tolerance, _FIRST * tol))

    @property
    def _margins(self) -> None:
        """The core does not read them."""
        return None

    def _chosen(self) -> Any:
        return self._all
