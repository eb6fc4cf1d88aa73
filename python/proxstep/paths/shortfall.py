"""The one warning for many fits: how many fell short, the worst, and what to change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..solvers.report import CHANGES
from .result import Path


def shortfall(name: str, paths: Sequence[Path], total: int) -> str | None:
    """Return the warning, or None where all is well or the user cut it short."""
    points = [point for path in paths for point in path]
    if any(path.reason == "max_time" for path in paths):
        return (
            f"{name} stopped (max_time) after {len(points)} of {total} fits: {CHANGES['max_time']}"
        )
    short = [point for point in points if not point.converged]
    if not short:
        return None
    worst = max(short, key=lambda point: point.gap)
    reasons = Counter(point.reason for point in short)
    counts = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    return (
        f"{name}: {len(short)} of {total} fits stopped early ({counts}); the largest relative "
        f"{worst.certificate} is {worst.gap:.2g} of the null model, at strength {worst.lam:.3g}, "
        f"above tol={paths[0].tol:g}: {CHANGES[worst.reason]}"
    )
