"""Coordinate descent on sets of blocks that grow until no block outside asks to move.

A block is an element of x or a group of them. The core minimises over the chosen blocks by
coordinate descent, inside prox-Newton steps where the loss is not quadratic; here they are chosen,
and the whole is certified. Massias, Gramfort and Salmon 2018 (celer), Bertrand et al. 2022 (skglm).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..groups import Group, SparseGroup
from ..penalties import L1, MCP, SCAD, Box, ElasticNet, NonNegativeL1, Penalty, SquaredL2
from ..problems import Evaluation, Problem
from .certificate import DualityGap
from .grouping import Groups, block_norms, group_ids
from .metric import metric
from .monitor import Monitor
from .screening import screening_for

_ELEMENTWISE = (L1, ElasticNet, SquaredL2, NonNegativeL1, Box, MCP, SCAD)
_LARGEST_GROUP = 256  # elements; the Hessian of a group is kept
_FIRST_SET = 64  # blocks, at least
_INNER = 0.1  # part of the gap that a set may leave
_INNER_GROUPS = 0.5  # of many groups: the core's estimate of them is far too wide
_MANY = 0.1  # part of all groups; epochs over fewer cost little beside a product with all of X
_FINEST = 1e-2  # part of tol below which no set is solved: it would be rounding


def serves(problem: Problem, penalty: Any) -> bool:
    """Whether coordinate descent solves this: on the host, with blocks that are separate."""
    many = len(problem.shape) == 2
    if not (problem.rows_loss if many else problem.loss_spec) or problem.design.matrix is None:
        return False
    if not isinstance(penalty, Group | SparseGroup):
        return isinstance(penalty, _ELEMENTWISE)
    inner = penalty.penalty if isinstance(penalty, Group) else L1(penalty.lam)
    if penalty.over == "columns" or not isinstance(inner, _ELEMENTWISE):
        return False
    if many:
        return penalty.over == "rows"
    ids, _ = group_ids(penalty.over, problem.shape)
    return bool(np.bincount(ids).max(initial=0) <= _LARGEST_GROUP)


def _not_convex(penalty: Penalty) -> bool:
    inner = penalty.penalty if isinstance(penalty, Group) else penalty
    return isinstance(inner, MCP | SCAD)


class WorkingSet:
    """One run from a point; `at` is the best so far. Without a reason at its end it gave way."""

    may_give_way = False  # to another solver, where that is known to be faster
    inner = _INNER  # part of the gap that a set may leave
    finer = 0.3  # of the tolerance after each check without progress: an estimate may be too good
    first_set = _FIRST_SET

    def __init__(
        self, problem: Problem, penalty: Penalty, monitor: Monitor, at: Evaluation
    ) -> None:
        self.problem, self.penalty, self.monitor = problem, penalty, monitor
        self.groups = self._block_ids()
        largest = problem.design.scales.max(initial=0.0) or 1.0
        self.step = 1.0 / (problem.first_curvature * float(largest))
        self.steps = self._steps_of_violation()
        self.tolerance, self.idle = np.inf, False
        self.at, self.objective = at, self._objective_at(at)
        self.screening = screening_for(problem, monitor.certificate, self.groups)

    def run(self) -> Evaluation:
        """Iterate until the monitor stops or the user interrupts."""
        try:
            while self.monitor.running(self.at, self.objective, self.steps):
                if self.may_give_way and self.crowded():
                    break
                self._iterate()
        except KeyboardInterrupt:
            self.monitor.reason = "interrupted"
            self.monitor.check(self.at, self.objective, self.steps)
        if self.screening:
            vars(self.at).pop("gradient", None)  # it may lack columns that another strength needs
        return self.at

    def _steps_of_violation(self) -> Any:
        """Return steps in the units of each column; one for all where the certificate has none.

        Longer ones ask of MCP and SCAD for more than a local optimum.
        """
        if isinstance(self.monitor.certificate, DualityGap) or _not_convex(self.penalty):
            return self.step
        return metric(self.problem, self.penalty)[0] / self.problem.first_curvature

    def _objective_at(self, at: Evaluation) -> float:
        return at.loss + float(self.penalty.value(at.x))

    def _iterate(self) -> None:
        monitor, xp = self.monitor, self.problem.xp
        if self.screening:
            self.screening.update(self.at, self.objective, monitor.rounding)
        x = xp.to_host(xp.copy(self.at.x, xp.float64))
        self._sharpen()
        before = self.objective
        try:
            change, epochs = self._descend(x)
        except KeyboardInterrupt:
            self._accept(x, 0.0)
            raise
        monitor.n_iter += max(1, epochs)
        self._accept(x, change)
        self.idle = epochs <= 1 or not self.objective < before - monitor.rounding

    def _sharpen(self) -> None:
        """Choose how exactly the next set is solved: much more so where the last had no work."""
        wanted = self._inner_part() * min(self.monitor.gap, 1.0)
        if self.idle:
            wanted = min(wanted, _INNER * self.tolerance)
        finest = _FINEST * self.finer**self.monitor.idle * self.monitor.limits.tol
        self.tolerance = max(wanted, finest)

    def _inner_part(self) -> float:
        if self.groups is None:
            return self.inner
        moved = np.count_nonzero(self._by_block(self.problem.xp.to_host(self.at.x)))
        return _INNER_GROUPS if moved > _MANY * self.groups[1] else self.inner

    def _accept(self, x: Any, change: Any) -> None:
        """Go on from x unless the objective rose there, or is no number, beyond rounding."""
        point = self.problem.xp.asarray(x, self.problem.xp.float64)
        found = self._evaluate(point, self.at.offset + change)
        objective = self._objective_at(found)
        if objective <= self.objective + self.monitor.rounding:
            self.at, self.objective = found, objective
            if self.screening:
                self.screening.shorten(found)

    def _evaluate(self, x: Array, offset: Any) -> Evaluation:
        """Evaluate at x, with a guess of the intercept."""
        return self.problem.evaluate(x, start=offset)

    def crowded(self) -> bool:
        """Whether another solver is known to be faster from here."""
        return False

    @property
    def _margins(self) -> Any:
        """All margins where it stands, on the host."""
        at, problem = self.at, self.problem
        return problem.xp.to_host(problem.with_known(problem.shifted(at.linear, at.offset)))

    def _descend(self, x: Any) -> tuple[Any, int]:
        """Minimise over the chosen blocks of x; return the intercept's change and the epochs."""
        return self.problem.descent.run(
            self.penalty.spec,
            self._chosen(),
            x,
            self._margins,
            self.problem.xp.to_host(self.at.gradient),
            self.tolerance * self.problem.scale,
            self.monitor.limits.max_iter - self.monitor.n_iter,
            self.monitor.out_of_time,
        )

    def _block_ids(self) -> Groups:
        if isinstance(self.penalty, Group | SparseGroup):
            return group_ids(self.penalty.over, self.problem.shape)
        return None

    def _chosen(self) -> Any:
        """Return the blocks that are not zero, and as many again of those that ask most."""
        xp = self.problem.xp
        x, gradient = self.at.x, self.at.gradient
        point = gradient * -self.step  # in place from here: x may be large
        point += x
        moved = self.penalty.prox(point, self.step)
        moved -= x
        asks = self._by_block(xp.to_host(moved))
        inside = self._by_block(xp.to_host(x)) > 0
        size = max(self.first_set, 2 * int(np.count_nonzero(inside)))
        asks[inside] = np.inf
        wanted = min(size, int(np.count_nonzero(asks)))
        best = np.argpartition(-asks, wanted - 1)[:wanted] if wanted else np.empty(0, np.int64)
        return np.sort(best).astype(np.int64)

    def _by_block(self, values: Array) -> Array:
        return block_norms(values, self.groups)
