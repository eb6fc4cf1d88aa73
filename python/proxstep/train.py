"""The mini-batch route: any rule, any penalty, any schedule, on shuffled batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array
from .checks import at_least_one, count, function
from .epochs import Run, Settings
from .history import History
from .optimizer import Optimizer
from .penalties import Penalty
from .problems import Problem
from .problems.inputs import numbers, start_point
from .rules import Rule
from .schedules import Schedule
from .step import Metric
from .top_k import TopK

__all__ = ["train"]

_A_SCHEDULE = (
    "an object called with the number of the update, such as schedules.Cosine(0.1, steps=1000),"
)


def train(
    problem: Problem,
    rule: Rule,
    penalty: Penalty | TopK | None = None,
    *,
    batch_size: int,
    epochs: int,
    schedule: Schedule | None = None,
    validation: Problem | None = None,
    patience: int | None = None,
    seed: int = 0,
    x0: ArrayLike | None = None,
    intercept0: ArrayLike | None = None,
    metric: Metric = "diagonal",
    max_norm: float | None = None,
) -> History:
    """Run a rule over shuffled mini-batches: ``x <- prox(rule(x, gradient on the batch))``.

    Every epoch visits all samples once, in an order drawn from ``seed``; a run is repeated
    exactly by the same arguments. The gradient of a batch is unbiased for the weighted mean loss.

    Parameters
    ----------
    problem : LeastSquares, Logistic, Softmax, Huber or Poisson
        The loss and its data.
    rule : Rule
        For example ``Adam(lr=1e-2)``.
    penalty : Penalty, TopK or None
        Penalty on x; the intercept has none. A schedule of `TopK` or `Quantize` is asked for every
        update, and the recorded objective has the penalty of the epoch's last one.
    batch_size : int
        Samples in a batch; the last of an epoch may be smaller.
    epochs : int
        Passes over the data.
    schedule : callable or None
        Learning rate of update 0, 1, 2, ...; see `proxstep.schedules`. By default the rule's.
    validation : Problem or None
        Held-out data of the same kind. The parameters of the epoch with the lowest loss there
        are returned.
    patience : int or None
        Stop after so many epochs without a new lowest validation loss.
    seed : int
        Seed of the shuffles.
    x0, intercept0 : array_like or None
        Start; zeros by default.
    metric : "diagonal" or "euclidean"
        Metric of the prox under an adaptive rule, see `proxstep.step`.
    max_norm : float or None
        Bound on the global norm of each gradient.

    Returns
    -------
    History
        Parameters, and loss, objective, non-zeros, rate and time per epoch. Ctrl-C returns the
        epochs that were finished, with the reason "interrupted".

    Raises
    ------
    TypeError
        If the problem, rule, penalty or validation is not one, or X is no NumPy array.
    ValueError
        If a setting is out of range, or the validation data have another shape.

    Warns
    -----
    ConvergenceWarning
        Once, if the loss is no longer finite; the run stops there, with the parameters of the
        epoch before.

    Examples
    --------
    >>> import numpy as np
    >>> import proxstep as ps
    >>> X = np.linspace(-1, 1, 20).reshape(20, 1)
    >>> line = ps.LeastSquares(X, 2 * X[:, 0])
    >>> history = ps.train(line, ps.SGD(lr=0.5), None, batch_size=5, epochs=30)
    >>> history.x.round(3).tolist(), history.reason
    ([2.0], 'finished')
    """
    _check(problem, batch_size, epochs)
    if schedule is not None:
        function("schedule", schedule, _A_SCHEDULE)
    _check_validation(problem, validation, patience)
    x = start_point(problem.xp, x0, problem.shape, problem.dtype)
    intercept = _start_intercept(problem, intercept0)
    groups = [{"params": [x], "penalty": penalty}]
    if problem.fit_intercept:
        groups.append({"params": [intercept], "penalty": None})
    optimizer = Optimizer(groups, rule, metric=metric)
    settings = Settings(batch_size, schedule or (lambda _: rule.lr), patience, max_norm)
    run = Run(problem, penalty, optimizer, settings, validation)
    run.fit(epochs, np.random.default_rng(seed))
    return run.history()


def _start_intercept(problem: Problem, intercept0: ArrayLike | None) -> Array:
    shape = problem.shape[1:]
    given = np.zeros(shape) if intercept0 is None else intercept0
    return numbers(problem.xp, "intercept0", given, shape, problem.dtype).reshape(shape or 1)


def _check(problem: Any, batch_size: int, epochs: int) -> None:
    if not isinstance(problem, Problem):
        raise TypeError(f"problem is {problem!r}; a problem such as LeastSquares(X, y) is needed")
    if not isinstance(problem.X, np.ndarray):
        raise TypeError(f"train takes problems of NumPy arrays, X is a {type(problem.X).__name__}")
    if problem.standardize:
        raise ValueError("train steps in the units of X; standardize=True is for solve and paths")
    at_least_one("batch_size", batch_size)
    count("epochs", epochs)


def _check_validation(problem: Problem, validation: Any, patience: int | None) -> None:
    if patience is not None:
        at_least_one("patience", patience)
        if validation is None:
            raise ValueError(f"patience is {patience}, but there is no validation problem")
    if validation is None:
        return
    if type(validation) is not type(problem):
        kind = type(problem).__name__
        raise TypeError(f"validation must be a {kind} like the problem, got {validation!r}")
    if (validation.shape, validation.dtype) != (problem.shape, problem.dtype):
        raise ValueError(
            f"validation has parameters of shape {validation.shape} and {validation.dtype}, the "
            f"problem has {problem.shape} and {problem.dtype}"
        )
