"""Columns of matrices, which are summed and scaled row by row, several rows at a time."""

from __future__ import annotations

import numpy as np
import proxstep as ps
import pytest
from cases import RULE_CASES, assert_same_bits, clone, normal, prox_step, rule
from group_cases import NORM_CASES, count, group

each_penalty = pytest.mark.parametrize(("name", "p"), NORM_CASES)


def weights_of(shape, dtype):
    return np.random.default_rng(61).uniform(0.3, 1.9, count(shape, "columns")).astype(dtype)


@each_penalty
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 17), (3, 9), (4, 16), (27, 41), (130, 7), (516, 70)])
def test_columns_are_the_rows_of_the_transpose(name, p, dtype, shape):
    """Of spreads and sizes that take every way to a root, and of elements that do not move."""
    rng = np.random.default_rng(81)
    s = 10 ** (rng.uniform(-1, 1, shape) * np.geomspace(0.01, 1.5, shape[1]))
    s[:, rng.random(shape[1]) < 0.1] = 0.3
    s[rng.random(shape) < 0.002] = 0.0
    z = rng.standard_normal(shape) * 10 ** rng.uniform(-2, 2, shape[1])
    z[:, 1] *= 1e-22
    z[:, 2] = 0.0
    z, s = z.astype(dtype), s.astype(dtype)
    w = weights_of(shape, dtype)
    columns = ps.prox(z, group(name, p, "columns", w), step=s)
    turned = [np.ascontiguousarray(a.T) for a in (z, s)]
    rows = ps.prox(turned[0], group(name, p, "rows", w), step=turned[1]).T
    error = np.abs(columns - rows).max(axis=0)
    assert np.all(error <= 64 * np.finfo(dtype).eps * np.abs(z).max(axis=0))
    assert np.array_equal(columns == 0, rows == 0)


@pytest.mark.parametrize(("rule_name", "r"), RULE_CASES)
@pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "shape", [(1201, 1), (777, 4), (131, 63), (70, 128), (33, 300), (9, 700), (2, 1100)]
)
def test_step_is_rule_then_prox_however_many_rows_are_taken_at_once(
    rule_name, r, metric, dtype, shape
):
    x, g = normal(shape, dtype, seed=82), normal(shape, dtype, seed=83)
    state = rule(rule_name, r).init(x)
    z, after = x.copy(), clone(state)
    ps.step(z, g, rule(rule_name, r), None, after)
    s = prox_step(rule_name, r, after.moments, after.step, dtype, metric)
    h = ps.Group(ps.L1(1.37), "columns", weights_of(shape, dtype))
    want = ps.prox(z, h, step=s)
    for stats in (False, True):
        got = x.copy()
        ps.step(got, g, rule(rule_name, r), h, clone(state), metric=metric, stats=stats)
        assert_same_bits(got, want, f"stats={stats}")
