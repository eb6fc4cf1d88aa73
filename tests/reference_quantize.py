"""The oracle of quantising, in float64 and from the paper: levels, scales and the prox, by sorting.

Letters: z point, a scale, r levels in units of it, rho inverse slope.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def integer_levels(bits: int) -> Any:
    m = 2 ** (bits - 1) - 1
    return np.array([-1.0, 1.0]) if bits == 1 else np.arange(-m, m + 1.0)


def groups_of(z: Any, over: Any) -> Any:
    """One group a row."""
    if over is None:
        return z.reshape(1, -1)
    return z.reshape(len(z), -1) if over == "rows" else z.reshape(-1, over)


def scales_of(z: Any, bits: int | None, kind: str) -> Any:
    """What the outermost level of each row of z stands for."""
    size = np.abs(z)
    largest = np.max(size, axis=1, initial=0.0)
    if kind == "absmax":
        return largest
    assert bits is not None
    return np.minimum(bits * np.mean(size, axis=1), largest)


def nearest(u: Any, r: Any) -> Any:
    """At a tie the smaller one, of two of a size the positive one."""
    order = np.array(sorted(r, key=lambda level: (abs(level), -level)))
    return order[np.argmin(np.abs(u[..., None] - order), axis=-1)]


def draw(u: Any, r: Any, rho: float) -> Any:
    """Piecewise affine: flat at the levels, slope 1 / rho about the midpoints."""
    if rho == 1.0:
        return u
    if rho == 0.0:
        return nearest(u, r)
    at = np.searchsorted(r, u)
    lower, upper = r[np.maximum(at - 1, 0)], r[np.minimum(at, len(r) - 1)]
    center = (lower + upper) / 2
    return np.clip(center + (u - center) / rho, lower, upper)


def prox(z: Any, r: Any, a: Any, rho: float) -> Any:
    """Of rows z with scales a."""
    a = np.broadcast_to(np.asarray(a, float), len(z))[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = a * draw(z / a, r, rho)
    return np.where(a > 0, drawn, z if rho == 1.0 else 0.0)


def value(x: Any, r: Any, a: Any, rho: float) -> float:
    """(1 - rho) / 2 sum (x - a l) (a r - x)."""
    a = np.asarray(a, float)[:, None]
    at = np.clip(np.searchsorted(r, x / a), 1, len(r) - 1)
    return float((1 - rho) / 2 * np.sum((x - a * r[at - 1]) * (a * r[at] - x)))
