"""Where formulas break: weights 0 and infinity, NaN, infinities, denormals, extreme settings."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import proxstep as ps
import pytest
import reference as ref
from cases import (
    DTYPES,
    PENALTY_CASES,
    assert_same_bits,
    compute_dtype,
    normal,
    numpy_dtype,
    penalty,
    weights_for,
)
from refusals import refused

each_penalty = pytest.mark.parametrize(("name", "p"), PENALTY_CASES)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
with_lam = [
    (name, key, p)
    for name, p in PENALTY_CASES
    for key in p
    if key in ("lam", "l1", "l2") and name != "Box"
]


def _repeated(n, value, dtype):
    return np.full(n, value, compute_dtype(dtype))


def _limits(dtype):
    return ml_dtypes.finfo(numpy_dtype(dtype))


def _extremes(dtype):
    """Both zeros, the smallest and largest numbers, and those of 1, with signs."""
    info = _limits(dtype)
    sizes = [0.0, float(info.smallest_subnormal), float(info.tiny), 1.0, float(info.max)]
    return np.array([sign * size for size in sizes for sign in (1, -1)]).astype(numpy_dtype(dtype))


@each_penalty
@each_dtype
def test_weight_zero_leaves_every_bit(name, p, dtype):
    z = np.concatenate([normal(67, dtype, seed=1), _extremes(dtype)])
    z[3] = np.nan
    free = penalty(name, p, _repeated(z.size, 0.0, dtype))
    assert_same_bits(ps.prox(z, free, step=1.7), z)
    z[3] = 1.3
    assert free.value(z) == 0.0


@each_penalty
@each_dtype
@pytest.mark.parametrize("lam_is_zero", [False, True])
def test_weight_infinity_pins_to_exact_zero(name, p, dtype, lam_is_zero):
    z = normal(67, dtype, seed=2)
    z[5] = np.nan
    p = {k: 0.0 if k in ("lam", "l1", "l2") and lam_is_zero else v for k, v in p.items()}
    pinned = penalty(name, p, _repeated(67, np.inf, dtype))
    x = ps.prox(z, pinned, step=0.3)
    assert np.isnan(x[5].astype(float))
    x[5] = 0
    np.testing.assert_array_equal(x.astype(float), np.zeros(67))
    assert not np.any(np.signbit(x.astype(float)))


@each_penalty
@each_dtype
def test_nan_stays_nan_and_stays_alone(name, p, dtype):
    clean, w = normal(83, dtype, seed=3), weights_for(83, dtype)
    dirty = clean.copy()
    dirty[::7] = np.nan
    h = penalty(name, p, w)
    x, y = ps.prox(clean, h, step=0.9), ps.prox(dirty, h, step=0.9)
    assert np.all(np.isnan(y[::7].astype(float)))
    y[::7] = x[::7]
    assert_same_bits(x, y)
    assert np.isnan(penalty(name, p).value(dirty))


@each_penalty
@each_dtype
def test_an_infinite_point_never_looks_sparse(name, p, dtype):
    """Its prox is the limit of that of large points, or NaN."""
    limit = {"Box": (p.get("lower"), p.get("upper")), "NonNegativeL1": (0.0, np.inf)}
    low, high = limit.get(name, (-np.inf, np.inf))
    z = np.array([-np.inf, np.inf] * 9).astype(numpy_dtype(dtype))
    x = ps.prox(z, penalty(name, p), step=0.9).astype(float)
    for got, want in ((x[::2], low), (x[1::2], high)):
        assert np.all(np.isnan(got) | np.isclose(got, want, rtol=1e-2))


@pytest.mark.parametrize("name", ["Box", "NonNegativeL1"])
@each_dtype
def test_a_bounded_domain_holds_infinite_points(name, dtype):
    h = ps.Box(-0.5, 2.0) if name == "Box" else ps.NonNegativeL1(0.75)
    z = np.array([-np.inf, np.inf, np.nan] * 7).astype(numpy_dtype(dtype))
    want = [-0.5, 2.0, np.nan] if name == "Box" else [0.0, np.inf, np.nan]
    x = ps.prox(z, h, step=0.9).astype(float)
    np.testing.assert_array_equal(x, np.tile(want, 7))


@each_penalty
@each_dtype
@pytest.mark.parametrize("lam_is_zero", [False, True])
def test_a_step_that_the_compute_type_cannot_hold_is_refused(name, p, dtype, lam_is_zero):
    """It would be infinite, and 0 times infinity is NaN."""
    p = {k: 0.0 if k in ("lam", "l1", "l2") and lam_is_zero else v for k, v in p.items()}
    z, out = normal(19, dtype, seed=5), normal(19, dtype, seed=6)
    longest = float(np.finfo(compute_dtype(dtype)).max)
    for step in (np.nextafter(2 * longest, np.inf), np.inf, np.nan, -0.1):
        with refused(ValueError, "step is", keep=[z, out]):
            ps.prox(z, penalty(name, p), step=step, out=out)
    if lam_is_zero and name in ("L1", "SquaredL2", "ElasticNet", "L0", "MCP", "L1_2", "L2_3"):
        assert_same_bits(ps.prox(z, penalty(name, p), step=longest / 8), z)


@each_penalty
@each_dtype
def test_extreme_points_equal_the_oracle(name, p, dtype):
    """Denormals become zero or stay small; the largest numbers neither overflow nor vanish."""
    z = _extremes(dtype)
    want = ref.prox(name, p, z.astype(float), 0.9)
    got = ps.prox(z, penalty(name, p), step=0.9).astype(float)
    coarse = float(_limits(dtype).eps)
    np.testing.assert_allclose(got, want, rtol=4 * coarse, atol=8 * float(_limits(dtype).tiny))


@pytest.mark.parametrize(("name", "key", "p"), with_lam)
@each_dtype
def test_lam_zero_is_no_penalty(name, key, p, dtype):
    z = np.concatenate([normal(59, dtype, seed=4), _extremes(dtype)])
    zero = {k: 0.0 if k in ("lam", "l1", "l2") else v for k, v in p.items()}
    want = np.maximum(z, 0) if name == "NonNegativeL1" else z
    np.testing.assert_array_equal(ps.prox(z, penalty(name, zero), step=0.9), want)
    assert penalty(name, zero).value(np.abs(z)) == 0.0


@pytest.mark.parametrize(("name", "key", "p"), with_lam)
@pytest.mark.parametrize(("dtype", "huge"), [("float64", 1e150), ("float32", 1e18)])
def test_huge_lam_equals_the_oracle(name, key, p, dtype, huge):
    z = normal(59, dtype, seed=5)
    p = {**p, key: huge}
    want = ref.prox(name, p, z.astype(float), 0.9)
    got = ps.prox(z, penalty(name, p), step=0.9)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=0)
    assert np.all((got == 0) == (want == 0))


@each_penalty
@pytest.mark.parametrize("s", [1e-12, 1e9])
def test_extreme_steps_equal_the_oracle(name, p, s):
    z = normal(59, seed=6)
    got = ps.prox(z, penalty(name, p), step=s)
    np.testing.assert_allclose(got, ref.prox(name, p, z, s), rtol=1e-13, atol=1e-15)


@each_penalty
def test_step_exactly_at_the_convex_limit(name, p):
    """MCP at s = gamma and SCAD at s = a - 1: there the slope of the middle piece is 0/0."""
    limit = p.get("gamma", p.get("a", 1.9) - 1)
    z = normal(500, seed=7)
    got = ps.prox(z, penalty(name, p), step=limit)
    reached, best = ref.objective(name, p, got, z, limit), ref.prox(name, p, z, limit)
    assert np.all(reached <= ref.objective(name, p, best, z, limit) + 1e-14)


@pytest.mark.parametrize("bounds", [(-np.inf, 0.31), (-0.17, np.inf), (-np.inf, np.inf)])
@each_dtype
def test_a_box_may_be_open(bounds, dtype):
    z = normal(59, dtype, seed=8)
    low, high = bounds
    x = ps.prox(z, ps.Box(low, high), step=0.9).astype(float)
    want = np.clip(z.astype(float), low, high)
    np.testing.assert_allclose(x, want, rtol=float(_limits(dtype).eps))
    assert np.all((x >= np.float32(low)) & (x <= np.float32(high)))


@pytest.mark.parametrize(
    ("name", "p"), [case for case in PENALTY_CASES if case[0] in ("MCP", "SCAD")]
)
@pytest.mark.parametrize("s", [0.9, 3.1])
@pytest.mark.parametrize(("dtype", "far"), [("float64", 1000), ("float64", 600), ("float32", 100)])
def test_concave_penalties_know_no_unit(name, p, s, dtype, far):
    """Of x and lam: squares of either may leave the range."""
    z = normal(300, dtype, seed=47, scale=3.0)
    plain = ps.prox(z, penalty(name, p), step=s)
    for size in (2.0**-far, 2.0**far):
        h = penalty(name, p | {"lam": size * p["lam"]})
        assert_same_bits(
            ps.prox((size * z).astype(dtype), h, step=s) / np.dtype(dtype).type(size), plain
        )
