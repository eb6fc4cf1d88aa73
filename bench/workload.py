"""The arrays and settings that all contestants of a case share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import proxstep as ps

LR, LAM = 1e-3, 1e-2
BETAS, EPS, WEIGHT_DECAY = (0.9, 0.999), 1e-8, 0.01
MOMENTUM = 0.9

PENALTY = ps.L1(LAM)
ADAMW = ps.AdamW(lr=LR, betas=BETAS, eps=EPS, weight_decay=WEIGHT_DECAY)


@dataclass
class Arrays:
    """Parameters, gradient and moments; NumPy's, so that all have its huge pages."""

    x: Any
    g: Any
    names: tuple[str, ...]
    moments: tuple[Any, ...]

    @property
    def n(self) -> int:
        return int(np.prod(self.x.shape))

    def state(self) -> ps.State:
        """Make a state before its first step on the shared moments."""
        return ps.State(0, dict(zip(self.names, self.moments, strict=True)))


def normal(shape: int | tuple[int, ...], dtype: Any = np.float32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=dtype)


def make_arrays(rule: ps.Rule, shape: int | tuple[int, ...], dtype: Any = np.float32) -> Arrays:
    """Parameters and a gradient from the normal distribution; moments as the rule starts them."""
    x, g = normal(shape, dtype, seed=1), normal(shape, dtype, seed=2)
    moments = rule.init(x).moments
    return Arrays(x, g, tuple(moments), tuple(moments.values()))
