"""Largest eigenvalue of ``X_c' W X_c``: a certain bound from above, and a cheap estimate."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from .design import Design
from .standardized import Operator

_EXACT_WORK = 2e9  # multiplications that an exact decomposition may cost
_SUBSPACE = 16
_POWER_STEPS = 10
_TINY = float(np.finfo(np.float64).tiny)


def norm_bound(design: Design) -> float:
    """Return an upper bound, exact to rounding when the smaller side of X is small.

    For a large X with any orthonormal Q, ``|X|_2^2 <= |X Q|_2^2 + |X|_F^2 - |X Q|_F^2``;
    Q comes from two steps of subspace iteration (Halko, Martinsson and Tropp 2011).
    """
    n, p = design.shape
    xp = design.xp
    total = float(design.scales.sum())
    slack = 8 * (n + p) * np.finfo(np.float64).eps * total
    if n * p * min(n, p) <= _EXACT_WORK:
        gram = xp.to_host(design.gram())
        return float(np.linalg.eigvalsh(gram).max(initial=0.0) + slack)
    image = design.weights.root_times(design.in_double().product(_subspace(design)))
    square, norm = xp.read(xp.sum(image * image), xp.norm(image, 2))
    return norm**2 + max(0.0, total - square) + slack


def norm_estimate(design: Operator, root: Any) -> float:
    """Return an estimate (from below) of the norm of ``D X_c' W X_c D``, D = diag(root).

    The root, one number or one a column, lies on the host. An estimate is made once: it serves
    every strength of a path.
    """
    key = np.asarray(root).tobytes()
    if key not in design.norms:
        design.norms[key] = _power_steps(design, root)
    return design.norms[key]


def _power_steps(design: Operator, root: Any) -> float:
    xp = design.xp
    v = xp.asarray(np.random.default_rng(0).standard_normal(design.shape[1]), xp.float64)
    root = xp.asarray(root, xp.float64)
    value = xp.zeros((), xp.float64)
    for _ in range(_POWER_STEPS):
        v /= xp.maximum(xp.norm(v), _TINY)
        image = design.weights.root_times(design.product(xp.asarray(root * v, design.dtype)))
        value = xp.sum(image * image)
        v = root * xp.asarray(design.adjoint(design.weights.root_times(image)), xp.float64)
    return xp.read(value)[0]


def _subspace(design: Design) -> Array:
    xp, weights = design.xp, design.weights
    start = np.random.default_rng(0).standard_normal((design.shape[1], _SUBSPACE))
    v = xp.asarray(start, design.dtype)
    for _ in range(2):
        image = weights.root_times(design.product(xp.orthonormal(v)))
        v = design.adjoint(weights.root_times(image))
    return xp.orthonormal(xp.asarray(v, xp.float64))
