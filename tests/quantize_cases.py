"""What the tests of quantising on the CPU and on the device share."""

from __future__ import annotations

from typing import Any

import numpy as np

NF4 = (
    -1.0,
    -0.7,
    -0.53,
    -0.39,
    -0.28,
    -0.18,
    -0.09,
    0.0,
    0.08,
    0.16,
    0.25,
    0.34,
    0.44,
    0.56,
    0.72,
    1.0,
)
TABLES = ((-1.0, 0.25, 3.0), (-1.5, -0.5, 0.5, 1.5), NF4, (0.0, 2.0), (-3.0, -2.0))
LEVELS: Any = [{"bits": b} for b in range(1, 9)] + [{"levels": r} for r in TABLES]


def scales_given(over: Any, groups: int) -> Any:
    """Some are zero."""
    return 0.31 if over is None else np.random.default_rng(7).integers(0, 9, groups) * 0.11
