"""Problems and penalties that the tests of problems and solvers share: small, none neutral."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import proxstep as ps
import pytest
import reference_groups as groups
import reference_problems as ref

#: Problems by their class. Half have a known part of the margins; "soft" and "counts" say y.
KINDS = (
    "LeastSquares",
    "LeastSquares tasks",
    "Logistic",
    "Logistic soft",
    "Softmax",
    "Softmax soft",
    "Huber",
    "Poisson",
    "Poisson rates",
)
OUTPUTS = {"Softmax": 3, "Softmax soft": 3, "LeastSquares tasks": 3}
OFFSET = ("LeastSquares tasks", "Logistic soft", "Softmax soft", "Huber", "Poisson rates")
SHARED = Path(__file__).parent.parent / ".." / "shared" / "data"


@cache
def data(kind: str, weighted: bool = False, n: int = 37, p: int = 6, seed: int = 3) -> ref.Data:
    """Correlated columns of unequal scale and mean, and targets that depend on some of them."""
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((n, p)) @ (np.eye(p) + 0.3 * rng.standard_normal((p, p)))
    X = mixed * rng.uniform(0.4, 1.7, p) + rng.normal(0, 0.7, p)
    w = rng.uniform(0.2, 2.3, n) if weighted else None
    outputs = OUTPUTS.get(kind, 0)
    noise = rng.normal(0, 1.4, (n, max(outputs, 1)))
    signal = X[:, : max(outputs, 1)] * 1.3 - 0.4 + noise
    y = targets(kind, signal if outputs else signal[:, 0], rng)
    known = rng.normal(0.4, 0.6, (n, outputs) if outputs else n) if kind in OFFSET else None
    delta = 0.9 if kind == "Huber" else None
    return ref.Data(kind.split()[0], X, y, w, outputs, known, delta)


def targets(kind: str, signal: Any, rng: Any) -> Any:
    """What the signal stands for: values, labels, probabilities, counts or rates."""
    if kind.startswith(("LeastSquares", "Huber")):
        return 3.1 + signal
    if kind == "Logistic":
        return (signal > 0.2).astype(float)
    if kind == "Logistic soft":
        return 1 / (1 + np.exp(-signal))
    if kind == "Softmax":
        return signal.argmax(axis=1)
    if kind == "Softmax soft":
        return rng.dirichlet([0.7, 1.1, 1.6], len(signal))
    means = np.exp(0.3 * signal)
    return rng.poisson(means).astype(float) if kind == "Poisson" else means


def settings_there(d: ref.Data, there: Callable[[Any], Any]) -> dict[str, Any]:
    """The settings with their arrays brought elsewhere."""
    return {k: there(v) if isinstance(v, np.ndarray) else v for k, v in d.settings.items()}


def problem(d: ref.Data, dtype: str = "float64", order: str = "C", **settings: Any) -> Any:
    X = np.array(d.X, dtype, order=order)
    return getattr(ps, d.name)(X, d.y, d.w, **d.settings, **settings)


@dataclass(frozen=True)
class Convex:
    """A penalty with a dual, and the oracle's prox and value of it; over 6 rows of parameters."""

    name: str
    make: Callable[[tuple[int, ...]], Any]
    prox: Callable[[Any, float], Any]
    sparse: bool = True


def _weights(shape: tuple[int, ...]) -> Any:
    return np.resize([0.7, 1.9, 0.4, 1.2, 2.1, 0.9, 1.6], shape)


def _lengths(shape: tuple[int, ...]) -> list[int]:
    """Segments of 1, 2 and 3 rows."""
    width = shape[1] if len(shape) == 2 else 1
    return [width, 2 * width, 3 * width]


def _pairs(shape: tuple[int, ...]) -> list[Any]:
    return groups.groups(shape, 2)


def _rows(shape: tuple[int, ...]) -> list[Any]:
    return groups.groups(shape, "rows" if len(shape) == 2 else 1)


GROUP_WEIGHTS = [1.3, 0.6, 0.9]

CONVEX = [
    Convex("L1", lambda _: ps.L1(0.07), lambda z, s: ref.soft(z, 0.07 * s)),
    Convex(
        "L1 weighted",
        lambda shape: ps.L1(0.07, weights=_weights(shape)),
        lambda z, s: ref.soft(z, 0.07 * s * _weights(z.shape)),
    ),
    Convex(
        "ElasticNet",
        lambda shape: ps.ElasticNet(0.05, 0.09, weights=_weights(shape)),
        lambda z, s: ref.soft(z, 0.05 * s * _weights(z.shape)) / (1 + 0.09 * s * _weights(z.shape)),
    ),
    Convex(
        "SquaredL2", lambda _: ps.SquaredL2(0.13), lambda z, s: z / (1 + 0.13 * s), sparse=False
    ),
    Convex(
        "NonNegativeL1", lambda _: ps.NonNegativeL1(0.03), lambda z, s: np.maximum(z - 0.03 * s, 0)
    ),
    Convex("Box", lambda _: ps.Box(-0.1, 0.3), lambda z, s: np.clip(z, -0.1, 0.3), sparse=False),
    Convex(
        "Group",
        lambda shape: ps.Group(ps.L1(0.09), "rows" if len(shape) == 2 else 1),
        lambda z, s: ref.shrink_groups(z, 0.09 * s, _rows(z.shape)),
    ),
    Convex(
        "Group segments",
        lambda shape: ps.Group(ps.L1(0.09), _lengths(shape), group_weights=GROUP_WEIGHTS),
        lambda z, s: ref.shrink_groups(
            z, 0.09 * s * np.array(GROUP_WEIGHTS), groups.groups(z.shape, _lengths(z.shape))
        ),
    ),
    Convex(
        "Group ElasticNet",
        lambda _: ps.Group(ps.ElasticNet(0.06, 0.2), 2),
        lambda z, s: ref.shrink_groups(z, 0.06 * s, _pairs(z.shape)) / (1 + 0.2 * s),
    ),
    Convex(
        "SparseGroup",
        lambda shape: ps.SparseGroup(0.04, 0.06, 2, weights=_weights(shape)),
        lambda z, s: ref.shrink_groups(
            ref.soft(z, 0.04 * s * _weights(z.shape)), 0.06 * s, _pairs(z.shape)
        ),
    ),
    Convex("L1Ball", lambda _: ps.L1Ball(0.8), lambda z, s: groups.project_l1_ball(z, 0.8), False),
    Convex(
        "Simplex", lambda _: ps.Simplex(1.1), lambda z, s: groups.project_simplex(z, 1.1), False
    ),
    Convex("LinfBall", lambda _: ps.LinfBall(0.2), lambda z, s: np.clip(z, -0.2, 0.2), False),
]


def each(cases: list[Convex]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=lambda c: c.name)


def shared(name: str) -> Path:
    """A file of the shared data, or a skip that says what is missing."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not beside the repository, in ../shared/data")
    return path


class HalfSquares:
    """A user's penalty: 0.13 x^2 / 2, in plain NumPy."""

    def value(self, x: Any) -> float:
        return 0.13 * float(np.square(x).sum()) / 2

    def prox(self, z: Any, step: float) -> Any:
        assert isinstance(step, float)
        return z / (1 + 0.13 * step)
