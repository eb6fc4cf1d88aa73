"""Group penalties with a step per element, inside a step of a rule, and the sparse group."""

from __future__ import annotations

import numpy as np
import proxstep as ps
import pytest
from cases import (
    DTYPES,
    RULE_CASES,
    assert_same_bits,
    clone,
    compute_dtype,
    normal,
    prox_step,
    rule,
)
from group_cases import GROUPINGS, NORM_CASES, cost, count, expected, group, split

each_grouping = pytest.mark.parametrize(("shape", "over"), GROUPINGS)
each_penalty = pytest.mark.parametrize(("name", "p"), NORM_CASES)


def steps_for(shape, dtype="float64", spread=1.0, seed=60):
    """Steps that differ by about 10^(2 spread) within a group."""
    s = 10 ** np.random.default_rng(seed).uniform(-spread, spread, shape)
    return s.astype(compute_dtype(dtype))


def weights_of(shape, over, dtype="float64"):
    rng = np.random.default_rng(61)
    return rng.uniform(0.3, 1.9, count(shape, over)).astype(compute_dtype(dtype))


@each_grouping
@each_penalty
@pytest.mark.parametrize("spread", [0.3, 1.5])
def test_minimises_its_objective_in_the_diagonal_metric(shape, over, name, p, spread):
    z, w, s = normal(shape, seed=62), weights_of(shape, over), steps_for(shape, spread=spread)
    x = ps.prox(z, group(name, p, over, w), step=s)
    best = cost(name, p, over, expected(name, p, over, z, s, w), z, s, w)
    for got, limit in zip(cost(name, p, over, x, z, s, w), best, strict=True):
        assert got <= limit + 1e-8 * (1 + limit)


@each_grouping
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-11), ("float32", 2e-5)])
@pytest.mark.parametrize("spread", [0.3, 2.5])
def test_group_lasso_is_stationary(shape, over, dtype, tolerance, spread):
    """(z - x) / s = w lam x / ||x||, or ||z / s|| <= w lam where the group is zero."""
    z, w = normal(shape, dtype, seed=63), weights_of(shape, over, dtype)
    s = steps_for(shape, dtype, spread)
    x = ps.prox(z, group("L1", {"lam": 1.37}, over, w), step=s)
    for a, b, c, weight in zip(split(x, over), split(z, over), split(s, over), w, strict=True):
        pull, limit = (b - a) / c, 1.37 * float(weight)
        if np.any(a != 0):
            error = c * (pull - limit * a / np.linalg.norm(a))
            assert np.max(np.abs(error)) <= tolerance * np.linalg.norm(b)
        else:
            assert np.linalg.norm(pull) <= limit * (1 + tolerance)


SLOPES = {
    "L1": lambda r, lam: lam,
    "SquaredL2": lambda r, lam: lam * r,
    "ElasticNet": lambda r, l1, l2: l1 + l2 * r,
    "Box": lambda r, lower, upper: np.where(r > upper, np.inf, 0.0),
}


def by_bisection(name, settings, z, s):
    """x = z nu / (nu + s) row by row, where nu phi'(||x||) = ||x||, in extended precision."""
    z, s = z.astype(np.longdouble), s.astype(np.longdouble)
    low = np.zeros((len(z), 1), np.longdouble)
    high = low + 1e30
    for _ in range(100):
        nu = np.where(low > 0, np.sqrt(low * high), high * 1e-9)
        f = np.linalg.norm(z / (nu + s), axis=1, keepdims=True)
        over = SLOPES[name](nu * f, *settings.values()) > f
        low, high = np.where(over, low, nu), np.where(over, nu, high)
    return z * (high / (high + s))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n", [2, 8, 1000])
@pytest.mark.parametrize("spread", [0.0, 1e-4, 1e-2, 0.1, 0.5, 1.5])
@pytest.mark.parametrize("share", [1e-7, 1e-4, 1e-2, 0.1, 0.5, 0.9, 0.99])
def test_group_lasso_to_rounding(dtype, n, spread, share):
    """Hardly shrunk to nearly zero, where rounding of the norm counts 1 / (1 - share) times."""
    z, s = normal((1, n), dtype, seed=75), steps_for((1, n), dtype, spread)
    lam = share * float(np.linalg.norm(z.astype(float) / s))
    x = ps.prox(z, ps.Group(ps.L1(lam), "rows"), step=s)
    rtol = 10 * np.finfo(dtype).eps / (1 - share)
    want = by_bisection("L1", {"lam": lam}, z, s)
    np.testing.assert_allclose(x.astype(np.longdouble), want, rtol=rtol)


def odd_steps(kind, rng):
    shape = (30, 7)
    if kind == "two values":
        return np.where(rng.random(shape) < 0.3, 10 ** rng.uniform(-9, 9, (30, 1)), 1.0)
    if kind == "heavy tails":
        return np.exp(rng.standard_cauchy(shape).clip(-20, 20))
    s = 10 ** rng.uniform(-1, 1, shape)
    s[:, :3] *= rng.random((30, 3)) < 0.5
    return s


@pytest.mark.parametrize("kind", ["two values", "heavy tails", "some zero"])
@pytest.mark.parametrize("tilt", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("share", [1e-9, 1e-3, 0.3])
@pytest.mark.parametrize("name", list(SLOPES))
def test_odd_steps_to_rounding(name, share, tilt, kind):
    """An outlier holds most of the norm (tilt 1) or of its shrinkage (tilt -1)."""
    rng = np.random.default_rng(76)
    s = odd_steps(kind, rng)
    z = rng.standard_normal(s.shape) * np.where(s > 0, s, 1.0) ** tilt
    for row_z, row_s in zip(z[:, None], s[:, None], strict=True):
        pull, norm = np.linalg.norm(row_z / np.where(row_s > 0, row_s, 1.0)), np.linalg.norm(row_z)
        settings = {
            "L1": {"lam": share * pull},
            "SquaredL2": {"lam": share * pull / norm},
            "ElasticNet": {"l1": share * pull, "l2": pull / norm},
            "Box": {"lower": -1.0, "upper": share * norm},
        }[name]
        if name == "Box" and share * norm <= 2 * np.linalg.norm(row_z[row_s == 0]):
            continue  # no nearest point, or hardly one
        x = ps.prox(row_z, group(name, settings, "rows"), step=row_s)
        want = by_bisection(name, settings, row_z, row_s)
        np.testing.assert_allclose(x.astype(np.longdouble), want, rtol=1e-13)


ODD_ONES = {
    "no step": lambda z, s: (z, 0.0),
    "the longest step": lambda z, s: (z, 1e6 * s),
    "the shortest step": lambda z, s: (z, 1e-6 * s),
    "nearly all of the norm": lambda z, s: (1e5 * z, s),
    "all of the pull": lambda z, s: (1e3 * z, 1e-5 * s),
}


@pytest.mark.parametrize("odd", ODD_ONES)
@pytest.mark.parametrize("n", [3, 17, 30, 33])
@pytest.mark.parametrize("share", [1e-7, 0.03, 0.7])
@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-13), ("float32", 5e-6)])
def test_an_odd_element_counts_wherever_it_lies(odd, n, share, dtype, rtol):
    """In every lane, and in the ragged end of the lanes alone."""
    z, s = normal((n, n), dtype, seed=78), steps_for((n, n), dtype, 0.4)
    for k in range(n):
        z[k, k], s[k, k] = ODD_ONES[odd](z[k, k], s[k, k])
    pull = np.linalg.norm(z[:, None] / np.where(s > 0, s, 1)[:, None], axis=-1)
    lam = share * float(np.median(pull))
    x = ps.prox(z, ps.Group(ps.L1(lam), "rows"), step=s)
    want = by_bisection("L1", {"lam": lam}, z, s)
    near = np.abs(np.linalg.norm(want.astype(float), axis=1)) > 1e-3 * np.linalg.norm(z, axis=1)
    assert near.any()
    np.testing.assert_allclose(x[near].astype(np.longdouble), want[near], rtol=rtol)


FAR = {np.dtype("float32"): (60, 100), np.dtype("float64"): (500, 1000)}
far_off = pytest.mark.parametrize(
    ("dtype", "factor"),
    [(dtype, 2.0 ** (sign * far)) for dtype in FAR for far in FAR[dtype] for sign in (-1, 1)],
)
TOLERANCE = {np.dtype("float32"): 1e-6, np.dtype("float64"): 1e-13}


@far_off
@pytest.mark.parametrize(
    ("scaled", "plain"),
    [
        (lambda size: ps.L1(0.7 * size), ps.L1(0.7)),
        (lambda size: ps.SquaredL2(0.7), ps.SquaredL2(0.7)),
        (lambda size: ps.Box(0, 0.7 * size), ps.Box(0, 0.7)),
    ],
)
def test_magnitudes_whose_squares_leave_the_range(scaled, plain, dtype, factor):
    z, s = normal((4, 9), dtype, seed=77), steps_for((4, 9), dtype)
    want = factor * ps.prox(z, ps.Group(plain, "rows"), step=s)
    got = ps.prox(dtype.type(factor) * z, ps.Group(scaled(factor), "rows"), step=s)
    np.testing.assert_allclose(got, want, rtol=TOLERANCE[dtype])


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("dtype", FAR)
@pytest.mark.parametrize("penalty", [ps.L1, ps.SquaredL2])
def test_steps_whose_products_leave_the_range(penalty, dtype, sign):
    """Longer steps undo a weaker penalty."""
    z, s = normal((4, 9), dtype, seed=78), steps_for((4, 9), dtype)
    factor = 2.0 ** (sign * FAR[dtype][0])
    want = ps.prox(z, ps.Group(penalty(0.7), "rows"), step=s)
    got = ps.prox(z, ps.Group(penalty(0.7 / factor), "rows"), step=dtype.type(factor) * s)
    np.testing.assert_allclose(got, want, rtol=TOLERANCE[dtype])


@pytest.mark.parametrize(("step", "lam"), [(1e38, 1e-37), (1e-32, 1e31)])
def test_steps_at_the_ends_of_float32(step, lam):
    z, s = np.ones((1, 64), np.float32), np.full((1, 64), step, np.float32)
    s[0, 7] = min(1.0, 2 * step)
    want = ps.prox(z.astype(float), ps.Group(ps.L1(lam), "rows"), step=s.astype(float))
    got = ps.prox(z, ps.Group(ps.L1(lam), "rows"), step=s)
    np.testing.assert_allclose(got, want, rtol=1e-6)


@each_grouping
@each_penalty
@pytest.mark.parametrize("dtype", DTYPES)
def test_equal_steps_agree_with_one_step(shape, over, name, p, dtype):
    z, w = normal(shape, dtype, seed=64), weights_of(shape, over, dtype)
    h, s = group(name, p, over, w), np.full(shape, 0.9, compute_dtype(dtype))
    one = ps.prox(z, h, step=0.9).astype(float)
    eps = float(np.spacing(np.ones(1, z.dtype))[0])
    np.testing.assert_allclose(ps.prox(z, h, step=s).astype(float), one, rtol=9 * eps, atol=9 * eps)


@each_penalty
@pytest.mark.parametrize("dtype", DTYPES)
def test_edges_in_the_diagonal_metric(name, p, dtype):
    """Rows: free, pinned, zero, NaN, ordinary. Each keeps to itself."""
    z, s = normal((5, 6), dtype, seed=65), steps_for((5, 6), dtype)
    z[2], z[3, 4] = 0, np.nan
    w = np.array([0, np.inf, 1.3, 0.7, 0.9], compute_dtype(dtype))
    x = ps.prox(z, group(name, p, "rows", w), step=s)
    assert_same_bits(x[0], z[0])
    assert np.all(x[1:3].astype(float) == 0)
    assert np.all(np.isnan(x[3].astype(float)))
    alone = ps.prox(z[4:].copy(), group(name, p, "rows", w[4:]), step=s[4:].copy())
    assert_same_bits(x[4:], alone)


@pytest.mark.parametrize(("rule_name", "r"), RULE_CASES)
@each_grouping
@pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_step_is_rule_then_prox(rule_name, r, shape, over, metric, dtype):
    w = weights_of(shape, over, dtype)
    penalties = [group(name, p, over, w) for name, p in NORM_CASES[::3]]
    penalties.append(ps.SparseGroup(0.31, 0.83, over=over, group_weights=w))
    x, g = normal(shape, dtype, seed=66), normal(shape, dtype, seed=67)
    state = rule(rule_name, r).init(x)
    ps.step(x, g[::-1].copy(), rule(rule_name, r), None, state)
    z, after = x.copy(), clone(state)
    ps.step(z, g, rule(rule_name, r), None, after, grad_scale=0.83)
    s = prox_step(rule_name, r, after.moments, after.step, dtype, metric)
    for h in penalties:
        got = x.copy()
        again = clone(state)
        ps.step(got, g, rule(rule_name, r), h, again, grad_scale=0.83, metric=metric)
        assert_same_bits(got, ps.prox(z, h, step=s), repr(h))


@pytest.mark.parametrize(("rule_name", "r"), RULE_CASES)
@pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_neighbours_of_any_length_do_not_matter(rule_name, r, metric, dtype):
    """Long groups and short ones in one array: each is what it is alone, with statistics or not."""
    over = (300, 5, 256, 511, 128, 1029, 257, 3, 512, 4100, 700, 255, 2049)
    x, g = normal(sum(over), dtype, seed=70), normal(sum(over), dtype, seed=71)
    state, ends = rule(rule_name, r).init(x), np.cumsum(over)
    z, after = x.copy(), clone(state)
    ps.step(z, g, rule(rule_name, r), None, after)
    s = np.broadcast_to(prox_step(rule_name, r, after.moments, after.step, dtype, metric), z.shape)
    parts = [slice(end - n, end) for n, end in zip(over, ends, strict=True)]
    w = np.array([np.linalg.norm(z[part] / s[part]) for part in parts], z.dtype)
    w *= np.resize([0.5, 0.9, 1.5], len(w)).astype(z.dtype)  # from 1 on, a group is zero
    alone = [
        ps.prox(
            z[part].copy(),
            ps.Group(ps.L1(1.0), over=part.stop - part.start, group_weights=w[k : k + 1]),
            step=s[part].copy() if np.ptp(s) else s[0],
        )
        for k, part in enumerate(parts)
    ]
    assert [one.any() for one in alone] == [k % 3 < 2 for k in range(len(alone))]
    h = ps.Group(ps.L1(1.0), over=over, group_weights=w)
    for stats in (False, True):
        got = x.copy()
        ps.step(got, g, rule(rule_name, r), h, clone(state), metric=metric, stats=stats)
        assert_same_bits(got, np.concatenate(alone))


@pytest.mark.parametrize("over", ["rows", "columns", 97, 8, (60_000, 1, 33_119)])
@pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
@pytest.mark.parametrize("stats", [False, True])
def test_same_bits_for_every_instruction_set_and_thread_count(threads, over, metric, stats):
    from proxstep import _core

    x, g = normal((960, 97), "float32", seed=68), normal((960, 97), "float32", seed=69)
    r, results, before = ps.AdamW(0.11, eps=0.017), [], _core.isa()
    for isa in _core.isas():
        for number in (1, 2, 3):
            _core.set_isa(isa)
            ps.set_num_threads(number)
            moved = x.copy()
            h = ps.Group(ps.L1(2.9), over=over)
            info = ps.step(moved, g, r, h, r.init(x), metric=metric, stats=stats)
            results.append((moved, info))
    _core.set_isa(before)
    for moved, info in results[1:]:
        assert_same_bits(moved, results[0][0])
        assert info == results[0][1]


@each_grouping
@pytest.mark.parametrize("diagonal", [False, True])
def test_sparse_group_is_stationary(shape, over, diagonal):
    """Simon et al. (2013): a subgradient of l1 ||x||_1 + lam w_g ||x_g|| closes every gap."""
    z, w = normal(shape, seed=71), weights_of(shape, over)
    s = steps_for(shape) if diagonal else np.full(shape, 0.37)
    h = ps.SparseGroup(0.41, 0.83, over=over, group_weights=w)
    x = ps.prox(z, h, step=s if diagonal else 0.37)
    for a, b, c, weight in zip(split(x, over), split(z, over), split(s, over), w, strict=True):
        pull = (b - a) / c
        if np.any(a != 0):
            rest = pull - 0.83 * weight * a / np.linalg.norm(a)
            np.testing.assert_allclose(rest[a != 0], 0.41 * np.sign(a[a != 0]), atol=1e-9)
            assert np.all(np.abs(rest[a == 0]) <= 0.41 + 1e-9)
        else:
            left = np.sign(pull) * np.maximum(np.abs(pull) - 0.41, 0)
            assert np.linalg.norm(left) <= 0.83 * weight + 1e-12
    norms = sum(wt * np.linalg.norm(a) for a, wt in zip(split(x, over), w, strict=True))
    assert h.value(x) == pytest.approx(0.41 * np.abs(x).sum() + 0.83 * norms, rel=1e-12)


def test_sparse_group_weights_are_per_element():
    z, w = normal((5, 6), seed=72), np.random.default_rng(73).uniform(0.2, 2, (5, 6))
    w[1], w[2, 3] = 0.0, np.inf
    x = ps.prox(z, ps.SparseGroup(0.41, 0.83, over="rows", weights=w), step=0.37)
    soft = ps.soft_threshold(z, 0.37 * 0.41, weights=w)
    want = ps.prox(soft, ps.Group(ps.L1(0.83), over="rows"), step=0.37)
    np.testing.assert_allclose(x, want, rtol=1e-13, atol=1e-14)
    assert x[2, 3] == 0.0


@each_penalty
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("diagonal", [False, True])
def test_groups_of_one_length_have_the_bits_of_ragged_ones(name, p, dtype, diagonal):
    """Small ones are taken many at a time, ragged ones are not."""
    rng = np.random.default_rng(82)
    for length in (*range(1, 18), 31):
        counts = rng.integers(1, 160, 2)
        for many in (*counts, 3, 64):
            n = length * many
            z = rng.standard_normal(n) * np.repeat(10 ** rng.uniform(-2, 2, many), length)
            spread = np.repeat(rng.choice([0.001, 0.1, 1.5], many), length)
            s = 10 ** (spread * rng.uniform(-1, 1, n))
            s[rng.random(n) < 0.01] = 0.0
            z[:length] *= 1e-22
            z[length : 2 * length] = 0.0
            z, s, w = z.astype(dtype), s.astype(dtype), rng.uniform(0, 2, many).astype(dtype)
            w[rng.random(many) < 0.1] = 0.0
            step = s if diagonal else 0.9
            one = ps.prox(z, group(name, p, length, w), step=step)
            ragged = ps.prox(z, group(name, p, (length,) * int(many), w), step=step)
            assert_same_bits(one, ragged)
