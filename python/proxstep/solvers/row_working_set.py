"""Working sets of rows of x, for problems of several outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..groups import Group
from ..penalties import L1, Penalty
from ..problems import Evaluation, Problem
from ..problems.inputs import is_sparse
from .monitor import Monitor
from .working_set import WorkingSet

_IN_CACHE = 1 << 16  # residuals
_NEARLY_CONSTANT = 25.0  # squared mean over variance of a column
# Parts of the gap that a set over a large dense X may leave: the core's estimate of it is far too
# wide. Over a small one epochs cost less than the choice of another set.
_INNER_DENSE, _INNER_SQUARES = 0.3, 0.6
_FIRST_SQUARES = 1024  # rows: epochs over so many cost less than a product with all of X
_FEW = 1000  # epochs that are left to this solver in any case
_FOLLOWED = 1e-8  # tolerance from which margins may follow x; below it they are computed anew


def _shifts(x: Any) -> Any:
    """Return the median of each row; where it is an interval, its number nearest to 0."""
    shifts, rows = np.zeros(len(x)), np.flatnonzero(x.any(axis=1))
    ordered, half = np.sort(x[rows], axis=1), (x.shape[1] - 1) // 2
    shifts[rows] = np.clip(0.0, ordered[:, half], ordered[:, x.shape[1] - 1 - half])
    return shifts


class RowWorkingSet(WorkingSet):
    """The blocks are rows of x."""

    finer = 1.0  # no Newton step ends the epochs where rounding begins

    def __init__(
        self, problem: Problem, penalty: Penalty, monitor: Monitor, at: Evaluation
    ) -> None:
        super().__init__(problem, penalty, monitor, at)
        self._followed: Any = None  # as the last descent left them
        self._rows: tuple[Any, Any] = None, None  # of an evaluation, and it
        if problem.rows_loss == "square":
            self.inner = _INNER_SQUARES
            self.first_set = max(self.first_set, min(_FIRST_SQUARES, problem.X.shape[1] // 4))
        elif not is_sparse(problem.X) and self._large:
            self.inner = _INNER_DENSE

    def _descend(self, x: Any) -> tuple[Any, int]:
        margins = np.ascontiguousarray(self._margins)
        change, epochs, _ = self.problem.rows_descent.run(
            self.penalty.spec,
            self._chosen(),
            x,
            margins,
            self.tolerance * self.problem.scale,
            self._budget - self.monitor.n_iter,
            self.monitor.out_of_time,
        )
        self._followed = margins
        return np.asarray(change), epochs

    def _evaluate(self, x: Array, offset: Any) -> Evaluation:
        """Take the margins that followed x, but where their rounding may count."""
        margins, self._followed = self._followed, None
        if margins is None or self.monitor.limits.tol < _FOLLOWED:
            return super()._evaluate(x, offset)
        xp, known = self.problem.xp, self.problem.known_margins
        linear = xp.asarray(margins, xp.float64)
        linear -= xp.asarray(offset, xp.float64)
        if known is not None:
            linear -= known
        return self.problem.evaluate(x, linear, offset)

    def _chosen(self) -> Any:
        rows, at = self._rows
        if at is not self.at:
            rows = super()._chosen()
            self._rows = rows, self.at
        return rows

    def _block_ids(self) -> None:
        return None

    def _by_block(self, values: Array) -> Array:
        return np.sqrt(np.einsum("jc,jc->j", values, values))

    def _accept(self, x: Any, change: Any) -> None:
        """Move rows of a softmax to their medians first: to that the loss is blind.

        Only the penalty acts there, and where it is weak no step is long enough.
        """
        l1 = isinstance(self.penalty, L1) and self.penalty.weights is None
        if l1 and self.problem.rows_loss == "softmax":
            shifts = _shifts(x)
            if shifts.any():
                x, self._followed = x - shifts[:, None], None
        super()._accept(x, change)

    @property
    def _budget(self) -> int:
        """Epochs of this solver: where another may go on, half of them, as epochs crawl there."""
        most = self.monitor.limits.max_iter
        return max(_FEW, most // 2) if self.may_give_way and most > _FEW else most

    def crowded(self) -> bool:
        """Whether epochs crawl, or most rows of x may move and X lies by rows.

        Its columns would be a second X then. By columns softmax gives way where most rows have
        moved and elements are penalised: there its models take hundreds of epochs.
        """
        if self.monitor.n_iter >= self._budget:
            return True
        chosen, X, p = self._chosen(), self.problem.X, self.problem.shape[0]
        if is_sparse(X):
            return self._far_from_centred(chosen)
        if self.problem.xp.to_host(X).flags.f_contiguous:
            follows = self.problem.rows_loss == "square" or isinstance(self.penalty, Group)
            moved = np.count_nonzero(self._by_block(self.problem.xp.to_host(self.at.x)))
            crowd = 0 if follows else moved
        else:
            crowd = len(chosen)
        return bool(self._large and 2 * crowd > p)

    @property
    def _large(self) -> bool:
        return bool(self.problem.X.shape[0] * self.problem.shape[1] > _IN_CACHE)

    def _far_from_centred(self, chosen: Any) -> bool:
        """Whether a column of a sparse X, which descent does not centre, is nearly constant.

        The intercepts follow once an epoch: beside such a column that takes thousands of epochs.
        """
        if not self.problem.fit_intercept:
            return False
        design = self.problem.design
        means = self.problem.xp.to_host(design.means)[chosen]
        return bool((means**2 > _NEARLY_CONSTANT * design.scales[chosen]).any())
