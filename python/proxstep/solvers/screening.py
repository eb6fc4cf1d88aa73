"""Gap-safe screening: blocks that are certainly zero at the optimum leave the products with X.

With a dual point c r of gap G, a loss of curvature at most k and the columns' mean squares s_j, the
optimal dual point gives column j a gradient within ``sqrt(2 k G s_j)`` of ``c x_j' r``: where that
stays below the strength, x_j = 0 (Ndiaye et al., "Gap safe screening rules for sparsity enforcing
penalties", JMLR 2017).
"""

from __future__ import annotations

import math

import numpy as np

from ..problems import Evaluation, Problem
from .certificate import Certificate, DualityGap
from .duals import Elastic
from .grouping import Groups, block_norms

_WORTH = 0.7  # share of the columns below which products skip the others


class Screening:
    """Which columns may still be nonzero."""

    def __init__(
        self, problem: Problem, certificate: DualityGap, dual: Elastic, groups: Groups
    ) -> None:
        self.problem, self.certificate, self.groups = problem, certificate, groups
        self.magnitude = dual.magnitude
        self.limits = np.where((dual.l2 == 0) & (dual.l1 < np.inf), dual.l1, 0.0)  # 0: never
        self.reach = block_norms(np.sqrt(problem.design.scales), groups)
        self.kept = np.ones(problem.shape, bool)

    def update(self, at: Evaluation, objective: float, rounding: float) -> None:
        """Screen with the dual point that was just certified at this evaluation."""
        gap = objective - self.certificate.value + rounding
        if not gap < math.inf:
            return
        radius = math.sqrt(2.0 * self.problem.curvature * gap)
        gradient = self.certificate.factor * np.asarray(self.problem.xp.to_host(at.gradient))
        safe = self.magnitude(gradient) + radius * self.reach < self.limits
        screened = safe & (block_norms(self.problem.xp.to_host(at.x), self.groups) == 0)
        self.kept &= ~(screened if self.groups is None else screened[self.groups[0]])

    def shorten(self, at: Evaluation) -> None:
        """Let the gradient of an evaluation have the kept columns alone, 0 elsewhere."""
        chosen = np.flatnonzero(self.kept)
        if len(chosen) < _WORTH * len(self.kept):
            vars(at)["gradient"] = self.problem.design.partial_adjoint(at.residual, chosen)


def screening_for(problem: Problem, certificate: Certificate, groups: Groups) -> Screening | None:
    """Return what screens, or None where no rule is known."""
    if not isinstance(certificate, DualityGap) or certificate.part is not None:
        return None
    dual = certificate.dual
    if not isinstance(dual, Elastic) or len(problem.shape) == 2 or math.isinf(problem.curvature):
        return None
    return Screening(problem, certificate, dual, groups)
