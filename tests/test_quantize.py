"""Quantising: what the prox of Quantize is, as laws and against the oracle of the paper."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
import reference_quantize as ref
from cases import DTYPES, EPS, NARROW, assert_same_bits, compute_dtype, normal, numpy_dtype
from hypothesis import given, settings
from hypothesis import strategies as st
from quantize_cases import LEVELS, NF4, scales_given

NAN, INF = float("nan"), float("inf")
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_over = pytest.mark.parametrize("over", [None, "rows", 8])
each_rho = pytest.mark.parametrize("rho", [0.0, 0.01, 0.5, 1.0])
each_levels = pytest.mark.parametrize("levels", LEVELS, ids=str)


def parts(z: Any, h: Any) -> tuple[Any, Any, Any]:
    """Rows of z in float64, levels, and the scales in the storage type where they are found."""
    rows = ref.groups_of(z.astype(float), h.over)
    r = np.array(h.levels) if h.bits is None else ref.integer_levels(h.bits)
    if isinstance(h.scale, str):
        a = ref.scales_of(rows, h.bits, h.scale)
        return rows, r / np.max(np.abs(r)), a.astype(compute_dtype(str(z.dtype))).astype(z.dtype)
    return rows, r, np.broadcast_to(h.scale, len(rows)).astype(compute_dtype(str(z.dtype)))


def assert_is_the_oracle(z: Any, h: Any) -> None:
    """Between what the oracle makes of z and a few roundings below and above it."""
    rows, r, a = parts(z, h)
    got = ref.groups_of(ps.prox(z, h, 0.83).astype(float), h.over)
    far = 8 * EPS[compute_dtype(str(z.dtype)).name] * np.abs(rows)
    low, high = (ref.prox(rows + side, r, a.astype(float), h.rho) for side in (-far, far))
    slack = EPS[str(z.dtype)] * np.abs(got) * (8 if z.dtype == float else 1)  # sums in an order
    assert np.all(low - slack <= got)
    assert np.all(got <= high + slack)


@each_dtype
@each_over
@each_rho
@each_levels
def test_equals_the_oracle(levels: Any, rho: float, over: Any, dtype: str) -> None:
    z = normal((7, 120), dtype, seed=300)
    kinds = ["absmax", scales_given(over, 105 if over == 8 else 7)]
    for scale in [*kinds, "mean"] if "bits" in levels else kinds:
        assert_is_the_oracle(z, ps.Quantize(**levels, over=over, scale=scale, rho=rho))


@pytest.mark.parametrize("count", range(71))
def test_counts(count: int) -> None:
    z = normal(count, "float32", seed=301)
    for rho in (0.0, 0.3):
        for h in (ps.Quantize(3, rho=rho), ps.Quantize(1, scale="mean", rho=rho)):
            if count:
                assert_is_the_oracle(z, h)
            assert ps.prox(z, h).shape == z.shape
        for block in (b for b in (1, 5, 7, 32) if count % b == 0):
            rows = ref.groups_of(z, block)
            alone = [ps.prox(row, ps.Quantize(levels=NF4, rho=rho)) for row in rows]
            got = ps.prox(z, ps.Quantize(levels=NF4, over=block, rho=rho))
            assert_same_bits(got, np.concatenate([z[:0], *alone]))


@pytest.mark.parametrize("n", [4095, 4096, 4097, 9000])
def test_one_scale_for_more_than_a_piece(n: int) -> None:
    z = normal(n, "bfloat16", seed=302)
    for scale in ("absmax", "mean", 0.11):
        assert_is_the_oracle(z, ps.Quantize(4, scale=scale))
        h = ps.Quantize(4, scale=scale, rho=0.4)
        assert_is_the_oracle(z, h)


@each_dtype
@pytest.mark.parametrize("over", ["rows", 50])
def test_scales_of_more_groups_than_are_taken_at_once(over: Any, dtype: str) -> None:
    z = normal((400, 250), dtype, seed=313)
    given = np.random.default_rng(314).uniform(0.1, 2.0, 400 if over == "rows" else 2000)
    for scale in ("absmax", "mean", given):
        h = ps.Quantize(4, over=over, scale=scale, rho=0.2)
        assert_is_the_oracle(z, h)
        hard = ps.Quantize(4, over=over, scale=scale)
        if not isinstance(scale, str) or scale == "absmax":
            assert hard.value(ps.prox(z, hard)) == 0.0


@each_dtype
@each_levels
def test_what_is_stored_is_the_nearest_level_times_the_scale(levels: Any, dtype: str) -> None:
    """To the last bit; no other level is nearer but for a rounding, and a second time is none."""
    z = normal((9, 64), dtype, seed=303)
    for scale in ("absmax", 0.31):
        h = ps.Quantize(**levels, over="rows" if scale == "absmax" else None, scale=scale)
        rows, r, a = parts(z, h)
        wide = a.astype(compute_dtype(dtype)).reshape(-1, 1)
        stored = (wide * r.astype(wide.dtype)).astype(z.dtype)
        x = ref.groups_of(ps.prox(z, h), h.over)
        assert all(np.isin(mine, can).all() for mine, can in zip(x, stored, strict=True))
        assert max(len(np.unique(row)) for row in x) <= len(r)
        exact = wide.astype(float) * r
        off = np.abs(rows[..., None] - exact[:, None, :]).min(axis=-1)
        slack = 8 * EPS[dtype] * np.abs(exact).max()
        assert np.all(np.abs(rows - x.astype(float)) <= off + slack)
        x = x.reshape(z.shape)
        if scale == 0.31 or -r[0] == r[-1]:
            assert_same_bits(ps.prox(x, h), x, "a second time")
        assert not np.signbit(x[x == 0]).any()


@each_levels
@pytest.mark.parametrize("rho", [0.03, 0.4, 0.9])
@pytest.mark.parametrize("step", [0.2, 1.7])
def test_no_point_has_a_smaller_objective(levels: Any, rho: float, step: float) -> None:
    """Of a fine grid between the outermost levels, with h divided by the step."""
    z = normal(40, seed=304)
    h = ps.Quantize(**levels, scale=0.31, rho=rho)
    _, r, a = parts(z, h)
    grid = np.linspace(r[0], r[-1], 40 * len(r)) * 0.31
    grid = np.sort(np.concatenate([grid, r * 0.31]))
    h_of = [ref.value(x.reshape(1, 1), r, a, rho) / step for x in grid]
    x = ps.prox(z, h, step)
    for zi, xi in zip(z, x, strict=True):
        mine = (xi - zi) ** 2 / (2 * step) + ref.value(xi.reshape(1, 1), r, a, rho) / step
        assert np.all(mine <= (grid - zi) ** 2 / (2 * step) + h_of + 1e-12)


@each_dtype
@each_rho
@each_levels
def test_it_is_monotone_and_commutes_with_permutations(levels: Any, rho: float, dtype: str) -> None:
    z = np.sort(normal((3, 200), dtype, seed=305), axis=1)
    h = ps.Quantize(**levels, over="rows", rho=rho)
    x = ps.prox(z, h)
    assert np.all(np.diff(x.astype(float), axis=1) >= 0)
    order = np.random.default_rng(306).permutation(200)
    assert_same_bits(ps.prox(np.ascontiguousarray(z[:, order]), h), x[:, order])


@each_dtype
@each_rho
@pytest.mark.parametrize("scale", ["absmax", "mean"])
def test_powers_of_two_go_through(scale: str, rho: float, dtype: str) -> None:
    """The scale follows z exactly; odd integer levels, and 16 bits without underflow."""
    z = np.abs(normal((4, 96), dtype, seed=307)) + numpy_dtype(dtype).type(0.5)
    z[:, ::3] *= -1
    for bits in (1, 2, 5):
        h = ps.Quantize(bits, over=24, scale=scale, rho=rho)
        for factor in (0.25, 8.0):
            moved = ps.prox(z * z.dtype.type(factor), h)
            assert_same_bits(moved, ps.prox(z, h) * z.dtype.type(factor))


@each_dtype
def test_the_prox_is_odd_but_for_ties_of_signs(dtype: str) -> None:
    z = normal((5, 64), dtype, seed=308)
    for bits in range(1, 9):
        for rho in (0.0, 0.2):
            h = ps.Quantize(bits, over="rows", rho=rho)
            assert np.all(ps.prox(-z, h) == -ps.prox(z, h))


@each_dtype
def test_ties(dtype: str) -> None:
    z = np.array([0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 3.5]).astype(numpy_dtype(dtype))
    h = ps.Quantize(3, scale=1.0)
    np.testing.assert_array_equal(ps.prox(z, h), [0, 0, 1, -1, 2, -2, 3])
    signs = ps.prox(np.zeros(2, z.dtype) * np.array([1, -1], z.dtype), ps.Quantize(1, scale=2.0))
    np.testing.assert_array_equal(signs, [2, 2])
    tiny = np.array([6e-8, -6e-8]).astype(z.dtype)
    for one_bit in ({"bits": 1}, {"levels": (-1, 1)}):
        np.testing.assert_array_equal(ps.prox(tiny, ps.Quantize(**one_bit, scale=2.0)), [2, -2])
    h = ps.Quantize(levels=(-1, 0, 2), scale=1.0)
    np.testing.assert_array_equal(ps.prox(z[[1, 4, 5]], h), [0, 2, -1])
    np.testing.assert_array_equal(ps.prox(np.ones(1, z.dtype), h), [0])


@each_dtype
@settings(deadline=None, max_examples=60)
@given(
    z=st.lists(
        st.sampled_from([-2.5, 0.0, -0.0, 1.25, 6e-8, INF, -INF, NAN]), min_size=12, max_size=12
    ),
    rho=st.sampled_from([0.0, 0.3, 1.0]),
    levels=st.sampled_from([{"bits": 1}, {"bits": 3}, {"levels": NF4}]),
)
def test_what_is_not_finite(dtype: str, z: list[float], rho: float, levels: Any) -> None:
    point = np.array(z).astype(numpy_dtype(dtype))
    own = ps.prox(point, ps.Quantize(**levels, over=4, rho=rho)).astype(float).reshape(-1, 4)
    fixed = ps.prox(point, ps.Quantize(**levels, scale=0.5, rho=rho)).astype(float)
    rows = point.astype(float).reshape(-1, 4)
    if rho == 1.0:
        np.testing.assert_array_equal(own, rows)
        return
    finite = np.isfinite(rows).all(axis=1)
    assert np.isnan(own[~finite]).all()
    assert np.isfinite(own[finite]).all()
    assert not own[np.all(rows == 0, axis=1)].any()
    np.testing.assert_array_equal(np.isnan(fixed), np.isnan(point.astype(float)))
    top = 0.5 * max(levels.get("levels", [2.0 ** (levels.get("bits", 2) - 1) - 1 or 1]))
    wanted = np.array(top).astype(numpy_dtype(dtype)).astype(float)
    np.testing.assert_array_equal(fixed[point.astype(float) == INF], wanted)


@pytest.mark.parametrize("size", [1e-42, 1e-38, 1e38])
def test_the_ends_of_the_range(size: float) -> None:
    z = (np.array([3.0, -1.0, 0.4, 0.0]) * size).astype(np.float32)
    np.testing.assert_array_equal(ps.prox(z, ps.Quantize(2)), [z[0], 0, 0, 0])
    np.testing.assert_array_equal(ps.prox(z, ps.Quantize(1)), [z[0], -z[0], z[0], z[0]])


@each_dtype
def test_no_slope_is_no_penalty(dtype: str) -> None:
    z = normal((4, 33), dtype, seed=309)
    for scale in ("absmax", "mean", 0.01):
        assert_same_bits(ps.prox(z, ps.Quantize(2, scale=scale, rho=1.0)), z)
    h = ps.Quantize(2, rho=1 - 1e-12)  # 1 in float32
    assert_same_bits(ps.prox(z, h), z) if dtype != "float64" else None


@each_dtype
@pytest.mark.parametrize("tiny", [1e-300, 1e-42, 1e-12])
def test_a_steep_slope_is_rounding(tiny: float, dtype: str) -> None:
    z = normal((4, 64), dtype, seed=310)
    for levels in ({"bits": 1}, {"bits": 4}, {"levels": NF4}):
        hard = ps.prox(z, ps.Quantize(**levels, over="rows"))
        assert_same_bits(ps.prox(z, ps.Quantize(**levels, over="rows", rho=tiny)), hard)


@pytest.mark.parametrize("dtype", NARROW)
def test_bits_and_their_meaning(dtype: str) -> None:
    z, h = normal((3, 96), dtype, seed=311), ps.Quantize(3, over="rows", rho=0.2)
    got = ps.prox(z.view(np.uint16), h, dtype=dtype)
    assert_same_bits(got.view(z.dtype), ps.prox(z, h))


def test_layouts_and_in_place() -> None:
    z, h = normal((12, 8), seed=312), ps.Quantize(3, rho=0.2)
    want = ps.prox(z, h)
    assert_same_bits(np.ascontiguousarray(ps.prox(np.asfortranarray(z), h)), want)
    assert ps.prox(z, h, out=z) is z
    assert_same_bits(z, want)
