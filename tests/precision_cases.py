"""Optimizers of mixed precision, and what their steps must give: a float32 step, rounded."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import proxstep as ps
import reference_rounding as rounding
from cases import (
    NARROW,
    PENALTY_CASES,
    held,
    normal,
    penalty,
    weights_for,
)

SEED = 20_260_711
SHAPE = (24, 56)  # two tiles and a part of a third
GROUPINGS = ("rows", "columns", 8, (40, 42, 44, 46, 48, 50, 1074))
GROUPED = ("rows", "columns", "blocks", "segments")
NAMES = ("None", *dict(PENALTY_CASES), "weighted", *GROUPED, "2:4", "top k")
METRICS = ("diagonal", "euclidean")
FLOATS = ("float32", *NARROW)


def penalties(dtype: str) -> dict[str, Any]:
    """By name, with the settings that a kernel for dtype holds."""
    table: dict[str, Any] = {"None": None, "2:4": ps.NM(2, 4), "top k": ps.TopK(0.3)}
    table |= {name: penalty(name, held(name, p, dtype)) for name, p in PENALTY_CASES}
    table["weighted"] = ps.MCP(0.47, 2.7, weights=weights_for(SHAPE, "float32"))
    for name, over in zip(GROUPED, GROUPINGS, strict=True):
        table[name] = ps.SparseGroup(0.21, 1.3, over=over)
    return table


def typed(array: Any) -> Any:
    """The numbers that moments stand for; uint16 are the bits of bfloat16."""
    return array.view(ml_dtypes.bfloat16) if array.dtype == np.uint16 else array


def widened(kept: dict[str, Any]) -> dict[str, Any]:
    return {name: typed(array).astype(np.float32) for name, array in kept.items()}


def words(x: Any, step: int, array: int, purpose: str) -> Any:
    index = np.arange(x.size, dtype=np.uint32).reshape(x.shape)
    return rounding.random_bits(index, SEED, step, array, purpose)


def expected_moments(r: ps.Rule, wide: dict[str, Any], step: int, array: int) -> dict[str, Any]:
    """Those of a float32 step, rounded; what starts as a copy of x stays float32."""
    kept = {}
    for slot, (name, m) in enumerate(wide.items()):
        bits = words(m, step, array, "moments")
        kept[name] = m if name in r.starts_at_x else rounding.rounded_moment(m, bits, slot)
    return kept


def arrays(dtype: str, seed: int) -> list[Any]:
    """Two, so that the second has bits of its own."""
    return [normal((3,), dtype, seed=seed), normal(SHAPE, dtype, seed=seed + 1)]


def optimizer(params: list[Any], r: ps.Rule, h: Any, **options: Any) -> ps.Optimizer:
    """The penalty is for the second array."""
    groups = [{"params": params[:1], "penalty": None}, {"params": params[1:]}]
    return ps.Optimizer(groups, r, h, seed=SEED, **options)


def own(opt: ps.Optimizer) -> dict[str, Any]:
    """Copies of what it keeps of the second array."""
    state = opt.state_dict()
    return {k.removeprefix("1."): a.copy() for k, a in state.items() if k.startswith("1.")}
