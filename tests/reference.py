"""The float64 oracle of every penalty: its value and its prox, element by element.

Written from the papers and never from the C++; one line in `PENALTIES` per penalty of the core.
test_reference checks the closed forms against a brute-force minimiser that knows only the value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Settings = Mapping[str, float]


@dataclass(frozen=True)
class Penalty:
    """What the tests know about one penalty.

    ``value(x, p)`` and ``prox(z, s, p)`` work element by element with settings ``p``; `settings`
    lists the settings that tests run with (never neutral); `degree` is k where h(c x) = c^k h(x).
    """

    value: Callable[[Array, Settings], Array]
    prox: Callable[[Array, Array, Settings], Array]
    settings: tuple[dict[str, float], ...] = field(default_factory=tuple)
    convex: bool = True
    even: bool = True
    degree: float | None = None


def _soft(z: Array, t: ArrayLike) -> Array:
    return np.sign(z) * np.maximum(np.abs(z) - t, 0.0)


def _best(z: Array, s: Array, value: Callable[[Array], Array], *candidates: Array) -> Array:
    """The candidate magnitude of least objective, the smaller one on ties, with the sign of z."""
    magnitude = np.abs(z)
    ordered = np.sort(np.stack(candidates), axis=0)
    objective = value(ordered) + (ordered - magnitude) ** 2 / (2 * s)
    pick = np.argmin(objective, axis=0)
    return np.copysign(np.take_along_axis(ordered, pick[None], axis=0)[0], z)


def _mcp_value(x: Array, p: Settings) -> Array:
    """Zhang (2010), Annals of Statistics 38, eq. 2.1: the slope reaches 0 at gamma lam."""
    a = np.minimum(np.abs(x), p["gamma"] * p["lam"])
    return p["lam"] * a - a * a / (2 * p["gamma"])


def _mcp_prox(z: Array, s: Array, p: Settings) -> Array:
    """Least of the stationary points: 0, the point on the parabola, and z beyond it."""
    lam, gamma, a = p["lam"], p["gamma"], np.abs(z)
    slope = 1 - s / gamma
    inner = np.clip(np.where(slope > 0, (a - s * lam) / slope, 0.0), 0.0, gamma * lam)
    return _best(z, s, lambda x: _mcp_value(x, p), np.zeros_like(a), inner, a)


def _scad_value(x: Array, p: Settings) -> Array:
    """Fan and Li (2001), JASA 96, eq. 2.7, integrated."""
    lam, a, m = p["lam"], p["a"], np.minimum(np.abs(x), p["a"] * p["lam"])
    middle = (2 * a * lam * m - m * m - lam * lam) / (2 * (a - 1))
    return np.where(m <= lam, lam * m, middle)


def _scad_prox(z: Array, s: Array, p: Settings) -> Array:
    """Least of the stationary points of the three pieces."""
    lam, a, m = p["lam"], p["a"], np.abs(z)
    room = a - 1 - s
    middle = np.where(room > 0, ((a - 1) * m - s * a * lam) / room, lam)
    first = np.clip(m - s * lam, 0.0, lam)
    middle = np.clip(middle, lam, a * lam)
    return _best(z, s, lambda x: _scad_value(x, p), np.zeros_like(m), first, middle, m)


def _power_prox(z: Array, s: Array, lam: float, power: float) -> Array:
    """prox of lam |x|^power, power < 1: the larger root of x - |z| + s lam power x^(power-1)."""
    a, weight = np.abs(z), np.asarray(s * lam * power)
    # The left side is convex in x with its minimum here, so the larger root lies in [low, |z|].
    low = np.minimum((weight * (1 - power)) ** (1 / (2 - power)), a)
    high = a + 0.0 * low
    for _ in range(200):
        middle = low + 0.5 * (high - low)
        above = middle - a + weight * middle ** (power - 1) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return _best(z, s, lambda x: lam * np.abs(x) ** power, np.zeros_like(a), high)


def _box_value(x: Array, p: Settings) -> Array:
    return np.where((x < p["lower"]) | (x > p["upper"]), np.inf, 0.0)


PENALTIES: dict[str, Penalty] = {
    "L1": Penalty(
        lambda x, p: p["lam"] * np.abs(x),
        lambda z, s, p: _soft(z, s * p["lam"]),
        ({"lam": 0.37}, {"lam": 1.3}),
        degree=1,
    ),
    "SquaredL2": Penalty(
        lambda x, p: p["lam"] / 2 * x * x,
        lambda z, s, p: z / (1 + s * p["lam"]),
        ({"lam": 0.83},),
        degree=2,
    ),
    "ElasticNet": Penalty(
        lambda x, p: p["l1"] * np.abs(x) + p["l2"] / 2 * x * x,
        lambda z, s, p: _soft(z, s * p["l1"]) / (1 + s * p["l2"]),
        ({"l1": 0.41, "l2": 0.77},),
    ),
    "NonNegativeL1": Penalty(
        lambda x, p: np.where(x < 0, np.inf, p["lam"] * x),
        lambda z, s, p: np.maximum(z - s * p["lam"], 0.0),
        ({"lam": 0.29},),
        even=False,
        degree=1,
    ),
    "Box": Penalty(
        _box_value,
        lambda z, s, p: np.clip(z, p["lower"], p["upper"]),
        ({"lower": -0.43, "upper": 0.81}, {"lower": 0.17, "upper": 1.9}),
        even=False,
    ),
    "L0": Penalty(
        lambda x, p: np.where(x == 0, 0.0, p["lam"]),
        lambda z, s, p: np.where(np.abs(z) > np.sqrt(2 * s * p["lam"]), z, 0.0),
        ({"lam": 0.31},),
        convex=False,
        degree=0,
    ),
    "MCP": Penalty(
        _mcp_value,
        _mcp_prox,
        ({"lam": 0.47, "gamma": 2.7}, {"lam": 0.61, "gamma": 0.53}),
        convex=False,
    ),
    "SCAD": Penalty(
        _scad_value,
        _scad_prox,
        ({"lam": 0.47, "a": 3.3}, {"lam": 0.61, "a": 2.2}),
        convex=False,
    ),
    "L1_2": Penalty(
        lambda x, p: p["lam"] * np.sqrt(np.abs(x)),
        lambda z, s, p: _power_prox(z, s, p["lam"], 1 / 2),
        ({"lam": 0.39},),
        convex=False,
        degree=1 / 2,
    ),
    "L2_3": Penalty(
        lambda x, p: p["lam"] * np.abs(x) ** (2 / 3),
        lambda z, s, p: _power_prox(z, s, p["lam"], 2 / 3),
        ({"lam": 0.39},),
        convex=False,
        degree=2 / 3,
    ),
}


def _broadcast(z: ArrayLike, *others: ArrayLike) -> list[Array]:
    return [np.asarray(a, np.float64) for a in np.broadcast_arrays(z, *others)]


def prox(name: str, p: Settings, z: ArrayLike, s: ArrayLike = 1.0, w: ArrayLike = 1.0) -> Array:
    """argmin_x s w h(x) + (x - z)^2 / 2: weight 0 leaves z, weight inf pins to 0, NaN stays NaN."""
    point, step, weight = _broadcast(z, s, w)
    free, pinned = weight * step == 0, np.isposinf(weight)
    usable = np.where(free | pinned, 1.0, weight) * np.where(step == 0, 1.0, step)
    finite = np.where(np.isnan(point), 0.0, point)
    with np.errstate(all="ignore"):
        result = PENALTIES[name].prox(finite, usable, p)
    result = np.where(free, point, np.where(pinned, 0.0, result))
    return np.where(np.isnan(point), np.nan, result)


def value(name: str, p: Settings, x: ArrayLike, w: ArrayLike = 1.0) -> float:
    """sum_i w_i h(x_i), with 0 * inf = 0: an unpenalised infinity, a pinned zero."""
    point, weight = _broadcast(x, w)
    with np.errstate(all="ignore"):
        each = PENALTIES[name].value(point, p)
        products = np.where(
            (weight == 0) | (np.isposinf(weight) & (point == 0)), 0.0, weight * each
        )
    return float(np.sum(np.where(np.isnan(point), np.nan, products)))


def objective(name: str, p: Settings, x: ArrayLike, z: ArrayLike, s: ArrayLike) -> Any:
    """h(x) + (x - z)^2 / (2 s), element by element: what a prox minimises."""
    point, target, step = _broadcast(x, z, s)
    return PENALTIES[name].value(point, p) + (point - target) ** 2 / (2 * step)
