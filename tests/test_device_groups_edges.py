"""Grouped arrays in CUDA memory: values, odd groups, layouts, many arrays, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
import reference_groups as oracle
from cases import (
    EPS,
    assert_same_bits,
    compute_dtype,
    normal,
    weights_for,
)
from device import DeviceArray, on_device
from device_groups import (
    SCALE,
    TEAMS,
    Pair,
    assert_close,
    each_dtype,
    each_metric,
    group_weights,
    odd_place,
)
from group_cases import GROUPINGS, NORM_CASES, group

pytestmark = pytest.mark.usefixtures("any_device")


@each_dtype
@pytest.mark.parametrize(("name", "p"), NORM_CASES)
def test_value(name: str, p: Any, dtype: str) -> None:
    """In double whatever the storage, and finite for what a ball's prox has stored."""
    for shape, over in (*GROUPINGS[::3], *TEAMS[2::3]):
        h = group(name, p, over, group_weights(shape, over, dtype))
        x = ps.prox(normal(shape, dtype, seed=89), h, 0.7)
        want = h.value(x)
        assert np.isfinite(want)
        assert h.value(on_device(x)) == pytest.approx(want, rel=1e-13)


@each_dtype
def test_value_of_elements_and_groups(dtype: str) -> None:
    for shape, over in (*GROUPINGS, *TEAMS):
        w = np.where(np.isinf(weights := weights_for(shape, dtype)), 0.7, weights)
        h = ps.SparseGroup(0.11, 0.23, over=over, weights=w)
        x = normal(shape, dtype, seed=90)
        assert h.value(odd_place(x)) == pytest.approx(
            h.value(x), rel=EPS[dtype] if dtype == "float64" else 1e-7
        )


@each_dtype
@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize(("name", "p"), NORM_CASES)
def test_odd_groups_keep_to_themselves(name: str, p: Any, diagonal: bool, dtype: str) -> None:
    """Rows and columns: free, pinned, zero, NaN, infinite, ordinary."""
    z = normal((6, 6), dtype, seed=91)
    z[2], z[3, 4], z[4, 1] = 0, np.nan, -np.inf
    s = (np.abs(normal((6, 6), seed=92)) + 0.1).astype(compute_dtype(dtype))
    w = np.array([0, np.inf, 1.3, 0.7, 0.8, 0.9], compute_dtype(dtype))
    for over in ("rows", "columns"):
        point, steps = (z, s) if over == "rows" else (z.T.copy(), s.T.copy())
        step = on_device(steps) if diagonal else 0.9
        got = ps.prox(on_device(point), group(name, p, over, w), step).host
        got = got if over == "rows" else got.T
        want = ps.prox(z, group(name, p, "rows", w), s if diagonal else 0.9)
        assert_same_bits(got[0], z[0])
        assert np.all(got[1:3].astype(float) == 0)
        assert np.all(np.isnan(got[3].astype(float)))
        assert_same_bits(np.isnan(got[4].astype(float)), np.isnan(want[4].astype(float)))
        assert_close(got[5].copy(), want[5].copy(), over)


@pytest.mark.parametrize("size", [2.0**-1000, 2.0**-520, 2.0**520, 2.0**1000])
@pytest.mark.parametrize("shape", [(5, 9), (2, 300), (2, 3000)])
@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("over", ["rows", "columns"])
def test_magnitudes_whose_squares_leave_the_range(
    size: float, shape: Any, diagonal: bool, over: str
) -> None:
    z, s = normal(shape, seed=93), 10 ** normal(shape, seed=94, scale=0.3)
    z, s = (z, s) if over == "rows" else (z.T.copy(), s.T.copy())
    lam = 0.2 * np.sqrt(shape[1])
    step = on_device(s) if diagonal else 0.7
    plain = ps.prox(on_device(z), ps.Group(ps.L1(lam), over), step).host
    scaled = ps.prox(on_device(size * z), ps.Group(ps.L1(lam * size), over), step).host
    np.testing.assert_allclose(scaled, size * plain, rtol=1e-13)


@pytest.mark.parametrize("size", [2.0**-1000, 2.0**-520, 2.0**520, 2.0**1000])
@pytest.mark.parametrize("shape", [(5, 9), (2, 300), (2, 3000)])
@pytest.mark.parametrize("over", ["rows", "columns"])
def test_values_whose_squares_leave_the_range(size: float, shape: Any, over: str) -> None:
    x = normal(shape, seed=99)
    x[0] = 0
    x = x if over == "rows" else x.T.copy()
    for phi, want in ((ps.L1(0.7), size), (ps.L0(0.7), 1.0)):
        h = ps.Group(phi, over)
        plain, far = h.value(x), on_device(size * x)
        assert h.value(far) / want == pytest.approx(plain, rel=1e-13)
        info = ps.step(far, on_device(np.zeros(x.shape)), ps.SGD(0.0), h, stats=True)
        assert info.penalty / want == pytest.approx(plain, rel=1e-13)


@each_dtype
@each_metric
@pytest.mark.parametrize("over", ["rows", "columns"])
def test_a_matrix_in_fortran_order(over: str, metric: Any, dtype: str) -> None:
    x = np.asfortranarray(normal((37, 23), dtype, seed=95))
    g = np.asfortranarray(normal((37, 23), dtype, seed=96))
    h = ps.Group(ps.L1(2.9), over=over, group_weights=group_weights((37, 23), over, dtype))
    there, state = DeviceArray(x.copy(order="F")), ps.AdamW(0.13).init(x)
    moments = {key: DeviceArray(m.copy(order="F")) for key, m in state.moments.items()}
    call = {"grad_scale": SCALE, "metric": metric}
    ps.step(x, g, ps.AdamW(0.13), h, state, **call)
    moved = ps.State(0, moments)
    ps.step(there, DeviceArray(g.copy(order="F")), ps.AdamW(0.13), h, moved, **call)
    assert_close(there.host, x, over)
    for key, want in state.moments.items():
        assert_same_bits(moments[key].host, want, key)


@each_dtype
def test_grouped_and_plain_arrays_together(launching: Any, dtype: str) -> None:
    """One launch for the plain arrays of a rule, one for all arrays with groups."""
    settings = [
        (ps.L1(0.1), ps.AdamW(0.05)),
        (ps.Group(ps.L1(0.7), over="rows"), ps.AdamW(0.05)),
        (None, ps.AdamW(0.05)),
        (ps.Group(ps.MCP(0.9, 3.0), over="columns"), ps.Momentum(0.07, 0.9)),
        (ps.SparseGroup(0.1, 0.4, over=5), ps.FISTA(0.06)),
    ]
    shapes = [(4, 5), (2, 10), (5, 3), (10, 4), (1, 15)]
    groups = [
        {"params": [normal(shape, dtype, seed=k) for shape in shapes], "penalty": h, "rule": r}
        for k, (h, r) in enumerate(settings)
    ]
    groups[4]["params"] = groups[4]["params"][:3] + groups[4]["params"][4:]
    pair = Pair(groups)
    with launching(2):
        pair.step()
    pair.check()


def test_more_arrays_and_settings_than_a_table_holds(launching: Any) -> None:
    arrays = [normal((2 + k % 3, 3), "float32", seed=k) for k in range(205)]
    h = ps.Group(ps.L1(0.4), over="rows")
    pair = Pair([{"params": arrays, "penalty": h, "rule": ps.SGD(0.2)}])
    with launching(2):
        pair.step()
    pair.check()
    arrays = [normal((2, 3 + k), "float32", seed=k) for k in range(35)]
    penalties = [ps.Group(ps.L1(0.01 * k), over="rows") for k in range(35)]
    groups = [{"params": [a], "penalty": h} for a, h in zip(arrays, penalties, strict=True)]
    pair = Pair(groups)
    with launching(3):
        pair.step()
    pair.check()


@each_dtype
@each_metric
@pytest.mark.parametrize("max_norm", [0.5, 1e9])
def test_clipping(max_norm: float, metric: Any, dtype: str) -> None:
    """The scale of the gradients stays on the device."""
    groups = [
        {"params": [normal((9, 31), dtype, seed=97)], "penalty": ps.Group(ps.L1(0.9), "rows")},
        {"params": [normal((9, 31), dtype, seed=98)], "penalty": ps.L1(0.2)},
    ]
    pair = Pair([{**g, "metric": metric, "rule": ps.AdamW(0.13)} for g in groups])
    got, want = pair.step(max_norm=max_norm, stats=True)
    np.testing.assert_allclose(got.grad_norm, want.grad_norm, 1e-13)
    for a, b in zip(pair.there, pair.here, strict=True):
        tolerance = 4 * EPS[dtype]
        difference = np.abs(a.host.astype(float) - b.astype(float))
        assert np.all(difference <= tolerance * (1 + np.abs(b.astype(float))))


def test_offsets_are_copied_once_and_given_back(emulation: Any) -> None:
    before = emulation.blocks_of_memory()
    x = on_device(normal(60))
    h = ps.Group(ps.L1(0.3), over=(10, 50), group_weights=[0.7, 1.9])
    for _ in range(3):
        ps.step(x, on_device(normal(60)), ps.SGD(0.1), h, stats=True)
        h.value(x)
    assert emulation.blocks_of_memory() == before + 2  # offsets and weights
    del h
    assert emulation.blocks_of_memory() == before


@pytest.mark.parametrize(
    ("over", "weights", "message"),
    [
        (7, None, "blocks of 7 do not divide x of 60"),
        ((10, 49), None, "segments of 59 elements do not cover x of 60"),
        (10, [1.0, 2.0], "2 group weights for 6 groups"),
    ],
)
def test_groups_that_do_not_fit_are_refused(over: Any, weights: Any, message: str) -> None:
    x = on_device(normal(60))
    clean = x.host.copy()
    h = ps.Group(ps.L1(0.3), over=over, group_weights=weights)
    with pytest.raises(ValueError, match=message):
        ps.step(x, on_device(normal(60)), ps.SGD(0.1), h)
    assert_same_bits(x.host, clean)


def test_the_oracle_knows_every_grouping() -> None:
    """Each element belongs to one group."""
    for shape, over in (*GROUPINGS, *TEAMS):
        index = np.concatenate(oracle.groups(shape, over))
        assert np.array_equal(np.sort(index), np.arange(np.prod(shape)))
