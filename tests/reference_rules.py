"""The float64 oracle of every update rule: (x, g, moments) -> the point z and the step s.

One line in `RULES` per rule; written from the papers and from the formulas in the documentation.
`step` composes a rule with a prox; nothing here looks at the C++.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Moments = dict[str, Array]
Settings = Mapping[str, Any]
Point = tuple[Array, Any]


@dataclass(frozen=True)
class Rule:
    """`point(x, g, m, t, p)` updates the moments `m` in place and returns (z, s)."""

    point: Callable[[Array, Array, Moments, int, Settings], Point]
    settings: tuple[dict[str, Any], ...]
    moments: tuple[str, ...] = ()
    adaptive: bool = False


def learning_rate(p: Settings, t: int) -> float:
    """Of step t; only torch.optim.Adagrad's decays."""
    return p["lr"] / (1 + (t - 1) * p.get("lr_decay", 0.0))


def _sgd(x: Array, g: Array, m: Moments, t: int, p: Settings) -> Point:
    return x - p["lr"] * (g + p["weight_decay"] * x), p["lr"]


def _momentum(x: Array, g: Array, m: Moments, t: int, p: Settings) -> Point:
    """Polyak (1964): heavy ball, in the form that torch.optim.SGD uses."""
    v = m["velocity"]
    decayed = g + p["weight_decay"] * x
    v[...] = p["momentum"] * v + (1 - p["dampening"] * (t > 1)) * decayed
    return x - p["lr"] * v, p["lr"]


def _nesterov(x: Array, g: Array, m: Moments, t: int, p: Settings) -> Point:
    """Sutskever et al. (2013), in the form that torch.optim.SGD uses."""
    v = m["velocity"]
    decayed = g + p["weight_decay"] * x
    v[...] = p["momentum"] * v + decayed
    return x - p["lr"] * (decayed + p["momentum"] * v), p["lr"]


def _fista(x: Array, g: Array, m: Moments, t: int, p: Settings) -> Point:
    """Beck and Teboulle (2009): the gradient was taken at the extrapolated point y."""
    return m["y"] - p["lr"] * g, p["lr"]


def _adagrad(x: Array, g: Array, m: Moments, t: int, p: Settings) -> Point:
    """Duchi, Hazan, Singer (2011), composite mirror descent with a diagonal matrix."""
    decayed = g + p["weight_decay"] * x
    m["sum_sq"] += decayed**2
    s = learning_rate(p, t) / (np.sqrt(m["sum_sq"]) + p["eps"])
    return x - s * decayed, s


def _adam(x: Array, g: Array, m: Moments, t: int, p: Settings) -> Point:
    """Kingma and Ba (2015), Algorithm 1; Loshchilov and Hutter (2019): the decay is decoupled."""
    b1, b2 = p["betas"]
    m["exp_avg"][...] = b1 * m["exp_avg"] + (1 - b1) * g
    m["exp_avg_sq"][...] = b2 * m["exp_avg_sq"] + (1 - b2) * g * g
    s = p["lr"] / (np.sqrt(m["exp_avg_sq"] / (1 - b2**t)) + p["eps"])
    return x - s * m["exp_avg"] / (1 - b1**t) - p["lr"] * p["weight_decay"] * x, s


def _rda(x: Array, g: Array, m: Moments, t: int, p: Settings) -> Point:
    """Xiao (2010), eq. 8 with beta_t = sqrt(t) / lr, centred at the first parameters."""
    m["sum"] += g
    return m["origin"] - p["lr"] * m["sum"] / np.sqrt(t), p["lr"] * np.sqrt(t)


def _ftrl(x: Array, g: Array, m: Moments, t: int, p: Settings) -> Point:
    """McMahan et al. (2013), Algorithm 1 (there alpha is lr and z is the accumulator)."""
    n = m["sum_sq"] + g * g
    sigma = (np.sqrt(n) - np.sqrt(m["sum_sq"])) / p["lr"]
    m["accumulator"] += g - sigma * x
    m["sum_sq"][...] = n
    s = p["lr"] / (p["beta"] + np.sqrt(n))
    return -s * m["accumulator"], s


def _lion(x: Array, g: Array, m: Moments, t: int, p: Settings) -> Point:
    """Chen et al. (2023), Algorithm 2."""
    b1, b2 = p["betas"]
    update = np.sign(b1 * m["exp_avg"] + (1 - b1) * g)
    m["exp_avg"][...] = b2 * m["exp_avg"] + (1 - b2) * g
    return x - p["lr"] * (update + p["weight_decay"] * x), p["lr"]


_BETAS = (0.83, 0.957)

RULES: dict[str, Rule] = {
    "SGD": Rule(_sgd, ({"lr": 0.17, "weight_decay": 0.29},)),
    "Momentum": Rule(
        _momentum,
        ({"lr": 0.13, "momentum": 0.71, "weight_decay": 0.29, "dampening": 0.37},),
        ("velocity",),
    ),
    "Nesterov": Rule(
        _nesterov, ({"lr": 0.13, "momentum": 0.71, "weight_decay": 0.29},), ("velocity",)
    ),
    "FISTA": Rule(_fista, ({"lr": 0.19}, {"lr": 0.19, "momentum": 0.63}), ("y",)),
    "Adagrad": Rule(
        _adagrad,
        ({"lr": 0.21, "eps": 0.013, "weight_decay": 0.29, "lr_decay": 0.017},),
        ("sum_sq",),
        True,
    ),
    "Adam": Rule(
        _adam,
        ({"lr": 0.11, "betas": _BETAS, "eps": 0.017, "weight_decay": 0.23},),
        ("exp_avg", "exp_avg_sq"),
        True,
    ),
    "AdamW": Rule(
        _adam,
        ({"lr": 0.11, "betas": _BETAS, "eps": 0.017, "weight_decay": 0.31},),
        ("exp_avg", "exp_avg_sq"),
        True,
    ),
    "RDA": Rule(_rda, ({"lr": 0.09},), ("sum", "origin")),
    "FTRL": Rule(_ftrl, ({"lr": 0.27, "beta": 1.7},), ("accumulator", "sum_sq"), True),
    "Lion": Rule(_lion, ({"lr": 0.07, "betas": _BETAS, "weight_decay": 0.37},), ("exp_avg",)),
}


def init(name: str, x: Array) -> Moments:
    """Moments before the first step: zeros, but FISTA's y and RDA's origin are x itself."""
    starts = {"y": x.copy(), "origin": x.copy()}
    return {key: starts.get(key, np.zeros_like(x)) for key in RULES[name].moments}


def step(
    name: str,
    p: Settings,
    x: Array,
    g: Array,
    m: Moments,
    t: int,
    prox: Callable[[Array, Any], Array] = lambda z, s: z,
    metric: str = "diagonal",
) -> Array:
    """x after step t = 1, 2, ...: the rule's point, then the prox with the metric's step."""
    z, s = RULES[name].point(x, g, m, t, p)
    new = prox(z, s if metric == "diagonal" or not RULES[name].adaptive else learning_rate(p, t))
    if name == "FISTA":
        momentum = p.get("momentum")
        beta = (t - 1) / (t + 2) if momentum is None else momentum
        m["y"][...] = new + beta * (new - x)
    return new
