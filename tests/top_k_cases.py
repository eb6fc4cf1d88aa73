"""Points that make a selection difficult, shared by the tests of TopK in a step."""

from __future__ import annotations

from typing import Any

import numpy as np
from cases import normal

HARD = (
    "normal",
    "ties",
    "short ties",
    "constant",
    "mostly zero",
    "sorted",
    "two sizes",
    "few outliers",
)


def hard(name: str, n: int, dtype: str, seed: int = 230) -> Any:
    """Points that make guessing difficult."""
    z, rng = normal(n, dtype, seed=seed), np.random.default_rng(seed)
    if name == "ties":
        return np.round(z.astype(float), 1).astype(z.dtype)
    if name == "short ties":  # within what a guess leaves open
        return np.round(z.astype(float), 3).astype(z.dtype)
    if name == "constant":
        return np.where(z.astype(float) > 0, 1.5, -1.5).astype(z.dtype)
    if name == "mostly zero":
        return np.where(rng.random(n) < 0.9, 0, z).astype(z.dtype)
    if name == "sorted":
        return np.sort(z)
    if name == "two sizes":
        return np.where(np.arange(n) < 0.9 * n, z * 1e-20, z).astype(z.dtype)
    if name == "few outliers":
        return np.where(rng.random(n) < 1e-4, np.nan, z).astype(z.dtype)
    return z
