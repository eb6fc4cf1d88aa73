"""Group penalties with one step length: every grouping, every scalar penalty, every edge."""

from __future__ import annotations

import numpy as np
import proxstep as ps
import pytest
import reference as ref
import reference_groups as oracle
from cases import DTYPES, EPS, assert_same_bits, compute_dtype, normal, penalty
from group_cases import GROUPINGS, NORM_CASES, cost, count, expected, group, split

each_grouping = pytest.mark.parametrize(("shape", "over"), GROUPINGS)
each_penalty = pytest.mark.parametrize(("name", "p"), NORM_CASES)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
L1 = {"lam": 1.37}


def positive(n, dtype="float64", seed=40):
    return np.random.default_rng(seed).uniform(0.3, 1.9, n).astype(compute_dtype(dtype))


@each_grouping
@each_penalty
@pytest.mark.parametrize("s", [0.37, 3.1])
def test_minimises_its_objective(shape, over, name, p, s):
    """No group of the oracle's, which searches over the norm, has a smaller objective."""
    z, w = normal(shape, seed=41), positive(count(shape, over))
    x = ps.prox(z, group(name, p, over, w), step=s)
    best = cost(name, p, over, expected(name, p, over, z, s, w), z, s, w)
    for got, limit in zip(cost(name, p, over, x, z, s, w), best, strict=True):
        assert got <= limit + 1e-8 * (1 + limit)


@each_grouping
@each_dtype
def test_group_lasso_equals_its_formula(shape, over, dtype):
    """Yuan and Lin (2006): z max(0, 1 - s w lam / ||z||)."""
    z, w = normal(shape, dtype, seed=42), positive(count(shape, over), dtype)
    x = ps.prox(z, group("L1", L1, over, w), step=0.83)
    for a, b, weight in zip(split(x, over), split(z, over), w, strict=True):
        scale = max(0.0, 1 - 0.83 * weight * 1.37 / np.linalg.norm(b))
        np.testing.assert_allclose(a, b * scale, rtol=4 * EPS[dtype], atol=4 * EPS[dtype])


@each_penalty
def test_a_group_of_one_is_the_scalar_penalty_of_the_magnitude(name, p):
    z = normal(300, seed=43)
    x = ps.prox(z, group(name, p, 1), step=0.9)
    want = np.sign(z) * ps.prox(np.abs(z), penalty(name, p), step=0.9)
    np.testing.assert_allclose(x, want, rtol=1e-14, atol=1e-15)


@each_penalty
@each_dtype
def test_rows_blocks_and_equal_segments_are_one_thing(name, p, dtype):
    z, w = normal((9, 37), dtype, seed=44), positive(9, dtype)
    rows = ps.prox(z, group(name, p, "rows", w), step=0.9)
    assert_same_bits(rows, ps.prox(z, group(name, p, 37, w), step=0.9))
    assert_same_bits(rows, ps.prox(z, group(name, p, (37,) * 9, w), step=0.9))


@each_penalty
@each_dtype
@pytest.mark.parametrize("shape", [(12, 37), (12,), (12, 3, 5)])
def test_heads_are_equal_parts_of_the_first_axis(name, p, dtype, shape):
    """As the rows of (heads, head size, ...), which is how attention stores them."""
    z, w = normal(shape, dtype, seed=44), positive(4, dtype)
    heads = ps.prox(z, group(name, p, ("heads", 4), w), step=0.9)
    parts = ps.prox(z.reshape(4, -1), group(name, p, "rows", w), step=0.9)
    assert_same_bits(heads, parts.reshape(shape))


@each_dtype
@pytest.mark.parametrize("over", ["rows", ("heads", 2)])
def test_filters_in_channels_last_memory_are_rows(dtype, over):
    """A convolution's weight, (out, in, height, width), whose channels lie closest in memory."""
    z = normal((6, 3, 5, 4), dtype, seed=45)
    last = np.ascontiguousarray(z.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    h = group("L1", L1, over)
    found, plain = ps.prox(last, h, step=0.9), ps.prox(z, h, step=0.9)
    assert found.strides == last.strides
    np.testing.assert_allclose(
        found.astype(float), plain.astype(float), rtol=8 * EPS[dtype], atol=1e-12
    )
    assert (found != 0).any()
    x, g, state = last.copy("K"), last.copy("K"), ps.AdamW(0.1).init(last)
    ps.step(x, g, ps.AdamW(0.1), h, state)  # in the diagonal metric
    y, state = z.copy(), ps.AdamW(0.1).init(z)
    ps.step(y, z.copy(), ps.AdamW(0.1), h, state)
    np.testing.assert_allclose(
        x.astype(float), y.astype(float), rtol=64 * EPS[dtype], atol=64 * EPS[dtype]
    )


@each_penalty
@each_dtype
def test_columns_are_the_rows_of_the_transpose(name, p, dtype):
    z, w = normal((37, 9), dtype, seed=45), positive(9, dtype)
    columns = ps.prox(z, group(name, p, "columns", w), step=0.9).astype(float)
    turned = ps.prox(np.ascontiguousarray(z.T), group(name, p, "rows", w), step=0.9)
    np.testing.assert_allclose(columns, turned.T.astype(float), rtol=8 * EPS[dtype])


@each_dtype
@pytest.mark.parametrize("over", ["rows", "columns"])
def test_a_fortran_matrix_has_the_same_groups(dtype, over):
    z, w = normal((7, 5), dtype, seed=46), positive(count((7, 5), over), dtype)
    h = group("L1", L1, over, w)
    plain = ps.prox(z, h, step=0.9).astype(float)
    turned = ps.prox(np.asfortranarray(z), h, step=0.9)
    assert turned.flags.f_contiguous
    np.testing.assert_allclose(turned.astype(float), plain, rtol=8 * EPS[dtype])


@pytest.mark.parametrize(("shape", "over"), [((3, 4, 5), "rows"), ((6, 6), 3), ((4, 5), (11, 9))])
def test_groups_that_fortran_order_would_scatter_are_refused(shape, over):
    z = np.asfortranarray(normal(shape, seed=46))
    with pytest.raises(ValueError, match="C order"):
        ps.prox(z, group("L1", L1, over), step=0.9)


@each_grouping
@each_penalty
@each_dtype
def test_zero_groups_stay_zero_and_free_groups_keep_their_bits(shape, over, name, p, dtype):
    """Group 0 has weight 0, group 1 weight infinity, the last one is zero to begin with."""
    z, n = normal(shape, dtype, seed=47), count(shape, over)
    indices, flat = oracle.groups(shape, over), z.reshape(-1)
    flat[indices[-1]] = 0
    w = positive(n, dtype)
    w[0] = 0.0
    if n > 2:
        w[1] = np.inf
    x = ps.prox(z, group(name, p, over, w), step=0.9).ravel()
    assert_same_bits(x[indices[0]], flat[indices[0]])
    assert np.all(x[indices[1]].astype(float) == 0) or n <= 2
    assert np.all(x[indices[-1]].astype(float) == 0)


@each_grouping
@pytest.mark.parametrize("name", ["L1", "SquaredL2", "L0", "MCP", "SCAD", "L1_2", "L2_3"])
@each_dtype
def test_lam_zero_keeps_every_bit(shape, over, name, dtype):
    p = {key: 0.0 if key == "lam" else v for key, v in ref.PENALTIES[name].settings[0].items()}
    z = normal(shape, dtype, seed=48)
    z.reshape(-1)[:3] = 0
    assert_same_bits(ps.prox(z, group(name, p, over), step=0.9), z)
    free = group(name, p, over, np.full(count(shape, over), np.inf, compute_dtype(dtype)))
    assert np.all(ps.prox(z, free, step=0.9).astype(float) == 0)


@each_grouping
@each_penalty
@each_dtype
def test_nan_fills_its_group_and_no_other(shape, over, name, p, dtype):
    z, n = normal(shape, dtype, seed=49), count(shape, over)
    h, spoiled = group(name, p, over, positive(n, dtype)), z.copy()
    index = oracle.groups(shape, over)[n // 2]
    spoiled.reshape(-1)[index[-1]] = np.nan
    clean, dirty = ps.prox(z, h, step=0.9).ravel(), ps.prox(spoiled, h, step=0.9).ravel()
    assert np.all(np.isnan(dirty[index].astype(float)))
    dirty[index] = clean[index]
    assert_same_bits(dirty, clean)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_norms_do_not_underflow_or_overflow_in_float32(size):
    z = (normal((6, 9), seed=50) * size).astype(np.float32)
    x = ps.prox(z, group("L1", {"lam": 0.7 * size}, "rows"), step=0.9)
    unit = ps.prox(z.astype(float) / size, group("L1", {"lam": 0.7}, "rows"), step=0.9)
    np.testing.assert_allclose(x.astype(float), unit * size, rtol=2e-6, atol=1e-6 * size)


# Settings in the unit of x. The others' would leave the range before x does.
UNITS = {
    "L1": ("lam",),
    "SquaredL2": (),
    "ElasticNet": ("l1",),
    "NonNegativeL1": ("lam",),
    "Box": ("lower", "upper"),
    "MCP": ("lam",),
    "SCAD": ("lam",),
}
SIZES = {"float64": (1000, 700, 340), "float32": (100, 60), "bfloat16": (100, 60)}
each_size = pytest.mark.parametrize(
    ("dtype", "size"),
    [(dtype, 2.0 ** (sign * k)) for dtype in SIZES for k in SIZES[dtype] for sign in (-1, 1)],
)
each_over = pytest.mark.parametrize("over", ["rows", "columns"])


@each_size
@each_over
@pytest.mark.parametrize(("name", "p"), [case for case in NORM_CASES if case[0] in UNITS])
def test_no_size_is_too_large_or_too_small(name, p, over, dtype, size):
    """h in another unit has its prox in that unit, though squares of elements leave the range."""
    z, w = normal((37, 9), dtype, seed=55), positive(count((37, 9), over), dtype)
    plain = ps.prox(z, group(name, p, over, w), step=0.9).astype(float)
    scaled = {key: size * v if key in UNITS[name] else v for key, v in p.items()}
    found = ps.prox(
        (z.astype(float) * size).astype(z.dtype), group(name, scaled, over, w), step=0.9
    )
    np.testing.assert_allclose(found.astype(float) / size, plain, rtol=32 * EPS[dtype])


@each_size
@each_over
@pytest.mark.parametrize("stats", [False, True])
def test_values_of_any_size(over, dtype, size, stats):
    """That of a norm grows with x, and that of a count does not."""
    x, w = normal((37, 9), dtype, seed=56), positive(count((37, 9), over), dtype)
    far = (x.astype(float) * size).astype(x.dtype)

    def value(a, h):
        no_gradient = np.zeros_like(a)
        return ps.step(a, no_gradient, ps.SGD(0.0), h, stats=True).penalty if stats else h.value(a)

    lasso, count_of = (ps.Group(phi, over, w) for phi in (ps.L1(1.37), ps.L0(1.37)))
    assert value(far, lasso) / size == pytest.approx(value(x, lasso), rel=1e-13)
    assert value(far, count_of) == value(x, count_of)


@each_over
def test_zeros_are_told_from_what_has_no_square(over):
    z = np.zeros((5, 4))
    z[:, 0], z[3, 1] = 2.0**-700, -(2.0**-1000)
    z = z if over == "columns" else z.T.copy()
    assert ps.Group(ps.L0(1.0), over).value(z) == 2.0
    assert_same_bits(ps.prox(z, ps.Group(ps.SquaredL2(1.0), over)), z / 2)


@each_penalty
def test_rotation_commutes(name, p):
    """A function of the norm knows no direction."""
    z = normal((20, 6), seed=51)
    turn = np.linalg.qr(normal((6, 6), seed=52))[0]
    h = group(name, p, "rows")
    left, right = ps.prox(z @ turn, h, step=0.9), ps.prox(z, h, step=0.9) @ turn
    np.testing.assert_allclose(left, right, atol=1e-13)


@each_grouping
@each_penalty
@each_dtype
def test_value_and_statistics_equal_the_oracle(shape, over, name, p, dtype):
    x, g = normal(shape, dtype, seed=53), normal(shape, dtype, seed=54)
    w = positive(count(shape, over), dtype)
    h, before = group(name, p, over, w), x.astype(float)
    info = ps.step(x, g, ps.SGD(0.43), h, stats=True)
    norms = np.array([np.linalg.norm(part) for part in split(x, over)])
    if name == "Box":
        norms = np.minimum(norms, p["upper"])
    want = ref.value(name, p, norms, w.astype(float))
    loose = 1e-12 if dtype == "float64" else 3e-6
    assert info.penalty == pytest.approx(want, rel=loose)
    assert h.value(x) == pytest.approx(want, rel=loose)
    assert info.nonzeros == np.count_nonzero(x)
    change = np.sum((x.astype(float) - before) ** 2)
    assert info.squared_change == pytest.approx(change, rel=1e-12)
