"""Held-out scores of a whole path: one product with X serves many strengths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..arrays import Array
from ..namespace import in_blocks
from ..problems import Problem
from .result import Path

#: Margins of the held-out rows and the numbers of these rows, to a number; smaller is better.
Score = Callable[[Array, Array], float]


def held_out_scores(problem: Problem, path: Path, test: Array, score: Score | None) -> Array:
    """Return the score at each strength; by default the mean loss, weighted."""
    if score is None:
        held_out = problem.with_weights(problem.xp.asarray(test, problem.xp.float64))
        return np.array([held_out.loss_at(u) for u in _margins(problem, path)])
    rows = np.flatnonzero(test)
    margins = (problem.xp.to_host(u)[rows] for u in _margins(problem, path))
    return np.array([float(score(u, rows)) for u in margins])


def _margins(problem: Problem, path: Path) -> Iterator[Array]:
    """Yield ``X x + b`` for each strength."""
    n, outputs = problem.X.shape[0], problem.shape[1:]
    width = n * int(np.prod(outputs))
    for block in in_blocks(len(path), width, problem.xp.block):
        points = path.points[block]
        products = _products(problem, [point.x for point in points])
        for j, point in enumerate(points):
            u = problem.xp.in_c_order(products[:, j])
            yield problem.shifted(u, np.asarray(point.intercept, np.float64))


def _products(problem: Problem, parameters: list[Any]) -> Array:
    """Return ``X x`` for several x, shape (n, several[, k])."""
    xp, p = problem.xp, problem.shape[0]
    side_by_side = np.stack(parameters, axis=1)
    columns = xp.asarray(side_by_side.reshape(p, -1), problem.dtype)
    return (problem.X @ columns).reshape(-1, *side_by_side.shape[1:])
