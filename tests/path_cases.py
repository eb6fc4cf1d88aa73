"""Penalties over a strength, written out once more for the tests of paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import problem_cases as cases
import proxstep as ps
import pytest


@dataclass(frozen=True)
class Family:
    """The penalty of a strength, on parameters of a shape."""

    name: str
    at: Callable[[float, tuple[int, ...]], Any]


def _weights(shape: tuple[int, ...]) -> Any:
    return cases._weights(shape)


FAMILIES = [
    Family("L1", lambda lam, _: ps.L1(lam)),
    Family("L1 weighted", lambda lam, shape: ps.L1(lam, weights=_weights(shape))),
    Family(
        "ElasticNet",
        lambda lam, shape: ps.ElasticNet(lam, 0.7 * lam, weights=_weights(shape)),
    ),
    Family("NonNegativeL1", lambda lam, _: ps.NonNegativeL1(lam)),
    Family("Group", lambda lam, shape: ps.Group(ps.L1(lam), "rows" if len(shape) == 2 else 2)),
    Family(
        "Group ElasticNet",
        lambda lam, shape: ps.Group(
            ps.ElasticNet(lam, 1.3 * lam), cases._lengths(shape), group_weights=[1.3, 0.6, 0.9]
        ),
    ),
    Family(
        "SparseGroup",
        lambda lam, shape: ps.SparseGroup(0.4 * lam, lam, 2, weights=_weights(shape)),
    ),
    Family("SparseGroup without groups", lambda lam, _: ps.SparseGroup(lam, 0.0, 2)),
]

each = pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
