"""The float64 oracle of Muon, from the papers; the orthogonal factor also by an SVD."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = Any
SETTINGS = {
    "lr": 0.13, "momentum": 0.71, "nesterov": True, "weight_decay": 0.29, "iterations": 5,
    "eps": 1e-7, "scale": "spectral", "parts": 1,
}  # fmt: skip


def newton_schulz(u: Array, iterations: int, eps: float) -> Array:
    """Jordan et al. (2024): the quintic, iterated on the singular values of the SVD."""
    left, s, right = np.linalg.svd(u, full_matrices=False)
    s = s / max(np.sqrt(np.sum(s**2)), eps)
    for _ in range(iterations):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return (left * s) @ right


def scale(name: str, rows: int, columns: int) -> float:
    """Jordan et al. (2024), and Liu et al. (2025), eq. 4."""
    return (
        np.sqrt(max(1, rows / columns)) if name == "spectral" else 0.2 * np.sqrt(max(rows, columns))
    )


def direction(u: Array, p: Mapping[str, Any]) -> Array:
    blocks = np.split(u, p["parts"])
    c = scale(p["scale"], *blocks[0].shape)
    return np.concatenate([c * newton_schulz(b, p["iterations"], p["eps"]) for b in blocks])


def point(x: Array, g: Array, v: Array, p: Mapping[str, Any]) -> tuple[Array, Array]:
    """z and the velocity after a step."""
    v = p["momentum"] * v + g
    u = g + p["momentum"] * v if p["nesterov"] else v
    return x - p["lr"] * (direction(u, p) + p["weight_decay"] * x), v
