"""Many fits as one array each: run by the core, certified here by the duals of `solve`.

What still crawls after `_FEW` epochs is left to `solve`, fit by fit: it takes Newton's steps on
supports. Between two looks at the clock lie no more epochs than these.

Letters: B fits of n samples and p features, c the factor that brings a dual point into the domain.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .. import _core
from ..arrays import Array
from ..problems import Problem
from .certificate import DualityGap, Violation
from .dispatch import solve_quietly
from .duals import dual_of
from .monitor import Limits
from .weak import without_weaker

_REPORT = 8  # numbers of one fit, in the order of the properties below
_ROUNDS = 8  # runs with tolerances of which each is a tenth of the last
_FEW = 1000  # epochs of a fit
_LONGEST = 1e9  # seconds
_INNER = 1.0  # part of the tolerance that the first run may leave
_LEAST = float(np.finfo(np.float64).eps)  # of the tolerance: what is below is rounding


def _whole_dual(penalty: Any, shape: tuple[int, ...]) -> Any:
    """Return the dual of a penalty of all parameters; None for others."""
    dual = dual_of(penalty, shape)
    return None if dual is None or dual.free.any() else dual


class ManyFits:
    """The fits, from a start; all arrays have one row, or entry, a fit."""

    def __init__(
        self,
        squares: _core.ManySquares,
        penalty: Any,
        start: Array,
        problem_of: Callable[[int], Problem],
    ) -> None:
        self.squares, self.penalty, self.x = squares, penalty, start
        self.problem_of = problem_of  # a fit's number
        self.gradient = np.empty_like(start)
        self.reports = np.zeros((len(start), _REPORT))
        self.gaps = np.full(len(start), np.inf)
        self.stopped: str | None = None  # why all ended, where not each by itself
        self.dual = _whole_dual(penalty, start.shape[1:])
        self.by_gap = np.full(len(start), self.dual is not None)  # whose certificates are gaps

    def run(self, limits: Limits, until: float) -> None:
        """Run until each certificate is within tol or its budget is spent, or to that time."""
        left, tolerance = np.arange(len(self.x)), _INNER * limits.tol
        most = min(_FEW, limits.max_iter)
        try:
            for _ in range(_ROUNDS):
                self._descend(left, max(tolerance, _LEAST), most, until)
                self._certify(left)
                left = left[(self.gaps[left] > limits.tol) & (self.epochs[left] < most)]
                tolerance *= 0.1
                if not left.size or self.stopped:
                    break
            self._go_on(limits, until)
        except KeyboardInterrupt:
            self.stopped = "interrupted"
            self._certify(left)

    def _go_on(self, limits: Limits, until: float) -> None:
        """Solve what crawls one by one."""
        spent = (self.epochs >= _FEW) & (self.epochs < limits.max_iter)
        crawls = spent & np.isfinite(self.gaps) & (self.gaps > limits.tol)
        for k in np.flatnonzero(crawls):
            left = until - time.perf_counter()
            self.stopped = self.stopped or ("max_time" if left <= 0 else None)
            if self.stopped:
                break
            self._solve(int(k), limits, left)

    def _solve(self, k: int, limits: Limits, seconds: float) -> None:
        epochs = int(self.epochs[k])
        rest = Limits(limits.tol, limits.max_iter - epochs, min(seconds, _LONGEST))
        result, at = solve_quietly(self.problem_of(k), self.penalty, rest, self.x[k].copy(), "cd")
        if result.reason == "interrupted":
            self.stopped = "interrupted"
        self.x[k] = at.x
        self._descend(np.array([k]), np.inf, epochs, math.inf)  # no epoch more: its report
        self.reports[k, 7] = epochs + result.n_iter
        self.gaps[k], self.by_gap[k] = result.gap, result.certificate == DualityGap.name

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
        self._look_for_weak(fits)
        by_gap = self.by_gap[fits]
        with np.errstate(over="ignore", invalid="ignore"):
            for measure, some in ((self._gaps, fits[by_gap]), (self._violations, fits[~by_gap])):
                if some.size:
                    self.gaps[some] = measure(some)

    def _look_for_weak(self, fits: Array) -> None:
        """Certify otherwise where a strength is weak, and some parameters as good as free."""
        fits = fits[self.by_gap[fits]]
        if not fits.size or self._relaxed(*self.reports[fits, 4:6].max(axis=0)) is self.penalty:
            return
        for k in fits:
            relaxed = self._relaxed(*self.reports[k, 4:6])
            weak = relaxed is not self.penalty
            self.by_gap[k] = not weak or _whole_dual(relaxed, self.x.shape[1:]) is not None

    def _relaxed(self, scale: float, largest: float) -> Any:
        slope = math.sqrt(2.0 * scale) * math.sqrt(largest)
        return without_weaker(self.penalty, slope, largest)

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
        """Return the prox residuals over the null models' gradients, with one step a fit."""
        x, penalty = self.x[fits], self.penalty
        *_, largest, pull, _ = self.reports[fits].T
        steps = 1.0 / np.where(largest > 0, largest, 1.0)
        if penalty.weights is not None:
            penalty = replace(penalty, weights=np.broadcast_to(penalty.weights, x.shape))
        each = np.repeat(steps[:, None], x.shape[1], axis=1)
        moved = penalty.prox(x - each * self.gradient[fits], each)
        return np.linalg.norm(x - moved, axis=1) / (steps * np.where(pull > 0, pull, 1.0))

    @property
    def certificates(self) -> Array:
        """Name of each fit's certificate."""
        return np.where(self.by_gap, DualityGap.name, Violation.name)

    def reasons(self, limits: Limits) -> Array:
        """Return why each fit ended, in the words of `Result`."""
        left = np.where(self.epochs < limits.max_iter, self.stopped or "stalled", "max_iter")
        return np.where(self.gaps <= limits.tol, "converged", left)

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
