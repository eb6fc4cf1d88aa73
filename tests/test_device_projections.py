"""Projections of arrays in CUDA memory: selections have the CPU's bits, the balls its support.

A sum in another order moves tau by roundings of the largest element and the radius, in double: that
is what an element may differ by, and by one rounding to its own type.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
from cases import DTYPES, EPS, NARROW, assert_same_bits, normal, numpy_dtype
from device import DeviceArray, check_sentinels, on_device, placed

pytestmark = pytest.mark.usefixtures("any_device")
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_ball = pytest.mark.parametrize("make", [ps.L1Ball, ps.Simplex])

NAN, INF = float("nan"), float("inf")
WARP, BLOCK, CHUNK = 512, 32768, 16384  # the longest rows of a warp and a block; a block's share
SHORT = [1, 2, 31, 33, WARP - 1, WARP, WARP + 1, 1025, 4099]
LONG = [BLOCK, BLOCK + 1, 3 * CHUNK + 5]
SHAPES = [(3, 1), (19, 5), (9, 33), (5, WARP), (3, WARP + 3), (2, BLOCK + 7)]
# Every kind of team, and every type: long rows take their time in the emulation.
EACH = [(dtype, n) for dtype in DTYPES for n in (33, 700)] + [("float32", BLOCK + 1)]
each_team = pytest.mark.parametrize(("dtype", "n"), EACH)


def on_both(z: Any, h: Any, odd: bool = False) -> tuple[Any, Any]:
    """The device's result and the CPU's; nothing else is written."""
    there, out = DeviceArray(placed(z, odd)), DeviceArray(placed(np.full_like(z, 3.0), odd))
    assert ps.prox(there, h, out=out) is out
    assert_same_bits(there.host, z, "the input stays")
    check_sentinels(out.host)
    return out.host, ps.prox(z, h)


def sizes(dtype: str) -> list[int]:
    return SHORT + (LONG if dtype == "float32" else LONG[2:])


def assert_near(got: Any, want: Any, h: Any, z: Any) -> None:
    """As the file's first lines say."""
    np.testing.assert_array_equal(got != 0, want != 0, f"support of {h}, {z.shape}")
    tau = 64 * EPS["float64"] * (np.abs(z.astype(float)).max(initial=0.0) + h.radius)
    got, want, one = got.astype(float), want.astype(float), EPS[str(z.dtype)]
    assert np.all(np.abs(got - want) <= tau + one * np.abs(want)), f"{h}, {z.shape}"


@each_dtype
@each_ball
def test_the_balls_equal_the_cpu(make: Any, dtype: str) -> None:
    for n in sizes(dtype):
        z = normal(n, dtype, seed=n)
        for radius in (0.37, 0.21 * n):
            h = make(radius)
            assert_near(*on_both(z, h, odd=n % 2 == 1), h, z)


@each_dtype
def test_a_selection_has_the_bits_of_the_cpu(dtype: str) -> None:
    for n in sizes(dtype):
        z = np.round(normal(n, dtype, seed=n).astype(float), 2).astype(numpy_dtype(dtype))
        for k in {1, n // 3, n - 1} if n < BLOCK else {n // 3}:
            got, want = on_both(z, ps.TopK(k), odd=n % 2 == 1)
            assert_same_bits(got, want, f"{k} of {n}")


@each_dtype
@pytest.mark.parametrize("n", [40, 3000, 3 * CHUNK])
def test_how_many_a_selection_keeps(dtype: str, n: int) -> None:
    z = normal(n, dtype, seed=4)
    z[n // 2 :: 7] = -0.0
    for k in (0, n, n + 5, 10**30):
        assert_same_bits(*on_both(z, ps.TopK(k)), f"{k} of {n}")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("n", [40, 3001, 3 * CHUNK + 11])
def test_ties_are_kept_in_order(dtype: str, n: int) -> None:
    """The last that is kept lies in the first, a middle and the last pass of each block."""
    equal = np.where(np.arange(n) % 3 == 1, -1.5, 1.5).astype(numpy_dtype(dtype))
    mixed = equal.copy()
    mixed[::5] = 0.25
    for k in (1, n // 3, 2 * n // 3, n - 1):
        got, want = on_both(equal, ps.TopK(k))
        assert_same_bits(got, want)
        assert np.all(got[:k] == equal[:k])
        assert_same_bits(*on_both(mixed, ps.TopK(k)))


@each_ball
@pytest.mark.parametrize("n", [40, 3001, 3 * CHUNK + 11])
def test_equal_values_share_the_radius(make: Any, n: int) -> None:
    h, z = make(2.3), np.full(n, 1.7, np.float32)
    got, want = on_both(z, h)
    assert_near(got, want, h, z)
    np.testing.assert_allclose(got, np.float32(2.3 / n), 1e-6)
    z[n // 3] = 1.9
    assert_near(*on_both(z, h), h, z)


@pytest.mark.parametrize("shape", SHAPES)
@each_dtype
def test_each_row_is_a_problem_of_its_own(dtype: str, shape: tuple[int, int]) -> None:
    """Every row has its own scale, so that it needs its own threshold and its own passes."""
    scale = 3.0 ** -np.arange(shape[0])[:, None]
    z = (normal(shape, seed=5) * scale).astype(numpy_dtype(dtype))
    k = 1 + shape[1] // 3
    assert_same_bits(*on_both(z, ps.TopK(k, "rows"), odd=True), f"{shape}")
    for h in (ps.L1Ball(0.9, "rows"), ps.Simplex(0.9, "rows")):
        assert_near(*on_both(z, h), h, z)


def test_the_last_block_has_few_rows() -> None:
    z = normal((1037, 6), "float32", seed=6)
    assert_same_bits(*on_both(z, ps.TopK(2, "rows")))


@each_ball
@pytest.mark.parametrize("n", [300, 2000, 2 * CHUNK + 300])
def test_three_hundred_orders_of_magnitude(make: Any, n: int) -> None:
    z = normal(n, seed=7) * 10.0 ** np.linspace(-150, 150, n)
    z = z[np.random.default_rng(8).permutation(n)]
    for radius in (2.3, 1e-120, 1e140) if n < BLOCK else (1e140,):
        h = make(radius)
        assert_near(*on_both(z, h), h, z)
    assert_same_bits(*on_both(z, ps.TopK(n // 2)))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_subnormal_numbers_are_numbers(any_device: str, dtype: str) -> None:
    smallest = np.finfo(dtype).smallest_subnormal
    z = (np.arange(1, 601) * smallest).astype(dtype)[::-1].copy()
    assert_same_bits(*on_both(z, ps.TopK(201)))
    if (any_device, dtype) == ("cupy", "float32"):
        pytest.skip("CuPy's compiler takes them for zeros: docs/cuda.md says so")
    h = ps.L1Ball(1000 * float(smallest))
    assert_near(*on_both(z, h), h, z)


@each_team
@each_ball
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_what_is_not_finite_makes_its_row_nan(make: Any, n: int, bad: float, dtype: str) -> None:
    z = normal((3, n), dtype, seed=9)
    z[1, n // 2] = bad
    h = make(1.9, "rows")
    got, want = on_both(z, h)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    assert np.all(np.isnan(got[1]))
    assert_near(got[::2], want[::2], h, z[::2])


@each_ball
@pytest.mark.parametrize("n", [33, 700, BLOCK + 1])
def test_a_sum_that_overflows_is_of_finite_numbers(make: Any, n: int) -> None:
    z = np.ldexp(np.round(normal(n, seed=9), 2), 1020)
    h = make(1.9)
    got, want = on_both(z, h)
    assert np.isfinite(want).all()
    assert_near(got, want, h, z)


@each_team
def test_a_selection_keeps_nan_first_then_infinity(dtype: str, n: int) -> None:
    z = normal(n, dtype, seed=10)
    z[[n // 2, n - 1]], z[n // 3], z[n // 4] = NAN, -INF, INF
    for k in (1, 2, 3, 4, 9):
        got, want = on_both(z, ps.TopK(k))
        assert_same_bits(got, want)
        assert np.isnan(got).sum() == min(k, 2)


@each_team
def test_the_ball_of_no_size_and_points_inside(dtype: str, n: int) -> None:
    z = normal(n, dtype, seed=11)
    got, want = on_both(z, ps.L1Ball(0.0))
    assert_same_bits(got, want)
    assert not got.any()
    assert_same_bits(on_both(z, ps.L1Ball(1e7))[0], z)


@each_dtype
def test_the_cube_has_the_bits_of_the_cpu(dtype: str) -> None:
    z = normal((5, 333), dtype, seed=12)
    assert_same_bits(*on_both(z, ps.LinfBall(0.7)))


@pytest.mark.parametrize("h", [ps.L1Ball(2.3), ps.Simplex(2.3), ps.TopK(1234)], ids=repr)
@each_team
def test_the_result_may_replace_its_point(h: Any, dtype: str, n: int) -> None:
    z = normal(n, dtype, seed=3)
    there = on_device(z)
    want = ps.prox(there, h)
    assert ps.prox(there, h, out=there) is there
    assert_same_bits(there.host, want.host)
    check_sentinels(there.host)


@pytest.mark.parametrize("h", [ps.L1Ball(2.3), ps.Simplex(2.3), ps.TopK(1234)], ids=repr)
def test_the_same_bits_every_time(h: Any) -> None:
    """The emulation runs the threads in another order each time."""
    for n in (300, 5000, BLOCK + 99):
        z = on_device(normal(n, "float32", seed=13))
        assert_same_bits(ps.prox(z, h).host, ps.prox(z, h).host)


@pytest.mark.parametrize("make", [ps.L1Ball, ps.Simplex, ps.TopK])
def test_launches_do_not_depend_on_the_values(emulation: Any, make: Any) -> None:
    def launches(z: Any) -> int:
        before = emulation.launches()
        ps.prox(on_device(z), make(2))
        return int(emulation.launches() - before)

    passes, of_16_bits = (8, 8) if make is ps.TopK else (2 * 8 + 3, 2 * 4 + 3)
    assert launches(np.empty(0, np.float32)) == 0
    assert launches(normal(BLOCK, "float32")) == 1
    for z in (normal(BLOCK + 1, "float32"), np.ones(4 * CHUNK, np.float32)):
        assert launches(z) == passes
    assert launches(normal(BLOCK + 1, "float16")) == of_16_bits


def test_nothing_is_held_after_a_call(emulation: Any) -> None:
    before = emulation.blocks_of_memory()
    ps.prox(on_device(normal(BLOCK + 1)), ps.TopK(7))
    assert emulation.blocks_of_memory() == before


@each_dtype
@pytest.mark.parametrize("over", [None, "rows"])
def test_the_indicator_is_that_of_a_copy_on_the_host(dtype: str, over: Any) -> None:
    z = normal((7, 33), dtype, seed=14, scale=3.0)
    for h in (
        ps.L1Ball(1.9, over),
        ps.Simplex(1.9, over),
        ps.LinfBall(1.9, over),
        ps.TopK(9, over),
    ):
        x = ps.prox(on_device(z), h)
        assert (h.value(x), h.value(on_device(z))) == (0.0, INF)
        if dtype in NARROW:
            assert h.value(on_device(x.host.view(np.uint16)), dtype=dtype) == 0.0
        x[2, 3] = NAN
        assert np.isnan(h.value(x))


def test_work_goes_to_the_chosen_stream(emulation: Any) -> None:
    z = on_device(normal(5))
    with ps.cuda.stream(4711):
        ps.prox(z, ps.TopK(2), out=z)
    assert z.stream == 4711


@pytest.mark.parametrize("h", [ps.L1Ball(2.3), ps.Simplex(2.3, "rows"), ps.TopK(3)], ids=repr)
def test_refusals(h: Any) -> None:
    z = on_device(normal((4, 6)))
    clean = z.host.copy()
    for out, words in (
        (np.empty((4, 6)), "out is in CPU memory, z in CUDA memory of device 0"),
        (DeviceArray(np.empty((4, 6)), device=1), "out is in CUDA memory of device 1"),
        (on_device(np.empty((4, 6), np.float32)), "out has dtype float32"),
        (on_device(np.empty((6, 4))), "out has shape"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            ps.prox(z, h, out=out)
    assert_same_bits(z.host, clean)
