"""Largest eigenvalue of ``X_c' W X_c``: a certain bound from above, and a cheap estimate."""

from __future__ import annotations

import numpy as np

from .design import Design
from .inputs import Array

_EXACT_WORK = 2e9  # multiplications that an exact decomposition may cost
_SUBSPACE = 16
_POWER_STEPS = 10


def norm_bound(design: Design) -> float:
    """Return an upper bound, exact to rounding when the smaller side of X is small.

    For a large X with any orthonormal Q, ``|X|_2^2 <= |X Q|_2^2 + |X|_F^2 - |X Q|_F^2``;
    Q comes from two steps of subspace iteration (Halko, Martinsson and Tropp 2011).
    """
    n, p = design.shape
    total = float(design.scales.sum())
    slack = 8 * (n + p) * np.finfo(np.float64).eps * total
    if n * p * min(n, p) <= _EXACT_WORK:
        return float(np.linalg.eigvalsh(design.gram()).max(initial=0.0) + slack)
    image = design.weights.root_times(design.in_double().product(_subspace(design)))
    rest = max(0.0, total - float(np.sum(image * image)))
    return float(np.linalg.norm(image, 2) ** 2 + rest + slack)


def norm_estimate(design: Design, root: Array | float) -> float:
    """Return an estimate (from below) of the norm of ``D X_c' W X_c D``, D = diag(root)."""
    v = np.random.default_rng(0).standard_normal(design.shape[1])
    value = 0.0
    for _ in range(_POWER_STEPS):
        v /= max(float(np.linalg.norm(v)), np.finfo(np.float64).tiny)
        image = design.weights.root_times(design.product((root * v).astype(design.dtype)))
        value = float(np.sum(image * image))
        v = root * design.adjoint(design.weights.root_times(image)).astype(np.float64)
    return value


def _subspace(design: Design) -> Array:
    v = np.random.default_rng(0).standard_normal((design.shape[1], _SUBSPACE)).astype(design.dtype)
    for _ in range(2):
        q = np.linalg.qr(v)[0]
        v = design.adjoint(design.weights.root_times(design.weights.root_times(design.product(q))))
    return np.asarray(np.linalg.qr(v.astype(np.float64))[0])
