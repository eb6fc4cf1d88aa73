"""Python objects for the lines of the oracle; arrays and comparisons that kernel tests share."""

from __future__ import annotations

import copy
from typing import Any

import ml_dtypes
import numpy as np
import proxstep as ps
import reference as ref
import reference_rules as rules
from hypothesis import strategies as st

DTYPES = ("float64", "float32", "bfloat16", "float16")
NARROW = ("bfloat16", "float16")
PENALTY_CASES = [(name, p) for name, entry in ref.PENALTIES.items() for p in entry.settings]
RULE_CASES = [(name, p) for name, entry in rules.RULES.items() for p in entry.settings]
EPS = {"float64": 2.0**-52, "float32": 2.0**-23, "bfloat16": 2.0**-7, "float16": 2.0**-10}


def numpy_dtype(dtype: str) -> np.dtype[Any]:
    return np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


def compute_dtype(dtype: str) -> np.dtype[Any]:
    """The type that arithmetic and moments have: float32 for the 16-bit types."""
    return np.dtype(np.float32 if dtype in NARROW else dtype)


def penalty(name: str, p: ref.Settings, weights: Any = None) -> Any:
    return getattr(ps, name)(**p, weights=weights)


def rule(name: str, p: rules.Settings) -> Any:
    return getattr(ps, name)(**p)


def held(name: str, p: ref.Settings, dtype: str) -> dict[str, float]:
    """Settings as a kernel for this dtype holds them: a 16-bit Box by the numbers inside it."""
    if name != "Box" or dtype not in NARROW:
        return {key: float(compute_dtype(dtype).type(value)) for key, value in p.items()}
    return {key: _inside(p[key], key == "lower", dtype) for key in p}


def _inside(bound: float, from_above: bool, dtype: str) -> float:
    with np.errstate(invalid="ignore"):
        every = np.arange(65536, dtype=np.uint16).view(numpy_dtype(dtype)).astype(float)
    return float(every[every >= bound].min() if from_above else every[every <= bound].max())


# Ties, signed zeros, what 16 bits cannot hold, and numbers that are none.
SPECIAL = st.sampled_from(
    [-2.5, -1.25, 0.0, -0.0, 0.5, 1.25, 2.5, 1e-7, 6e-8, np.inf, -np.inf, np.nan, -np.nan]
)


def normal(
    n: int | tuple[int, ...], dtype: str = "float64", seed: int = 0, scale: float = 1.7
) -> Any:
    """Random numbers that lie on both sides of every threshold of the example settings."""
    return np.random.default_rng(seed).normal(0.03, scale, n).astype(numpy_dtype(dtype))


def weights_for(n: int | tuple[int, ...], dtype: str = "float64", seed: int = 1) -> Any:
    """Per-element weights with zeros and infinities among them, in the compute type."""
    rng = np.random.default_rng(seed)
    w = rng.uniform(0.2, 2.3, n)
    w[rng.random(n) < 0.15] = 0.0
    w[rng.random(n) < 0.15] = np.inf
    return w.astype(compute_dtype(dtype))


def assert_same_bits(a: Any, b: Any, what: str = "") -> None:
    """Equal to the last bit; one NaN counts as another."""
    assert (a.dtype, a.shape) == (b.dtype, b.shape), what
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    with np.errstate(invalid="ignore"):
        both_nan = ((a != a) & (b != b)).ravel()
    bytes_a, bytes_b = (v.view(np.uint8).reshape(v.size, v.itemsize) for v in (a, b))
    where = np.flatnonzero(np.any(bytes_a != bytes_b, axis=1) & ~both_nan)
    some = where[:5]
    assert not where.size, f"{what}: {where.size} differ, {a.ravel()[some]} {b.ravel()[some]}"


def clone(state: Any) -> Any:
    return copy.deepcopy(state)


def away_from_jumps(name: str, p: ref.Settings, z: Any, s: Any, w: Any, eps: float) -> Any:
    """Where the oracle moves little when z does: a rounding there cannot cross a threshold."""
    below = ref.prox(name, p, z * (1 - 64 * eps), s, w)
    above = ref.prox(name, p, z * (1 + 64 * eps), s, w)
    return ~(np.abs(below - above) > 1e4 * eps * (1 + np.abs(z)))


def prox_step(
    name: str, p: rules.Settings, moments: Any, t: int, dtype: str, metric: str = "diagonal"
) -> Any:
    """The documented step s of a rule after its t-th call, in the compute type, bit for bit."""
    real = compute_dtype(dtype).type
    if name == "RDA":
        return float(p["lr"] * np.sqrt(t))
    if not rules.RULES[name].adaptive or metric == "euclidean":
        return rules.learning_rate(p, t)
    if name in ("Adam", "AdamW"):
        unbias = real(1 / (1 - p["betas"][1] ** t))
        return real(p["lr"]) / (np.sqrt(moments["exp_avg_sq"] * unbias) + real(p["eps"]))
    root = np.sqrt(moments["sum_sq"])
    lr = real(rules.learning_rate(p, t))
    return lr / (root + real(p["eps"]) if name == "Adagrad" else real(p["beta"]) + root)
