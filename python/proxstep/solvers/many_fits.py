"""Many fits as one array each: run by the core, certified here by the duals of `solve`.

Letters: B fits of n samples and p features, c the factor that brings a dual point into the domain.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .. import _core
from ..arrays import Array
from .duals import dual_of

_REPORT = 8  # numbers of one fit, in the order of the properties below
_ROUNDS = 8  # runs with tolerances of which each is a tenth of the last
_INNER = 0.1  # part of the tolerance that the first run may leave
_LEAST = float(np.finfo(np.float64).eps)  # of the tolerance: what is below is rounding


class ManyFits:
    """The fits, from a start; all arrays have one row, or entry, a fit."""

    def __init__(self, squares: _core.ManySquares, penalty: Any, start: Array) -> None:
        self.squares, self.penalty, self.x = squares, penalty, start
        self.gradient = np.empty_like(start)
        self.reports = np.zeros((len(start), _REPORT))
        dual = dual_of(penalty, start.shape[1:])
        self.dual: Any = None if dual is None or dual.free.any() else dual

    def run(self, tol: float, max_iter: int) -> Array:
        """Run until each certificate is within tol or its budget is spent; return them."""
        gaps = np.full(len(self.x), np.inf)
        left = np.arange(len(self.x))
        tolerance = _INNER * tol
        for _ in range(_ROUNDS):
            self._descend(left, max(tolerance, _LEAST), max_iter)
            gaps[left] = self._certify(left)
            left = left[(gaps[left] > tol) & (self.epochs[left] < max_iter)]
            tolerance *= 0.1
            if not left.size:
                break
        return gaps

    def _descend(self, fits: Array, tolerance: float, max_iter: int) -> None:
        arrays = fits, self.x, self.gradient, self.reports
        self.squares.run(self.penalty.spec, *arrays, tolerance, max_iter)

    def _certify(self, fits: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            return self._gaps(fits) if self.dual is not None else self._violations(fits)

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

    @property
    def objective(self) -> Array:
        """Loss plus penalty, of x as X's dtype holds it."""
        return self.reports[:, 2].copy()

    @property
    def intercept(self) -> Array:
        """Intercept for X as it was given."""
        return self.reports[:, 3]

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
