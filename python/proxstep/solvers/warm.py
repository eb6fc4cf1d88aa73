"""What one strength of a path hands over to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..problems import Evaluation
from .strength import with_strength


@dataclass(frozen=True)
class Warm:
    """The solution before, and the penalty whose asks choose the first working set from there."""

    at: Evaluation
    strong: Any = None


def strong_penalty(penalty: Any, lam: float, following: float) -> Any:
    """Return the penalty by which blocks that may enter at the following strength ask to move.

    Between the strengths a gradient changes by at most their difference, as a rule: a block whose
    gradient is below ``2 following - lam`` at the solution for lam stays zero (Tibshirani et al.,
    "Strong rules for discarding predictors in lasso-type problems", J. Royal Statistical Society
    B 2012). None where that is no strength. Certificates find what the rule has missed.
    """
    below = 2.0 * following - lam
    return with_strength(penalty, below) if below > 0.0 else None
