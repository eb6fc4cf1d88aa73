"""Projections: feasible, idempotent, optimal against sorting, exact at ties, row by row."""

from __future__ import annotations

import numpy as np
import proxstep as ps
import pytest
from cases import DTYPES, EPS, NARROW, assert_same_bits, held, normal, numpy_dtype
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_groups import PROJECTIONS

each = pytest.mark.parametrize("name", sorted(PROJECTIONS))
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def project(name, z, radius, **options):
    return ps.prox(z, getattr(ps, name)(radius, **options))


def excess(name, x, radius):
    """How far x is outside the set, relative to the radius."""
    x = np.asarray(x, np.float64)
    size = np.abs(x).max() if name == "LinfBall" else np.abs(x).sum()
    off = abs(size - radius) if name == "Simplex" else max(size - radius, 0)
    return (off + max(0.0, -x.min()) * (name == "Simplex")) / radius


@each
@pytest.mark.parametrize("n", [1, 2, 3, 17, 64, 1000, 20_011])
@pytest.mark.parametrize("radius", [0.37, 5.3])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_equals_the_sort_oracle(name, n, radius, dtype):
    z = normal(n, dtype, seed=80)
    x = project(name, z, radius)
    np.testing.assert_allclose(x, PROJECTIONS[name](z, radius), rtol=0, atol=48 * EPS[dtype])
    assert excess(name, x, radius) < (n + 4) * EPS[dtype]


@each
@settings(deadline=None, max_examples=60)
@given(
    z=st.lists(st.sampled_from([-2.5, -1.3, 0.0, 0.4, 0.4, 1.3, 7.7]), min_size=1, max_size=40),
    radius=st.floats(0.01, 50),
)
def test_ties(name, z, radius):
    """Points full of repeated values: selection must not loop, lose or repeat any."""
    x = project(name, np.array(z), radius)
    np.testing.assert_allclose(x, PROJECTIONS[name](z, radius), atol=1e-13 * (1 + radius))


@each
@each_dtype
def test_second_projection_changes_almost_nothing(name, dtype):
    once = project(name, normal(501, dtype, seed=81), 3.7)
    twice = project(name, once, 3.7)
    np.testing.assert_allclose(twice.astype(float), once.astype(float), atol=2 * EPS[dtype])


@pytest.mark.parametrize("name", ["L1Ball", "LinfBall"])
@each_dtype
def test_a_feasible_point_keeps_every_bit(name, dtype):
    z = normal(64, dtype, seed=82)
    assert_same_bits(project(name, z, 1e4), z)


@each
def test_is_firmly_non_expansive(name):
    for seed in range(20):
        a, b = normal(30, seed=83 + seed), normal(30, seed=183 + seed)
        moved = project(name, a, 2.3) - project(name, b, 2.3)
        assert moved @ moved <= moved @ (a - b) + 1e-12


@each
def test_a_sum_that_overflows_is_of_finite_numbers(name):
    """Scaled by a power of two, point and set keep their digits."""
    z, c = np.abs(normal(60, seed=88)), 2.0**1020
    assert z.sum() > 16  # times c beyond the largest float64
    assert_same_bits(project(name, c * z, 1.5 * c), c * project(name, z, 1.5))
    want = np.full(2, 2.0 if name == "LinfBall" else 1.0)
    assert_same_bits(project(name, np.full(2, 1e308), 2.0), want)


@each
@each_dtype
def test_each_row_is_a_problem_of_its_own(name, dtype):
    z = normal((7, 33), dtype, seed=84)
    x = project(name, z, 1.9, over="rows")
    for row, point in zip(x, z, strict=True):
        assert_same_bits(row, project(name, point.copy(), 1.9))
    whole = project(name, z, 1.9)
    assert_same_bits(whole.ravel(), project(name, z.ravel(), 1.9))


@each
@pytest.mark.parametrize("dtype", NARROW)
def test_narrow_types_compute_in_float32_and_round_once(name, dtype):
    z = normal(300, dtype, seed=85)
    radius = held("Box", {"upper": 2.3}, dtype)["upper"] if name == "LinfBall" else 2.3
    wide = project(name, z.astype(np.float32), radius)
    assert_same_bits(project(name, z, 2.3), wide.astype(numpy_dtype(dtype)))


@each
def test_a_million_elements(name):
    z = normal(1_000_003, seed=86)
    x = project(name, z, 100.7)
    np.testing.assert_allclose(x, PROJECTIONS[name](z, 100.7), atol=1e-11)
    assert excess(name, x, 100.7) < 1e-10


@each
def test_same_bits_for_every_thread_count_and_instruction_set(isa, threads, name):
    z, results = normal(400_001, "float32", seed=87), []
    for number in (1, 2, 3):
        ps.set_num_threads(number)
        results.append(project(name, z, 9.1))
    single = project(name, z[:1000].copy(), 9.1)
    assert_same_bits(results[0], results[1])
    assert_same_bits(results[0], results[2])
    np.testing.assert_allclose(single, PROJECTIONS[name](z[:1000], 9.1), atol=1e-5)


@pytest.mark.parametrize("name", ["L1Ball", "Simplex"])
def test_nan_makes_the_whole_group_nan(name):
    """The threshold depends on every element, so none of them is known."""
    z = normal((3, 20), seed=88)
    clean = project(name, z, 1.9, over="rows")
    z[1, 7] = np.nan
    x = project(name, z, 1.9, over="rows")
    assert np.all(np.isnan(x[1]))
    assert_same_bits(x[::2], clean[::2])


@each
def test_wide_range_and_out(name):
    """Sixteen orders of magnitude in one array; the result may replace its point."""
    z = normal(300, seed=89) * 10.0 ** np.linspace(-8, 8, 300)
    want = PROJECTIONS[name](z, 2.3)
    assert ps.prox(z, getattr(ps, name)(2.3), out=z) is z
    np.testing.assert_allclose(z, want, atol=1e-7)


@each
def test_a_step_refuses_a_projection(name):
    x, g = normal(10, seed=90), normal(10, seed=91)
    before = x.copy()
    with pytest.raises((TypeError, ValueError), match=name):
        ps.step(x, g, ps.SGD(0.17), getattr(ps, name)(1.9))
    assert_same_bits(x, before)


@each
@pytest.mark.parametrize("radius", [-1.3, float("nan")])
def test_radius_must_be_positive(name, radius):
    with pytest.raises(ValueError, match="radius"):
        project(name, normal(5, seed=92), radius)
