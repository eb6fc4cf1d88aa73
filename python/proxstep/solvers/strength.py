"""The strength of a penalty: how it is set, and the smallest with all penalised parameters zero."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .. import groups, penalties
from ..arrays import Array
from ..problems import Evaluation, Problem
from .certificate import certificate_for
from .duals import dual_of
from .fista import Fista
from .monitor import Limits, Monitor, rounding
from .row_working_set import RowWorkingSet
from .working_set import WorkingSet, serves

_L1_LIKE = (penalties.L1, penalties.NonNegativeL1, penalties.MCP, penalties.SCAD)
_WITH_LAM = (*_L1_LIKE, penalties.SquaredL2, penalties.L0, penalties.L1_2, penalties.L2_3)


def lambda_max(problem: Problem, penalty: Any) -> float:
    """Return the gauge of the null model's gradient under the penalty of strength 1."""
    problem = problem.double
    unit, strength = _unit(penalty)
    dual = dual_of(unit, problem.shape)
    if dual is None:
        raise _unknown(penalty)
    at = null_model(problem, dual.free)
    return strength * float(dual.gauge(problem.xp.to_host(at.gradient)))


def with_strength(penalty: Any, lam: float) -> Any:
    """Return the penalty at another strength, in the units of `lambda_max`.

    The strength is ``lam``; ``l1`` for ElasticNet, with ``l2 / l1`` held; that of the inner penalty
    for Group; ``lam`` for SparseGroup, with ``l1 / lam`` held (``l1`` where lam is 0).
    """
    if isinstance(penalty, groups.Group):
        return replace(penalty, penalty=with_strength(penalty.penalty, lam))
    if isinstance(penalty, penalties.ElasticNet) and penalty.l1 > 0:
        return replace(penalty, l1=lam, l2=lam * (penalty.l2 / penalty.l1))
    if isinstance(penalty, groups.SparseGroup) and penalty.lam > 0:
        return replace(penalty, lam=lam, l1=lam * (penalty.l1 / penalty.lam))
    if isinstance(penalty, groups.SparseGroup) and penalty.l1 > 0:
        return replace(penalty, l1=lam)
    if isinstance(penalty, _WITH_LAM):
        return replace(penalty, lam=lam)
    raise TypeError(f"{penalty!r} has no strength that a path could vary")


def _unit(penalty: Any) -> tuple[Any, float]:
    """Return the convex penalty with the same slope at 0 and strength 1, and what 1 stands for."""
    if isinstance(penalty, penalties.NonNegativeL1):
        return replace(penalty, lam=1.0), 1.0
    if isinstance(penalty, _L1_LIKE):
        return penalties.L1(1.0, weights=penalty.weights), 1.0
    if isinstance(penalty, penalties.ElasticNet):
        return penalties.L1(1.0, weights=penalty.weights), 1.0
    if isinstance(penalty, groups.Group):
        return replace(penalty, penalty=_unit(penalty.penalty)[0]), 1.0
    if isinstance(penalty, groups.SparseGroup):
        return penalty, penalty.lam if penalty.lam > 0 else penalty.l1
    raise _unknown(penalty)


def _unknown(penalty: Any) -> TypeError:
    return TypeError(f"no strength of {penalty!r} is known from which on all parameters are zero")


def null_model(problem: Problem, free: Array) -> Evaluation:
    """Return the model in which only the intercept and the free elements are fitted."""
    if not free.any():
        return problem.null
    pinned = penalties.L1(1.0, weights=np.where(free, 0.0, np.inf))
    newton = serves(problem, pinned)
    limits = Limits(1e-15, 1_000, None) if newton else Limits(1e-12, 10_000, None)
    monitor = Monitor(certificate_for(problem, pinned), limits, rounding(problem))
    if newton:  # of few elements, which may have to go far
        kind = WorkingSet if len(problem.shape) == 1 else RowWorkingSet
        return kind(problem, pinned, monitor, problem.null).run()
    return Fista(problem, pinned, monitor, problem.xp.zeros(problem.shape, problem.dtype)).run()
