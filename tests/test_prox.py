"""Laws of every elementwise prox, for every penalty of the registry."""

from __future__ import annotations

import numpy as np
import proxstep as ps
import pytest
import reference as ref
from cases import (
    DTYPES,
    EPS,
    PENALTY_CASES,
    assert_same_bits,
    away_from_jumps,
    compute_dtype,
    held,
    normal,
    numpy_dtype,
    penalty,
    weights_for,
)
from hypothesis import given, settings
from hypothesis import strategies as st

STEPS = (0.13, 0.9, 4.7)
each_penalty = pytest.mark.parametrize(("name", "p"), PENALTY_CASES)
convex = [(name, p) for name, p in PENALTY_CASES if ref.PENALTIES[name].convex]
homogeneous = [(n, p) for n, p in PENALTY_CASES if ref.PENALTIES[n].degree is not None]


@each_penalty
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("s", STEPS)
def test_equals_the_oracle(name, p, dtype, s):
    z = normal(501, dtype)
    for w in (None, weights_for(501, dtype)):
        got = ps.prox(z, penalty(name, p, w), step=s)
        weight = 1.0 if w is None else w.astype(float)
        exact = z.astype(float)
        safe = away_from_jumps(name, p, exact, s, weight, EPS[dtype])
        assert safe.mean() > 0.95
        want = ref.prox(name, p, exact, s, weight)
        np.testing.assert_allclose(
            got[safe], want[safe], rtol=16 * EPS[dtype], atol=16 * EPS[dtype]
        )


@each_penalty
@settings(deadline=None, max_examples=25)
@given(
    z=st.floats(-30, 30),
    s=st.floats(0.01, 20),
    d=st.floats(-2, 2),
    w=st.floats(0.05, 5),
)
def test_minimises_its_objective(name, p, z, s, d, w):
    """Neither zero, nor the point itself, nor any other candidate is better than the prox."""
    x = ps.prox(np.array([z]), penalty(name, p, np.array([w])), step=s)[0]
    reached = w * ref.objective(name, p, x, z, s * w)
    for other in (0.0, z, x + d, x * (1 + d), *p.values()):
        better = w * ref.objective(name, p, other, z, s * w)
        assert reached <= better + 1e-12 * (1 + z * z / s + abs(reached))


@pytest.mark.parametrize(("name", "p"), convex)
@pytest.mark.parametrize("s", STEPS)
def test_convex_prox_is_firmly_non_expansive(name, p, s):
    """||P a - P b||^2 <= <P a - P b, a - b>, pair by pair."""
    a, b = normal(2000, seed=2), normal(2000, seed=3)
    h = penalty(name, p)
    moved, apart = ps.prox(a, h, step=s) - ps.prox(b, h, step=s), a - b
    assert np.all(moved * moved <= moved * apart + 1e-14 * (1 + apart * apart))


@each_penalty
@pytest.mark.parametrize("s", STEPS)
def test_is_monotone(name, p, s):
    """Every prox of every function is: a kink or a jump downwards would be an error."""
    result = ps.prox(np.sort(normal(2000, seed=4)), penalty(name, p), step=s)
    assert np.all(np.diff(result) >= -1e-14)


@pytest.mark.parametrize(("name", "p"), [c for c in PENALTY_CASES if ref.PENALTIES[c[0]].even])
@pytest.mark.parametrize("dtype", DTYPES)
def test_changes_sign_with_its_point(name, p, dtype):
    z = normal(333, dtype, seed=5)
    h = penalty(name, p, weights_for(333, dtype))
    np.testing.assert_array_equal(ps.prox(-z, h, step=0.7), -ps.prox(z, h, step=0.7))


@each_penalty
@pytest.mark.parametrize("dtype", DTYPES)
def test_permutation_commutes(name, p, dtype):
    z, w = normal(333, dtype, seed=6), weights_for(333, dtype)
    order = np.random.default_rng(7).permutation(333)
    straight = ps.prox(z, penalty(name, p, w), step=1.3)
    shuffled = ps.prox(z[order], penalty(name, p, w[order]), step=1.3)
    assert_same_bits(straight[order], shuffled)


@pytest.mark.parametrize(("name", "p"), homogeneous)
@pytest.mark.parametrize("c", [0.37, 5.3])
def test_scaling_law(name, p, c):
    """h(c x) = c^k h(x) makes prox_{s h}(c z) = c prox_{s c^(k-2) h}(z)."""
    z = normal(400, seed=8)
    step = 0.8 * c ** (ref.PENALTIES[name].degree - 2)
    left = ps.prox(c * z, penalty(name, p), step=0.8)
    right = c * ps.prox(z, penalty(name, p), step=step)
    np.testing.assert_allclose(left, right, rtol=1e-13, atol=1e-14)


@each_penalty
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_weights_scale_the_step(name, p, dtype):
    """w h with step s is h with step s w, and a constant array of steps is that step."""
    z = normal(257, dtype, seed=9)
    w = np.random.default_rng(10).uniform(0.2, 3, 257).astype(dtype)
    s = np.asarray(0.71, dtype)
    by_weight = ps.prox(z, penalty(name, p, w), step=float(s))
    assert_same_bits(by_weight, ps.prox(z, penalty(name, p), step=s * w))
    constant = ps.prox(z, penalty(name, p), step=np.full(257, s))
    assert_same_bits(constant, ps.prox(z, penalty(name, p), step=float(s)))
    unit = np.ones(257, dtype)
    assert_same_bits(constant, ps.prox(z, penalty(name, p, unit), step=float(s)))


@each_penalty
@pytest.mark.parametrize("dtype", DTYPES)
def test_is_the_same_on_every_instruction_set(isa, name, p, dtype):
    """The scalar tail of a one-element array is the fixed point of comparison."""
    z, w = normal(131, dtype, seed=11), weights_for(131, dtype)
    s = np.random.default_rng(12).uniform(0.1, 4, 131).astype(compute_dtype(dtype))
    whole = ps.prox(z, penalty(name, p, w), step=s)
    single = [
        ps.prox(z[i : i + 1], penalty(name, p, w[i : i + 1]), step=s[i : i + 1]) for i in range(131)
    ]
    assert_same_bits(whole, np.concatenate(single), isa)


@each_penalty
def test_methods_are_the_functions(name, p):
    z, w = normal(99, seed=13), weights_for(99)
    h = penalty(name, p, w)
    x = h.prox(z, 0.6)
    assert_same_bits(x, ps.prox(z, h, step=0.6))
    assert h.value(x) == pytest.approx(ref.value(name, p, x, w), rel=1e-13)
    out = np.full_like(z, 7.7)
    assert h.prox(z, 0.6, out=out) is out
    assert_same_bits(out, x)


@each_penalty
@pytest.mark.parametrize("dtype", DTYPES)
def test_value_equals_the_oracle(name, p, dtype):
    """Over a size with many lanes and a tail; outside the domain it is infinite."""
    z, real = normal(1237, dtype, seed=14), compute_dtype(dtype)
    for w in (None, np.random.default_rng(15).uniform(0.2, 2, 1237).astype(real)):
        want = ref.value(
            name, held(name, p, dtype), z.astype(float), 1.0 if w is None else w.astype(float)
        )
        got = penalty(name, p, w).value(z)
        assert got == pytest.approx(want, rel=3e-7 if dtype != "float64" else 1e-13)


@each_penalty
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_prox_lies_in_the_domain(name, p, dtype):
    """The stored result is feasible, although a bound may have been rounded to be stored."""
    h = penalty(name, p, np.random.default_rng(15).uniform(0.2, 2, 301))
    x = ps.prox(normal(301, dtype, seed=14), h, step=0.9)
    assert np.isfinite(h.value(x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_soft_threshold_is_the_l1_prox(dtype):
    z, w = normal(301, dtype, seed=16), weights_for(301, dtype)
    got = ps.soft_threshold(z, 0.23)
    assert got.dtype == numpy_dtype(dtype)
    assert_same_bits(got, ps.prox(z, ps.L1(0.23), step=1.0))
    weighted = ps.soft_threshold(z, 0.23, weights=w)
    assert_same_bits(weighted, ps.prox(z, ps.L1(0.23, weights=w), step=1.0))
    assert ps.soft_threshold(z, 0.23, out=z) is z
    assert_same_bits(z, got)
