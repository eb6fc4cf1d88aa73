"""How arrays lie in memory does not matter: dtypes, odd counts, misaligned starts, sentinels."""

from __future__ import annotations

import numpy as np
import proxstep as ps
import pytest
from cases import (
    DTYPES,
    NARROW,
    PENALTY_CASES,
    assert_same_bits,
    compute_dtype,
    held,
    normal,
    numpy_dtype,
    penalty,
    weights_for,
)

GUARD = 33  # elements on each side that must keep their bytes
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def guarded(n: int, start: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """A buffer of sentinel bytes, and a view of n elements that begins GUARD + start into it."""
    buffer = np.full((n + start + 2 * GUARD) * numpy_dtype(dtype).itemsize, 0xA5, np.uint8)
    whole = buffer.view(numpy_dtype(dtype))
    return whole, whole[GUARD + start : GUARD + start + n]


def sentinels(whole: np.ndarray, inside: np.ndarray) -> np.ndarray:
    start = (inside.ctypes.data - whole.ctypes.data) // whole.itemsize if inside.size else GUARD
    return np.concatenate([whole[:start], whole[start + inside.size :]]).view(np.uint8)


@each_dtype
@pytest.mark.parametrize("start", range(8))
def test_every_count_and_misalignment(isa, dtype, start):
    """Counts 0 to 70 from every start: right inside, untouched outside, also with weights."""
    z, w = normal(70, dtype, seed=1), weights_for(70, dtype)
    plain, weighted = ps.MCP(0.31, 2.7), [ps.MCP(0.31, 2.7, weights=w[:n]) for n in range(71)]
    want = ps.prox(z, plain, step=0.9), ps.prox(z, weighted[70], step=0.9)
    for n in range(71):
        for h, full in ((plain, want[0]), (weighted[n], want[1])):
            whole, out = guarded(n, start, dtype)
            ps.prox(z[:n], h, step=0.9, out=out)
            assert_same_bits(out, full[:n], f"n={n}")
            assert np.all(sentinels(whole, out) == 0xA5), f"n={n}"


@each_dtype
@pytest.mark.parametrize("start", range(8))
def test_in_place_at_every_count_and_misalignment(dtype, start):
    z = normal(70, dtype, seed=2)
    want = ps.soft_threshold(z, 0.37)
    for n in range(71):
        whole, x = guarded(n, start, dtype)
        x[...] = z[:n]
        assert ps.soft_threshold(x, 0.37, out=x) is x
        assert_same_bits(x, want[:n], f"n={n}")
        assert np.all(sentinels(whole, x) == 0xA5), f"n={n}"


@pytest.mark.parametrize(("name", "p"), PENALTY_CASES)
@pytest.mark.parametrize("dtype", NARROW)
def test_narrow_types_compute_in_float32_and_round_once(name, p, dtype):
    z, w = normal(999, dtype, seed=3), weights_for(999, dtype)
    wide = ps.prox(z.astype(np.float32), penalty(name, held(name, p, dtype), w), step=0.9)
    assert_same_bits(ps.prox(z, penalty(name, p, w), step=0.9), wide.astype(numpy_dtype(dtype)))


@pytest.mark.parametrize(("name", "p"), PENALTY_CASES)
@pytest.mark.parametrize("dtype", NARROW)
def test_uint16_with_a_dtype_has_the_bits_of_that_type(name, p, dtype):
    z, bits = normal(97, dtype, seed=4), normal(97, dtype, seed=4).view(np.uint16)
    want, h = ps.prox(z, penalty(name, p), step=0.9), penalty(name, p)
    got = ps.prox(bits, h, step=0.9, dtype=dtype)
    assert got.dtype == np.uint16
    assert_same_bits(got.view(z.dtype), want)
    soft = ps.soft_threshold(bits, 0.3, dtype=dtype)
    assert_same_bits(soft.view(z.dtype), ps.soft_threshold(z, 0.3))
    assert h.value(got, dtype=dtype) == h.value(want)


@pytest.mark.parametrize("dtype", NARROW)
def test_every_narrow_number_survives_the_round_trip(dtype):
    """All 65536 bit patterns: weight 0 goes through float32 and back."""
    z = np.arange(65536, dtype=np.uint16).view(numpy_dtype(dtype))
    free = ps.L1(0.3, weights=np.zeros(65536, np.float32))
    assert_same_bits(ps.prox(z, free), z)


@each_dtype
@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (2, 3, 4), (0, 4)])
def test_shapes_are_kept(dtype, shape):
    z = np.asarray(normal(shape, dtype, seed=5), numpy_dtype(dtype))
    x = ps.prox(z, ps.ElasticNet(0.31, 0.7), step=0.9)
    flat = ps.prox(z.ravel(), ps.ElasticNet(0.31, 0.7), step=0.9)
    assert x.shape == shape
    assert x.dtype == z.dtype
    assert_same_bits(x.ravel(), flat)


@each_dtype
def test_fortran_order_is_a_dense_layout_too(dtype):
    z, w = normal((7, 11), dtype, seed=6), weights_for((7, 11), dtype)
    turned = np.asfortranarray(z)
    x = ps.prox(turned, ps.L1(0.31), step=0.9)
    assert x.flags.f_contiguous
    assert_same_bits(x, ps.prox(z, ps.L1(0.31), step=0.9))
    by_weights = ps.prox(z, ps.L1(0.31, weights=w), step=0.9)
    assert_same_bits(by_weights, ps.prox(z, ps.L1(0.31, weights=np.asfortranarray(w)), step=0.9))
    with pytest.raises(ValueError, match="C order"):
        ps.prox(turned, ps.L1(0.31, weights=w), step=0.9)


def test_result_is_new_memory():
    z = normal(40, seed=7)
    before = z.copy()
    x = ps.prox(z, ps.L1(0.31), step=0.9)
    assert not np.shares_memory(x, z)
    assert_same_bits(z, before)


@each_dtype
def test_step_array_has_the_compute_dtype(dtype):
    z = normal(40, dtype, seed=8)
    wrong = np.full(40, 0.3, np.float32 if dtype == "float64" else np.float64)
    right = np.full(40, 0.3, compute_dtype(dtype))
    assert_same_bits(ps.prox(z, ps.L1(0.31), step=right), ps.prox(z, ps.L1(0.31), step=0.3))
    with pytest.raises((TypeError, ValueError), match="step"):
        ps.prox(z, ps.L1(0.31), step=wrong)


@each_dtype
def test_a_dense_permutation_of_axes_is_a_layout_too(dtype):
    """As in channels-last tensors: no axis order is C or F, and no element lies between others."""
    z = normal((2, 3, 4), dtype, seed=9).transpose(1, 2, 0)
    x = ps.prox(z, ps.ElasticNet(0.31, 0.7), step=0.9)
    assert x.strides == z.strides
    flat = np.ascontiguousarray(z)
    assert_same_bits(np.ascontiguousarray(x), ps.prox(flat, ps.ElasticNet(0.31, 0.7), step=0.9))
