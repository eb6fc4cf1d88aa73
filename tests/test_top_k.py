"""Top-k selection: the k largest magnitudes keep their bits, equal ones in order, NaN first."""

from __future__ import annotations

import dataclasses
import itertools
import pickle
from typing import Any

import numpy as np
import proxstep as ps
import pytest
from cases import DTYPES, NARROW, assert_same_bits, normal, numpy_dtype
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_groups import project_top_k
from refusals import refused

NAN, INF = float("nan"), float("inf")
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
special = st.sampled_from(
    [-2.5, -1.25, 0.0, -0.0, 0.5, 1.25, 2.5, 1e-7, 6e-8, INF, -INF, NAN, -NAN]
)


def counts(n: int) -> list[int]:
    return sorted({0, 1, 2, n // 3, n - 1, n, n + 5})


@each_dtype
@pytest.mark.parametrize("n", [1, 2, 3, 17, 64, 1000, 20_011])
def test_equals_the_sort_oracle(dtype: str, n: int) -> None:
    z = normal(n, dtype, seed=60)
    for k in counts(n):
        x = ps.prox(z, ps.TopK(k))
        assert_same_bits(x, project_top_k(z, k), f"k = {k}")
        assert np.count_nonzero(x) <= k


@each_dtype
@settings(deadline=None, max_examples=100)
@given(z=st.lists(special, min_size=1, max_size=40), k=st.integers(0, 42))
def test_ties_and_what_is_not_finite(dtype: str, z: list[float], k: int) -> None:
    point = np.array(z).astype(numpy_dtype(dtype))
    assert_same_bits(ps.prox(point, ps.TopK(k)), project_top_k(point, k))


def test_every_nan_counts_the_same() -> None:
    """Neither its sign nor its payload ranks a NaN: the earlier ones are kept, with their bits."""
    bits = np.array([0x7F800001, 0xFFFFFFFF, 0x7FC00000, 0x7F800000], np.uint32)
    x = ps.TopK(2).prox(bits.view(np.float32))
    np.testing.assert_array_equal(x.view(np.uint32), [0x7F800001, 0xFFFFFFFF, 0, 0])


def test_no_sparse_point_is_nearer() -> None:
    for seed, k in itertools.product(range(5), range(7)):
        z = normal(7, seed=61 + seed)
        x = ps.prox(z, ps.TopK(k))
        for support in itertools.combinations(range(7), k):
            other = np.zeros(7)
            other[list(support)] = z[list(support)]  # the nearest with this support
            assert np.sum((x - z) ** 2) <= np.sum((other - z) ** 2)


@each_dtype
def test_the_second_selection_changes_no_bit(dtype: str) -> None:
    z = normal(501, dtype, seed=62)
    once = ps.prox(z, ps.TopK(77))
    assert_same_bits(ps.prox(once, ps.TopK(77)), once)


@each_dtype
def test_what_has_few_elements_keeps_every_bit(dtype: str) -> None:
    z = normal(64, dtype, seed=63)
    z[[3, 9]] = -0.0, NAN
    for k in (64, 65, 10**30):
        assert_same_bits(ps.prox(z, ps.TopK(k)), z)
    assert not np.signbit(ps.prox(z, ps.TopK(0)).astype(float)).any()


@each_dtype
def test_each_row_is_a_problem_of_its_own(dtype: str) -> None:
    z = normal((7, 5, 9), dtype, seed=64)
    x = ps.prox(z, ps.TopK(13, over="rows"))
    for row, point in zip(x, z, strict=True):
        assert_same_bits(row, ps.prox(point.copy(), ps.TopK(13)))
    assert_same_bits(ps.prox(z, ps.TopK(13)).ravel(), ps.prox(z.ravel(), ps.TopK(13)))


def test_ties_are_kept_in_the_order_of_memory() -> None:
    z = np.ones((3, 4), order="F")
    x = ps.prox(z, ps.TopK(4))
    np.testing.assert_array_equal(x.ravel(order="K"), [1.0] * 4 + [0.0] * 8)


@pytest.mark.parametrize("dtype", NARROW)
def test_bits_and_their_meaning(dtype: str) -> None:
    z = normal(300, dtype, seed=65)
    got = ps.prox(z.view(np.uint16), ps.TopK(31), dtype=dtype)
    assert_same_bits(got.view(z.dtype), ps.prox(z, ps.TopK(31)))


def test_a_million_elements_in_place() -> None:
    z = normal(1_000_003, "float32", seed=66)
    want = project_top_k(z, 4321)
    assert ps.prox(z, ps.TopK(4321), out=z) is z
    assert_same_bits(z, want)


def test_same_bits_for_every_thread_count_and_instruction_set(isa: str, threads: None) -> None:
    z = np.round(normal((400, 997), "float32", seed=67), 1)
    want = np.stack([project_top_k(row, 99) for row in z])
    for number in (1, 2, 3):
        ps.set_num_threads(number)
        assert_same_bits(ps.prox(z, ps.TopK(99, "rows")), want)


@each_dtype
@pytest.mark.parametrize("over", [None, "rows"])
def test_the_indicator(dtype: str, over: Any) -> None:
    h, z = ps.TopK(9, over), normal((7, 33), dtype, seed=68)
    x = ps.prox(z, h)
    assert (h.value(x), h.value(z)) == (0.0, INF)
    x[2, 3] = NAN
    assert np.isnan(h.value(x))


def test_solve_takes_it() -> None:
    X = normal((80, 20), seed=69)
    y = X[:, [2, 7, 11]] @ np.array([1.3, -2.1, 0.7])
    result = ps.solve(ps.LeastSquares(X, y), ps.TopK(3))
    np.testing.assert_array_equal(np.flatnonzero(result.x), [2, 7, 11])


def test_it_is_frozen_and_equals_its_copy() -> None:
    h = ps.TopK(np.int64(3), "rows")
    assert pickle.loads(pickle.dumps(h)) == h == ps.TopK(3, over="rows")
    assert type(h.k) is int
    with pytest.raises(dataclasses.FrozenInstanceError):
        h.k = 4  # type: ignore[misc]


@pytest.mark.parametrize("k", [True, np.True_, None, "3"])
def test_k_is_a_number(k: Any) -> None:
    with pytest.raises(TypeError, match=r"k is .*an integer is needed"):
        ps.TopK(k)


def test_refusals() -> None:
    z = normal((4, 6), seed=70)
    with refused(ValueError, "k is -1; it must not be negative"):
        ps.TopK(-1)
    with refused(ValueError, "over is 'row'; did you mean 'rows'"):
        ps.TopK(3, "row")  # type: ignore[arg-type]
    rows = ps.TopK(3, "rows")
    for out, words in (
        (np.empty((4, 6), np.float32), "out has dtype float32"),
        (np.empty((6, 4)), "out has shape"),
    ):
        with refused((TypeError, ValueError), words, keep=[z]):
            rows.prox(z, out=out)
    with refused(ValueError, "rows need 2 dimensions or more in C order", keep=[z]):
        rows.prox(np.asfortranarray(z))
    with refused(ValueError, "overlap", keep=[z]):
        buffer = np.zeros(30)
        ps.TopK(3).prox(buffer[:24], out=buffer[6:])
    with refused(TypeError, "int64"):
        ps.TopK(3).prox(np.arange(5))
