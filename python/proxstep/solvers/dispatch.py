"""`solve`: the arguments, the choice of a solver, and the result."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..arrays import Array
from ..penalties import Penalty
from ..problems import Evaluation, Problem
from ..projections import Projection
from .adapter import as_penalty
from .arguments import check, check_fit, check_scale, check_start, checked_limits
from .certificate import DualityGap, certificate_for, parts_of
from .fista import Fista
from .gram_set import GramSet
from .metric import fits
from .monitor import Limits, Monitor, rounding
from .reduction import reduction_of
from .report import advice, make_result
from .result import ConvergenceWarning, Result
from .row_working_set import RowWorkingSet
from .strength import null_model
from .working_set import WorkingSet, serves


def solve(
    problem: Problem,
    penalty: Any,
    tol: float = 1e-6,
    *,
    max_iter: int = 10_000,
    x0: Any = None,
    max_time: float | None = None,
    solver: str = "auto",
) -> Result:
    """Minimise a loss plus a penalty, ``min_x,b f(x, b) + h(x)``.

    The run stops when its certificate reaches ``tol``: the duality gap over the loss of the null
    model (x = 0, intercept fitted) for convex penalties, so that the objective is at most
    ``tol`` of that loss above the optimum; for non-convex and user penalties (and more than 128
    parameters without any penalty, or with strengths that the rounding of gradients hides) the
    prox residual over the gradient of the null model, both in the norm of the steps. A float32
    solution is certified in float64, for y and offset as given.

    All arrays of the size of X, y and x stay where X lies: on the CPU (NumPy, torch), or on a GPU
    (CuPy, torch), in the current stream of X's library. The host waits for a few numbers an
    iteration, and for one gradient a check.

    Parameters
    ----------
    problem : LeastSquares, Logistic, Softmax, Huber or Poisson
        The loss f.
    penalty : penalty or None
        The penalty h: any of this library (a `Quantize` with ``rho`` 0 or 1; a `TopK` keeps
        its k, whatever its schedule), or an object with ``value(x)`` and ``prox(z, step)``, called
        with arrays like x and one number.
    tol : float
        Largest certificate at convergence.
    max_iter : int
        Most iterations (epochs of "cd", steps of "fista"); 0 only evaluates the start.
    x0 : array_like or None, shape of x
        Start, where X lies; zeros by default. The intercept always starts fitted.
    max_time : float or None
        Most seconds.
    solver : str
        "cd": coordinate descent on working sets, inside prox-Newton steps where the loss is not
        quadratic; on the host, for penalties of elements (not `L0`, `L1_2`, `L2_3`) or of groups of
        at most 256 (with several outputs: of elements or rows). "fista": any problem and penalty.
        "auto": "cd" where it serves, which gives way to "fista" where most rows of several outputs
        may move over a large X in C order (their columns would be a copy), where most rows of a
        softmax with penalised elements have moved, where several outputs have taken half of
        ``max_iter`` (and 1000 epochs), as they do in the valleys of weak penalties, and where it
        stalls far from the optimum (means of columns 1e7 times their deviations, starts far out in
        the tails of a likelihood).

    Returns
    -------
    Result
        Solution (of X's library, where X lies), objective, certificate, and why the run stopped.
        Ctrl-C returns the best iterate, with the reason "interrupted".

    Raises
    ------
    TypeError
        If the problem or the penalty is not one.
    ValueError
        If a setting is out of range, x0 has another shape, the penalty is another function for
        every step, or the intercept is infinite because a class or every count is absent, or the
        loss at x0 is infinite (Poisson).

    Warns
    -----
    ConvergenceWarning
        Once, if the certificate did not reach ``tol``.

    References
    ----------
    .. [1] Beck and Teboulle, "A fast iterative shrinkage-thresholding algorithm", SIAM J.
       Imaging Sciences 2009.
    .. [2] O'Donoghue and Candès, "Adaptive restart for accelerated gradient schemes", 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import proxstep as ps
    >>> X = np.array([[1.0, 0.1], [2.0, -0.1], [3.0, 0.1], [4.0, -0.1]])
    >>> result = ps.solve(ps.LeastSquares(X, [3, 5, 7, 9]), ps.L1(0.1))
    >>> result.x.round(4).tolist(), round(float(result.intercept), 4), result.converged
    ([1.92, 0.0], 1.2, True)
    """
    check(problem, solver)
    limits = checked_limits(tol, max_iter, max_time)
    penalty = as_penalty(penalty)
    start = None if x0 is None else problem.start(x0)
    check_fit(problem, penalty, start)
    check_start(problem, start)
    result = solve_checked(problem, penalty, limits, start, solver)
    if result.reason not in ("converged", "interrupted"):
        warnings.warn(advice(result), ConvergenceWarning, stacklevel=2)
    return result


def solve_checked(
    problem: Problem, penalty: Any, limits: Limits, start: Array | None, solver: str
) -> Result:
    """Solve with checked arguments, from zeros where there is no start; warnings are the caller's.

    Columns that are known to be zero are left out.
    """
    reduction = reduction_of(problem, penalty, start)
    if reduction is None:
        start = problem.start(None) if start is None else start
        return solve_quietly(problem, penalty, limits, start, solver)[0]
    start = reduction.problem.start(None) if start is None else start[reduction.columns]
    found, _ = solve_quietly(reduction.problem, reduction.penalty, limits, start, solver)
    return reduction.whole(found)


def solve_quietly(
    problem: Problem, penalty: Any, limits: Limits, start: Array | Evaluation, solver: str
) -> tuple[Result, Evaluation]:
    """Solve with checked arguments, leave warnings to the caller, and return where it ended, too.

    That is where the next strength of a path starts from: its loss and gradient are known, and
    whether zeros are optimal is not asked again.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        check_scale(problem)
        return _solve(problem, penalty, limits, start, chosen(problem, penalty, solver))


def shared_parts(problem: Problem, penalty: Any) -> list[Any]:
    """Return what certificates at all strengths share, as long as the caller holds it."""
    with np.errstate(over="ignore", invalid="ignore"):
        check_scale(problem)
        return parts_of(problem.double, penalty)


def chosen(problem: Problem, penalty: Any, solver: str) -> str:
    """Return the solver that runs; "auto" for one that may give way to another."""
    if solver == "fista" or not serves(problem, penalty):
        if solver == "cd":
            raise ValueError(
                f"solver='cd' does not serve {penalty!r} with {problem!r}; 'fista' does"
            )
        return "fista"
    return solver


def _solve(
    problem: Problem, penalty: Any, limits: Limits, start: Array | Evaluation, solver: str
) -> tuple[Result, Evaluation]:
    """Try zeros, then the solver; what it starts from need not be tried."""
    double = problem.double
    name = "fista" if solver == "fista" else "cd"
    monitor = Monitor(certificate_for(double, penalty), limits, rounding(double), solver=name)
    best = None if isinstance(start, Evaluation) else _optimal_zero(double, penalty, monitor)
    if best is None:
        if solver == "fista":
            best = _accelerate(problem, penalty, monitor, start)
        else:
            best = _descend(double, penalty, monitor, start, solver == "auto")
    return make_result(double, penalty, monitor, best, problem.dtype), best


def _descend(
    double: Problem,
    penalty: Any,
    monitor: Monitor,
    start: Array | Evaluation,
    may_give_way: bool,
) -> Evaluation:
    """Run coordinate descent, in float64."""
    every = monitor.check_every
    monitor.check_every = 1
    if not isinstance(start, Evaluation):
        x = double.xp.asarray(_inside(penalty, start), double.xp.float64)
        start = double.evaluate(x) if double.xp.is_any(x != 0) else double.null
    run = _run_from(double, penalty, monitor, start)
    run.may_give_way = may_give_way
    best = run.run()
    stuck = may_give_way and monitor.reason == "stalled"
    if monitor.reason is None or stuck:  # it gave way, or sees no way on
        monitor.solver, monitor.check_every = "cd, then fista", every
        monitor.continue_with(monitor.certificate, monitor.rounding)
        best = Fista(double, penalty, monitor, best.x).run()
    return best


def _run_from(double: Problem, penalty: Any, monitor: Monitor, start: Evaluation) -> WorkingSet:
    gram = getattr(double, "gram", None)
    if gram is not None:
        return GramSet(double, penalty, monitor, start, gram)
    kind = WorkingSet if len(double.shape) == 1 else RowWorkingSet
    return kind(double, penalty, monitor, start)


def _accelerate(
    problem: Problem, penalty: Any, monitor: Monitor, start: Array | Evaluation
) -> Evaluation:
    """Run FISTA in float64, after most of the way in float32 where X is float32 (and it serves)."""
    double, certificate, size = problem.double, monitor.certificate, None
    xp, x = problem.xp, start.x if isinstance(start, Evaluation) else start
    if problem is not double and fits(problem):
        single = _run_single(problem, penalty, monitor, xp.asarray(x, problem.dtype))
        x, size = single.at.x, single.size
        monitor.continue_with(certificate, rounding(double))
        monitor.margin = 0.9  # the rest is for rounding x
    x = xp.asarray(x, xp.float64)
    return Fista(double, penalty, monitor, _inside(penalty, x), size).run()


def _run_single(problem: Problem, penalty: Any, monitor: Monitor, start: Array) -> Fista:
    monitor.continue_with(certificate_for(problem, penalty), rounding(problem))
    run = Fista(problem, penalty, monitor, _inside(penalty, start))
    run.run()
    return run


def _optimal_zero(problem: Problem, penalty: Any, monitor: Monitor) -> Evaluation | None:
    """Return the null model if it is optimal: zeros are exact at ``lam >= lambda_max``."""
    if not isinstance(monitor.certificate, DualityGap):
        return None
    free = monitor.certificate.dual.free
    zero = problem.null if free.all() else null_model(problem, free)
    objective = zero.loss + penalty.value(zero.x)
    if np.isfinite(objective):
        monitor.check(zero, objective, 1.0)
    if monitor.reason == "converged":
        return zero
    monitor.continue_with(monitor.certificate, monitor.rounding)  # the run starts elsewhere
    return None


def _inside(penalty: Any, x0: Array) -> Array:
    """Return the nearest point where the penalty is finite."""
    if not isinstance(penalty, Penalty | Projection):
        return x0
    return penalty.prox(x0, float(np.finfo(np.float32).tiny))
