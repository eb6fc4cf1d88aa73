"""Problems and penalties that the tests of coordinate descent share."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest

sp = pytest.importorskip("scipy.sparse")

LAYOUTS = ("C", "F", "csr", "csc")
LOSSES = ("LeastSquares", "Logistic", "Huber", "Poisson")
SHAPES = [(60, 17), (41, 130), (300, 90)]  # by the Gram matrix, by the samples, by either


def data(shape: tuple[int, int], loss: str) -> tuple[Any, Any]:
    """A third of the entries are stored; columns of unequal scale, one constant and one empty."""
    rng = np.random.default_rng(shape[1])
    X = rng.normal(0.3, 1.0, shape) * (rng.random(shape) < 0.35) * rng.uniform(0.3, 2.4, shape[1])
    X[:, 3], X[:, 7] = 1.3, 0.0
    u = X[:, :3] @ [0.9, -0.8, 0.6] + 0.4 + rng.normal(0, 0.5, shape[0])
    targets = {
        "LeastSquares": u,
        "Logistic": (u > 0.3).astype(float),
        "Huber": u + 9.0 * (rng.random(shape[0]) < 0.1),
        "Poisson": rng.poisson(np.exp(0.5 * u)).astype(float),
    }
    return X, targets[loss]


def stored(X: Any, layout: str, dtype: str = "float64") -> Any:
    X = X.astype(dtype)
    return np.array(X, order=layout) if len(layout) == 1 else getattr(sp, f"{layout}_array")(X)


def penalties(p: int) -> list[Any]:
    weights = np.resize([0.8, 1.7, 1.0, 0.0, 1.2, np.inf, 0.6, 2.1], p)
    ragged = [1, 4, 0, 7, p - 12]
    return [
        ps.L1(0.03),
        ps.ElasticNet(0.02, 0.07, weights=weights),
        ps.NonNegativeL1(0.02),
        ps.Box(-0.15, 0.4),
        ps.Group(ps.L1(0.04), ragged, group_weights=[0.7, 1.4, 1.0, 2.0, 0.9]),
        ps.Group(ps.ElasticNet(0.03, 0.2), [2] * (p // 2) + [p % 2]),
        ps.SparseGroup(0.02, 0.03, ragged, weights=np.resize([0.5, 1.6], p)),
    ]


def problem(shape: tuple[int, int], loss: str, layout: str = "F", **settings: Any) -> Any:
    X, y = data(shape, loss)
    w = np.resize([0.6, 1.9, 1.1, 0.0], shape[0]) if settings.pop("weighted", True) else None
    X = stored(X, layout, settings.pop("dtype", "float64"))
    return getattr(ps, loss)(X, y, w, **settings)
