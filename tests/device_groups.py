"""What the tests of grouped arrays on a device share.

Moments have the bits of the CPU. Sums over a group are taken in another order, so that its factor
may differ in the last bits: elements agree within a few units of rounding of the group's largest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
from cases import (
    DTYPES,
    EPS,
    assert_same_bits,
    compute_dtype,
    normal,
)
from device import DeviceArray, check_sentinels, on_device, placed
from group_cases import count

SCALE = 0.83  # of the gradient
UNITS = 8  # of rounding
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_metric = pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
# Teams of every kind: a lane, some lanes, a warp, a block; packs that no group's length divides.
TEAMS: list[tuple[tuple[int, ...], Any]] = [
    ((301,), 1),
    ((7, 43), 7),
    ((37, 97), "rows"),
    ((9, 513), "rows"),
    ((3, 1031), "rows"),
    ((6000,), (0, 1, 2, 4000, 0, 3, 1994, 0)),
    ((5, 37), "columns"),
    ((41, 19), "columns"),
    ((2100, 3), "columns"),
]


def odd_place(a: Any) -> DeviceArray:
    """A copy an element after a boundary: no pack is aligned."""
    return DeviceArray(placed(a, odd=True))


def group_weights(shape: tuple[int, ...], over: Any, dtype: str) -> Any:
    """Weights of groups, zero and infinite ones among them."""
    w = np.random.default_rng(81).uniform(0.3, 1.9, count(shape, over))
    w[1:3] = (0.0, np.inf)[: w[1:3].size]
    return w.astype(compute_dtype(dtype))


def assert_close(got: Any, want: Any, what: str, units: int = UNITS) -> None:
    """Within a few units of rounding of the largest element."""
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    unit = EPS[str(want.dtype)]
    a, b = got.astype(np.longdouble), want.astype(np.longdouble)
    assert np.array_equal(np.isnan(a), np.isnan(b)), what
    size = np.nanmax(np.abs(b), initial=0.0)
    with np.errstate(invalid="ignore"):
        worst = np.nanmax(np.abs(a - b), initial=0.0)
    assert worst <= units * unit * size, f"{what}: {worst / unit / size} units"
    assert np.array_equal(a == 0, b == 0), what


class Pair:
    """The same optimizer on the CPU and on the device, after a first step that leaves moments."""

    def __init__(self, groups: list[dict[str, Any]], move: Any = on_device, **options: Any) -> None:
        self.here = [p for g in groups for p in g["params"]]
        self.there = [move(p) for p in self.here]
        moved = iter(self.there)
        there = [{**g, "params": [next(moved) for _ in g["params"]]} for g in groups]
        self.cpu = ps.Optimizer(groups, ps.SGD(0.1), **options)
        self.gpu = ps.Optimizer(there, ps.SGD(0.1), **options)
        self.step(seed=82)
        for mine, its in zip(self.there, self.here, strict=True):
            mine[...] = its
        for key, moment in self.cpu.state_dict().items():
            if key != "steps":
                own = self.gpu.state_dict()[key]
                own[...] = moment.view(own.dtype)  # bfloat16 may be its bits

    def step(self, seed: int = 83, **call: Any) -> tuple[Any, Any]:
        """What both tell of a step."""
        grads = [normal(p.shape, str(p.dtype), seed=seed + k) for k, p in enumerate(self.here)]
        want = self.cpu.step(grads, grad_scale=SCALE, **call)
        return self.gpu.step([on_device(g) for g in grads], grad_scale=SCALE, **call), want

    def check_bits(self) -> None:
        for k, (got, want) in enumerate(zip(self.there, self.here, strict=True)):
            assert_same_bits(got.host, want, f"array {k} of shape {want.shape}")
            check_sentinels(got.host)
        for key, want in self.cpu.state_dict().items():
            if key != "steps":
                assert_same_bits(self.kept(key, want), want, key)
                check_sentinels(self.gpu.state_dict()[key].host)

    def kept(self, key: str, like: Any) -> Any:
        """What the device keeps, with the dtype that it has on the CPU."""
        return self.gpu.state_dict()[key].host.view(like.dtype)

    def check(self) -> None:
        for k, (got, want) in enumerate(zip(self.there, self.here, strict=True)):
            assert_close(got.host, want, f"array {k} of shape {want.shape}")
            check_sentinels(got.host)
        for key, want in self.cpu.state_dict().items():
            if key.endswith((".y", ".master")):  # holds the new x
                assert_close(self.kept(key, want), want, key)
            elif key != "steps":
                assert_same_bits(self.kept(key, want), want, key)


def assert_same_statistics(got: Any, want: Any, dtype: str) -> None:
    """Sums of what is stored, which itself may differ in the last bits."""
    assert (got.nonzeros, got.finite) == (want.nonzeros, want.finite)
    np.testing.assert_allclose(
        [got.penalty, got.squared_change],
        [want.penalty, want.squared_change],
        max(4 * EPS[dtype], 1e-13),
    )
