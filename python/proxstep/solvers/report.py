"""The result object and the warning of a finished run."""

from __future__ import annotations

import math
from typing import Any

from ..arrays import Array
from ..namespace import Namespace
from ..problems import Evaluation, Problem
from .certificate import DualityGap
from .monitor import Monitor
from .result import Result

#: What a user may change, for each reason to stop early.
CHANGES = {
    "max_iter": "raise max_iter or tol, or bring the columns of X to like scales",
    "max_time": "raise max_time or tol",
    "stalled": "no progress beyond rounding, raise tol or bring the columns of X to like scales",
}


def make_result(
    problem: Problem, penalty: Any, monitor: Monitor, best: Evaluation, dtype: Any
) -> Result:
    """Return the result of a run in float64, with x (and what follows) rounded to dtype."""
    objective, gap, reason = monitor.objective, monitor.gap, monitor.reason or "stalled"
    xp, design = problem.xp, problem.design
    x = _rounded(xp, design.to_given(best.x), dtype)
    if best.x.dtype != dtype:
        inside = float(penalty.value(best.x))
        best = problem.evaluate(design.from_given(xp.asarray(x, xp.float64)), start=best.offset)
        value = float(penalty.value(best.x))
        if math.isinf(value):
            value = inside  # rounding leads out of a Box
        rise = best.loss + value - objective
        objective += rise
        if isinstance(monitor.certificate, DualityGap):
            gap = max(0.0, gap + rise / problem.scale)
    if reason == "converged" and gap > monitor.limits.tol:
        reason = "stalled"
    return Result(
        x=x,
        intercept=_plain(xp, problem.intercept(best)),
        objective=objective,
        gap=gap,
        converged=reason == "converged",
        reason=reason,
        n_iter=monitor.n_iter,
        seconds=monitor.seconds,
        tol=monitor.limits.tol,
        certificate=monitor.certificate.name,
        solver=monitor.solver,
        history=monitor.trace(),
    )


def advice(result: Result) -> str:
    """Return the warning: certificate, tolerance, and what to change."""
    return (
        f"ps.solve stopped ({result.reason}) after {result.n_iter} iterations and a "
        f"relative {result.certificate} of {result.gap:.2g} of the null model, above "
        f"tol={result.tol:g}: {CHANGES[result.reason]}"
    )


def _rounded(xp: Namespace, x: Array, dtype: Any) -> Array:
    """Return x in a smaller dtype; NaN or inf would look like a solution."""
    result = xp.asarray(x, dtype)
    if x.dtype != dtype and xp.is_any(~xp.isfinite(result)):
        largest = xp.read(abs(x).max())[0]
        raise ValueError(
            f"the solution overflows {dtype}: its largest parameter is {largest:g}; bring X to "
            f"larger scales, or pass it in float64"
        )
    return result


def _plain(xp: Namespace, intercept: Array) -> Any:
    return intercept if intercept.ndim else xp.read(intercept)[0]
