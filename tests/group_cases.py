"""Ways to group an array, scalar penalties to put on a norm, and the oracle of a group prox."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import reference as ref
import reference_groups as oracle
from cases import PENALTY_CASES, penalty

GROUPINGS: list[tuple[tuple[int, ...], Any]] = [
    ((7, 5), "rows"),
    ((7, 5), "columns"),
    ((3, 4, 5), "rows"),
    ((3, 4, 5), "columns"),
    ((36,), 4),
    ((6, 6), 3),
    ((20,), (1, 7, 3, 9)),
    ((4, 5), (11, 9)),
]
# On a norm a Box is the ball of radius upper: a lower bound above 0 would have no nearest point.
NORM_CASES = [(name, p) for name, p in PENALTY_CASES if p.get("lower", -1) <= 0]


def count(shape: tuple[int, ...], over: Any) -> int:
    return len(oracle.groups(shape, over))


def group(name: str, p: ref.Settings, over: Any, weights: Any = None) -> Any:
    return ps.Group(penalty(name, p), over=over, group_weights=weights)


def split(x: Any, over: Any) -> list[Any]:
    """The groups of x as flat float64 arrays."""
    flat = np.asarray(x, np.float64).ravel()
    return [flat[index] for index in oracle.groups(np.shape(x), over)]


def expected(name: str, p: ref.Settings, over: Any, z: Any, s: Any, w: Any) -> Any:
    """The oracle's prox of sum_g w_g phi(||x_g||), group by group, by search over the norm."""
    result = np.asarray(z, np.float64).ravel().copy()
    steps = np.broadcast_to(np.asarray(s, np.float64), np.shape(z)).ravel()
    for index, weight in zip(oracle.groups(np.shape(z), over), w, strict=True):
        phi = lambda r, weight=weight: weight * _inside(name, p, r)  # noqa: E731
        result[index] = oracle.group_prox(phi, result[index], steps[index])
    return result.reshape(np.shape(z))


def _inside(name: str, p: ref.Settings, r: Any) -> Any:
    """phi(r), with room for the last bit of r at the edge of a Box."""
    return ref.PENALTIES[name].value(np.asarray(r) * (1 - 1e-12 * (name == "Box")), p)


def cost(name: str, p: ref.Settings, over: Any, x: Any, z: Any, s: Any, w: Any) -> list[float]:
    """What the group prox minimises, one number per group."""
    steps = np.broadcast_to(np.asarray(s, np.float64), np.shape(z))
    parts = zip(split(x, over), split(z, over), split(steps, over), w, strict=True)
    return [
        float(weight * _inside(name, p, np.linalg.norm(a)) + np.sum((a - b) ** 2 / (2 * c)))
        for a, b, c, weight in parts
    ]
