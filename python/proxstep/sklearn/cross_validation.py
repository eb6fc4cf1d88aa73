"""What cross-validated estimators share: strengths, folds, and the choice among them.

The folds are scikit-learn's; the fits are those of `proxstep.cross_validate`, which fits all
samples at every strength as well.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv

from ..arrays import Array
from ..checks import integer, nearest
from ..config import get_num_threads
from ..groups import Group
from ..paths import CrossValidation
from ..paths.budget import Budget, OutOfTime
from ..paths.cross_validation import Request, validate_quietly
from ..paths.grid import Grid
from ..penalties import ElasticNet, Penalty
from ..problems import Problem
from ..solvers.arguments import checked_limits
from ..solvers.monitor import Limits
from .base import ConvergenceWarning, LinearEstimator

_CHOICES = ("best", "one_standard_error")


@dataclass(frozen=True)
class Run:
    """The cross-validation for one ratio; alpha is a strength in units of ``unit``."""

    l1_ratio: Any
    unit: float
    validation: CrossValidation

    @property
    def lowest(self) -> float:
        """The best mean score."""
        return float(self.validation.mean.min())

    @property
    def whole(self) -> bool:
        """Whether all folds have solved all strengths."""
        return self.validation.reason == "finished"

    @property
    def alphas(self) -> Array:
        """Strengths, falling."""
        return self.validation.lambdas / self.unit


@dataclass(kw_only=True, repr=False, eq=False)
class CrossValidated(LinearEstimator):
    """Settings of a cross-validation, and its runs."""

    cv: Any = None
    choice: str = "best"
    n_jobs: int | None = None
    verbose: Any = False

    def _validate(
        self, problem: Problem, penalty_at: Callable[[Any], Any], ratios: Iterable[Any]
    ) -> list[Run]:
        """Return a run for every ratio, and warn whoever called fit, once."""
        if self.choice not in _CHOICES:
            raise ValueError(f"choice is {self.choice!r}; {nearest(str(self.choice), _CHOICES)}")
        found = list(self._until_cut_short(problem, penalty_at, ratios))
        message = next((words for _, words in found if words), None)
        if message:
            warnings.warn(message, ConvergenceWarning, stacklevel=3)
        runs = [run for run, _ in found if run]
        return [run for run in runs if run.whole] or runs

    def _until_cut_short(
        self, problem: Problem, penalty_at: Callable[[Any], Any], ratios: Iterable[Any]
    ) -> Iterator[tuple[Run | None, str | None]]:
        """Yield runs within one budget, with what to warn of; behind one that is cut is none."""
        budget = Budget(checked_limits(self.tol, self.max_iter, self.max_time))
        folds = self._folds(problem)
        for k, ratio in enumerate(ratios):
            request = self._request(problem, folds, budget.for_one())
            try:
                run, words = self._run(problem, penalty_at(ratio), ratio, request)
            except (KeyboardInterrupt, OutOfTime) as cut:
                if k == 0:
                    raise
                late = isinstance(cut, OutOfTime)
                yield None, f"{type(self).__name__}: {cut}" if late else None
                return
            yield run, words
            if not run.whole:
                return

    def _adopt(self, problem: Problem, runs: list[Run]) -> float:
        """Take over the chosen fit of the best run; return its strength in units of alpha."""
        best = min(runs, key=lambda run: run.lowest)
        point = getattr(best.validation, self.choice)
        self._keep(point.x, point.intercept)
        self._record(problem, point)
        self.converged_ = self.converged_ and best.whole  # of less no choice was made
        self.validation_, self.l1_ratio_ = best.validation, best.l1_ratio
        return float(point.lam / best.unit)

    def _request(self, problem: Problem, folds: list[Any], limits: Limits) -> Request:
        return Request(
            folds=folds,
            seed=0,
            score=self._score(problem),
            grid=Grid(),
            limits=limits,
            solver="auto",
            workers=_at_a_time(self.n_jobs),
            progress=bool(self.verbose),
        )

    def _run(
        self, problem: Problem, penalty: Any, ratio: Any, request: Request
    ) -> tuple[Run, str | None]:
        unit = path_strength(penalty)
        request = replace(request, grid=self._grid(unit))
        validation, message = validate_quietly(problem, penalty, request, type(self).__name__)
        return Run(ratio, unit, validation), message

    def _folds(self, problem: Problem) -> list[Any]:
        """Return the pairs of scikit-learn's splitter; classes are told by their numbers."""
        targets = problem.targets
        splitter = check_cv(self.cv, targets, classifier=is_classifier(self))
        return list(splitter.split(np.zeros(len(targets)), targets))

    def _score(self, problem: Problem) -> Any:
        return None

    @abstractmethod
    def _grid(self, unit: float) -> Grid:
        """Return the strengths of a path; those of alpha are these over the unit."""


def path_strength(penalty: Any) -> float:
    """Return what paths call the strength of a penalty, see `proxstep.path`."""
    if not isinstance(penalty, Penalty):
        raise ValueError(f"{penalty!r} has no path (positive=True needs l1_ratio=1)")
    inner: Any = penalty.penalty if isinstance(penalty, Group) else penalty
    strength = inner.l1 if isinstance(inner, ElasticNet) else inner.lam or inner.l1
    if not strength > 0:
        raise ValueError("l1_ratio is 0: no strength gives zeros, so that there is no path")
    return float(strength)


def falling(strengths: list[float], unit: float) -> Array:
    """Return a user's strengths in units of a path, each once, the largest first."""
    return np.unique(strengths)[::-1] * unit


def listed(name: str, given: Any) -> list[Any] | None:
    """Return a user's strengths, or None for their number."""
    if not isinstance(given, Iterable) or isinstance(given, str):
        return None
    strengths = list(given)
    if not strengths:
        raise ValueError(f"{name} is empty; a number of strengths, or at least one, is needed")
    return strengths


def _at_a_time(n_jobs: Any) -> int:
    """Return the most folds at a time; -1 are all threads, -2 all but one, as in joblib."""
    number = -1 if n_jobs is None else integer("n_jobs", n_jobs)
    if number == 0:
        raise ValueError("n_jobs is 0; a positive number is needed, or -1 for all threads")
    return number if number > 0 else max(1, get_num_threads() + 1 + number)
