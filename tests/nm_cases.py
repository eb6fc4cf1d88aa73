"""What the tests of N:M sparsity on the CPU and on the device share."""

from __future__ import annotations

from typing import Any

import numpy as np
from cases import compute_dtype, normal

PATTERNS = ((2, 4), (1, 4), (4, 8), (16, 32), (1, 2), (5, 16), (0, 8), (8, 8))
# One block; less and more than a tile of the CPU or a warp's packs; more than a chunk of a kernel.
SHAPES = ((32,), (3, 32), (7, 5, 96), (2, 544), (5, 1056))


def steps_like(z: Any, seed: int) -> Any:
    """Steps that differ a hundredfold, in the compute type; some are zero."""
    rng = np.random.default_rng(seed)
    s = 10 ** rng.uniform(-1, 1, z.shape) * (rng.random(z.shape) < 0.95)
    return s.astype(compute_dtype(str(z.dtype)))


def with_odd_ones(shape: tuple[int, ...], dtype: str, seed: int) -> Any:
    """Ties, zeros of both signs, infinities and NaN among ordinary numbers."""
    z = np.round(normal(shape, "float64", seed=seed), 1)
    rng = np.random.default_rng(seed)
    for odd in (0.0, -0.0, np.inf, -np.inf, np.nan):
        z[rng.random(shape) < 0.04] = odd
    return z.astype(normal(1, dtype).dtype)
