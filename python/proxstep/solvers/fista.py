"""Accelerated proximal gradient steps with backtracking and restart.

Letters: x the iterate, y the extrapolated point, g the gradient at y, s the step, t the momentum
counter, u = X x. Products with X are linear, so u at y comes from the u of two iterates and an
iteration costs one product with X and one with X'.

Beck and Teboulle 2009 (FISTA); Scheinberg, Goldfarb and Bai 2014 (steps that may grow);
O'Donoghue and Candès 2015 (restart).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array
from ..problems import Evaluation, Problem
from ..problems.spectrum import norm_estimate
from .metric import metric
from .monitor import Monitor, rounding

_GROW, _SHRINK = 2.0, 0.6
_FIRST_WAIT, _LONGEST_WAIT = 4, 512


@dataclass
class StepSize:
    """The step s in units of the metric, never below a floor that is short enough for certain.

    Where the curvature has no bound it is the least number: then every step is tried. Steps of
    tiny columns are large numbers, and stay below `most` to be finite.
    """

    s: float
    floor: float
    most: float = math.inf
    wait: int = _FIRST_WAIT
    accepted: int = 0

    def propose(self) -> float:
        """Return the step to try: now and then a longer one."""
        return min(self.s * _GROW, self.most) if self.accepted >= self.wait else self.s

    def accept(self, s: float) -> None:
        """Keep the step that passed; wait longer before the next attempt if growing failed."""
        if self.accepted >= self.wait:
            self.wait = _FIRST_WAIT if s > self.s else min(2 * self.wait, _LONGEST_WAIT)
            self.accepted = 0
        self.accepted += 1
        self.s = s

    def shorten(self, s: float) -> float:
        """Return the next step to try after s failed."""
        return self.s if s > self.s else max(s * _SHRINK, self.floor)


class Fista:
    """One run from x0; `at` is the best point so far, and its objective never rises."""

    def __init__(
        self,
        problem: Problem,
        penalty: Any,
        monitor: Monitor,
        x0: Array,
        size: StepSize | None = None,
    ) -> None:
        self.problem, self.penalty, self.monitor = problem, penalty, monitor
        self.metric, diagonal = metric(problem, penalty)
        self.size = size or _first_step(problem, diagonal)
        self.at = self.previous = problem.evaluate(x0)
        self.objective = self.at.loss + penalty.value(x0)
        self.noise = self._noise(*problem.xp.read(*self._sums_of_noise(self.at)))
        self.t, self.beta = 1.0, 0.0

    def run(self) -> Evaluation:
        """Iterate until the monitor stops or the user interrupts."""
        try:
            while self.monitor.running(self.at, self.objective, self.metric * self.size.s):
                self._iterate()
        except KeyboardInterrupt:
            self.monitor.reason = "interrupted"
            self.monitor.check(self.at, self.objective, self.metric * self.size.s)
        return self.at

    def _iterate(self) -> None:
        self.monitor.n_iter += 1
        y = self._extrapolated()
        before = self.size.s
        new = self._backtracked(y, y.gradient)
        objective = new.loss + self.penalty.value(new.x)
        # A plain step cannot raise the objective by more than rounding; NaN fails both tests.
        accepted = (
            np.isfinite(objective) if y is self.at else objective <= self.objective + self.noise
        )
        if not accepted:
            self.t, self.beta = 1.0, 0.0
            return
        uphill = self._move(y, new)
        self.objective = objective
        self._accelerate(before / self.size.s, restart=uphill)

    def _move(self, y: Evaluation, new: Evaluation) -> bool:
        """Go from the iterate to the new point; return whether that is against the step from y."""
        xp = self.problem.xp
        against = xp.sum((y.x - new.x) / self.metric * (new.x - self.at.x))
        angle, *sums = xp.read(against, *self._sums_of_noise(new))
        self.previous, self.at, self.noise = self.at, new, self._noise(*sums)
        return angle > 0

    def _extrapolated(self) -> Evaluation:
        """Return the loss at ``y = x + beta (x - previous x)``; no product with X is needed."""
        if self.beta == 0.0:
            return self.at
        a, b, beta = self.at, self.previous, self.beta
        y = self.problem.evaluate(
            a.x + beta * (a.x - b.x),
            a.linear + beta * (a.linear - b.linear),
            a.offset + beta * (a.offset - b.offset),
        )
        return y if math.isfinite(y.loss) else a  # beyond an exponential's range

    def _backtracked(self, y: Evaluation, gradient: Array) -> Evaluation:
        """Return the prox step from y, with a step that the loss allows.

        A step to nowhere says nothing about s, and nor would a shorter one lead anywhere. But where
        the loss refused a longer one (that a concave penalty takes, as it jumps) s is short enough.
        """
        s, xp, refused = self.size.propose(), self.problem.xp, False
        while True:
            steps = self.metric * s
            x = self.penalty.prox(xp.asarray(y.x - steps * gradient, y.x.dtype), steps)
            new = self.problem.evaluate(x, start=y.offset)
            short = s <= self.size.floor or self._allowed(y, new, s)
            moved = xp.is_any(new.x != y.x)
            if short if moved else refused:
                self.size.accept(s)
            if short or not moved:
                return new
            refused = refused or self._is_far(y, new)
            s = self.size.shorten(s)

    def _allowed(self, y: Evaluation, new: Evaluation, s: float) -> bool:
        """Return whether the loss lies below its quadratic model, ``D <= |d|^2 / (2 s)``.

        D is the Bregman distance from y. Where it drowns in rounding, half the symmetric distance
        ``<r_new - r_y, u_new - u_y>`` stands for it: they agree to third order.
        """
        xp, moved = self.problem.xp, new.x - y.x
        du = self.problem.shifted(new.linear - y.linear, new.offset - y.offset)
        square = xp.sum(moved * (moved / self.metric), dtype=xp.float64)
        length, slope = xp.read(square, xp.vdot(y.residual, du))
        model, distance = length / (2 * s), new.loss - y.loss - slope
        if not abs(distance) < 1e3 * self.noise:
            return distance <= model
        symmetric = xp.vdot(new.residual - y.residual, du)
        twice, *norms = xp.read(symmetric, xp.norm(y.residual), xp.norm(du))
        return 0.5 * twice <= model + self.problem.eps * norms[0] * norms[1]

    def _is_far(self, y: Evaluation, new: Evaluation) -> bool:
        """Return whether a step is more than rounding."""
        xp = self.problem.xp
        length, size = xp.read(xp.norm(new.x - y.x), xp.norm(y.x))
        return length > 1e3 * self.problem.eps * size

    def _sums_of_noise(self, at: Evaluation) -> tuple[Array, Array]:
        """Return what `_noise` needs of a point, not yet read."""
        xp = self.problem.xp
        cancelled = abs(self.problem.design.means) @ abs(xp.asarray(at.x, xp.float64))
        return xp.sum(cancelled), xp.sum(abs(at.residual))

    def _noise(self, cancelled: float, slope: float) -> float:
        """Return the rounding of the objective.

        It is that of the sum, and of margins in which large means cancel.
        """
        return rounding(self.problem) + 4 * self.problem.eps * slope * cancelled

    def _accelerate(self, ratio: float, restart: bool) -> None:
        """Set the momentum of the next step; ratio is the last step size over the new one."""
        self.t = 1.0 if restart else self.t
        following = 0.5 * (1.0 + math.sqrt(1.0 + 4.0 * ratio * self.t**2))
        self.beta = (self.t - 1.0) / following
        self.t = following


def _first_step(problem: Problem, diagonal: Any) -> StepSize:
    tiny = float(np.finfo(np.float64).tiny)
    if problem.design.constant.all():  # there is no gradient that a step could follow
        return StepSize(1.0, 1.0)
    scales, root, constant = problem.design.scales, np.sqrt(diagonal), problem.design.constant
    if constant.any():  # their rounding may be huge beside the other columns
        scales, root = np.where(constant, 0.0, scales), np.where(constant, 0.0, root)
    estimate = problem.first_curvature * norm_estimate(problem.design, root)
    bound = problem.curvature * float(np.sum(diagonal * scales))
    floor = 1.0 / max(bound, tiny) if math.isfinite(problem.curvature) else tiny
    largest = float(np.finfo(np.float32 if problem.eps > 1e-10 else np.float64).max)
    most = 0.25 * largest / max(1.0, float(np.max(diagonal)))
    return StepSize(min(max(floor, 1.0 / max(1.05 * estimate, tiny)), most), min(floor, most), most)
