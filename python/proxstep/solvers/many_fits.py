"""Many fits as one array each: run by the core, certified here by the duals of `solve`.

Letters: B fits of n samples and p features, c the factor that brings a dual point into the domain.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from .. import _core
from ..arrays import Array
from .duals import dual_of
from .monitor import Limits

_REPORT = 8  # numbers of one fit, in the order of the properties below
_ROUNDS = 8  # runs with tolerances of which each is a tenth of the last
_INNER = 1.0  # part of the tolerance that the first run may leave
_LEAST = float(np.finfo(np.float64).eps)  # of the tolerance: what is below is rounding


class ManyFits:
    """The fits, from a start; all arrays have one row, or entry, a fit."""

    def __init__(self, squares: _core.ManySquares, penalty: Any, start: Array) -> None:
        self.squares, self.penalty, self.x = squares, penalty, start
        self.gradient = np.empty_like(start)
        self.reports = np.zeros((len(start), _REPORT))
        self.gaps = np.full(len(start), np.inf)
        self.stopped: str | None = None  # why all ended, where not each by itself
        dual = dual_of(penalty, start.shape[1:])
        self.dual: Any = None if dual is None or dual.free.any() else dual

    def run(self, limits: Limits, until: float) -> None:
        """Run until each certificate is within tol or its budget is spent, or to that time."""
        left, tolerance = np.arange(len(self.x)), _INNER * limits.tol
        try:
            for _ in range(_ROUNDS):
                self._descend(left, max(tolerance, _LEAST), limits.max_iter, until)
                self._certify(left)
                left = left[(self.gaps[left] > limits.tol) & (self.epochs[left] < limits.max_iter)]
                tolerance *= 0.1
                if not left.size or self.stopped:
                    break
        except KeyboardInterrupt:
            self.stopped = "interrupted"
            self._certify(left)

    def _descend(self, fits: Array, tolerance: float, max_iter: int, until: float) -> None:
        def late() -> bool:
            return time.perf_counter() >= until

        arrays = fits, self.x, self.gradient, self.reports
        self.squares.run(self.penalty.spec, *arrays, tolerance, max_iter, late)
        if late():
            self.stopped = "max_time"

    def _certify(self, fits: Array) -> None:
        """Measure the certificates of those fits that were begun."""
        fits = fits[self.begun[fits]]
        measure = self._violations if self.dual is None else self._gaps
        with np.errstate(over="ignore", invalid="ignore"):
            self.gaps[fits] = measure(fits)

    def _gaps(self, fits: Array) -> Array:
        """Return duality gaps, relative to the null models.

        With r the residual, ``F*(c r) = c^2 F + c <r, y>``, and ``<r, y>`` is ``<x, g> - 2 F``.
        """
        loss, inner, objective, _, scale, *_ = self.reports[fits].T
        g = self.gradient[fits]
        c = 1.0 / np.maximum(1.0, self.dual.gauge(g, axis=1))
        conjugate = self.dual.conjugate(c[:, None] * g, axis=1)
        best = np.maximum(0.0, -(c**2) * loss - c * (inner - 2.0 * loss) - conjugate)
        return np.maximum(0.0, objective - best) / scale

    def _violations(self, fits: Array) -> Array:
        """Return the prox residuals over those of the null models, as `Violation` does."""
        x, penalty = self.x[fits], self.penalty
        *_, largest, pull, _ = self.reports[fits].T
        steps = 1.0 / np.where(largest > 0, largest, 1.0)
        if penalty.weights is not None:
            penalty = replace(penalty, weights=np.broadcast_to(penalty.weights, x.shape))
        each = np.repeat(steps[:, None], x.shape[1], axis=1)
        moved = penalty.prox(x - each * self.gradient[fits], each)
        return np.linalg.norm(x - moved, axis=1) / (steps * np.where(pull > 0, pull, 1.0))

    def reasons(self, limits: Limits) -> Array:
        """Return why each fit ended, in the words of `Result`."""
        spent = np.where(self.epochs < limits.max_iter, "stalled", "max_iter")
        return np.where(self.gaps <= limits.tol, "converged", self.stopped or spent)

    @property
    def begun(self) -> Array:
        """Which fits were told of; the loss of a null model is never 0."""
        return self.reports[:, 4] != 0

    @property
    def objective(self) -> Array:
        """Loss plus penalty, of x as X's dtype holds it; NaN where nothing is known."""
        return np.where(self.begun, self.reports[:, 2], np.nan)

    @property
    def intercept(self) -> Array:
        """Intercept for X as it was given; NaN likewise."""
        return np.where(self.begun, self.reports[:, 3], np.nan)

    @property
    def finite(self) -> bool:
        """Whether the squares of y and of X are."""
        return bool(np.isfinite(self.reports[:, 4:7]).all())

    @property
    def pull(self) -> Array:
        """Norm of the null model's gradient."""
        return self.reports[:, 6]

    @property
    def epochs(self) -> Array:
        """Passes over all elements."""
        return self.reports[:, 7]
