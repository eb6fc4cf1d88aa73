"""Group penalties of arrays in CUDA memory, held to the CPU without a device."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
from cases import (
    RULE_CASES,
    assert_same_bits,
    compute_dtype,
    normal,
    rule,
    weights_for,
)
from device import check_sentinels, on_device
from device_groups import (
    TEAMS,
    Pair,
    assert_close,
    assert_same_statistics,
    each_dtype,
    each_metric,
    group_weights,
    odd_place,
)
from group_cases import GROUPINGS, NORM_CASES, count, expected, group

pytestmark = pytest.mark.usefixtures("any_device")


@each_dtype
@each_metric
@pytest.mark.parametrize(("name", "p"), NORM_CASES)
def test_every_penalty_in_every_grouping(name: str, p: Any, metric: Any, dtype: str) -> None:
    """One launch for all groupings, with a rule of its own each."""
    groups = []
    for k, (shape, over) in enumerate(GROUPINGS):
        h = group(name, p, over, group_weights(shape, over, dtype))
        x = normal(shape, dtype, seed=k)
        r = rule(*RULE_CASES[k % len(RULE_CASES)])
        groups.append({"params": [x], "penalty": h, "metric": metric, "rule": r})
    pair = Pair(groups)
    got, want = pair.step(stats=True)
    pair.check()
    assert_same_statistics(got, want, dtype)


@each_dtype
@each_metric
@pytest.mark.parametrize(("shape", "over"), TEAMS)
@pytest.mark.parametrize("move", [on_device, odd_place])
def test_every_team(shape: Any, over: Any, metric: Any, dtype: str, move: Any) -> None:
    """Whatever shares a group and wherever it begins, every element is stepped once."""
    w, elements = group_weights(shape, over, dtype), weights_for(shape, dtype)
    lam = 0.21 * np.sqrt(np.prod(shape) / count(shape, over))
    h = ps.SparseGroup(0.11, lam, over=over, weights=elements, group_weights=w)
    x = normal(shape, dtype, seed=84)
    pair = Pair([{"params": [x], "penalty": h, "metric": metric, "rule": ps.AdamW(0.13)}], move)
    got, want = pair.step(stats=True)
    assert 0 < want.nonzeros < x.size
    pair.check()
    assert_same_statistics(got, want, dtype)


@each_dtype
@each_metric
@pytest.mark.parametrize(("rule_name", "r"), RULE_CASES)
def test_every_rule(rule_name: str, r: Any, metric: Any, dtype: str) -> None:
    groups = []
    for k, (shape, over) in enumerate(GROUPINGS):
        inner = ps.SparseGroup(0.11, 0.23, over=over, weights=weights_for(shape, dtype))
        h = inner if k % 2 else ps.Group(ps.SCAD(0.4, 3.7), over=over)
        x = normal(shape, dtype, seed=k)
        groups.append({"params": [x], "penalty": h, "metric": metric, "rule": rule(rule_name, r)})
    pair = Pair(groups)
    got, want = pair.step(stats=True)
    pair.check()
    assert_same_statistics(got, want, dtype)


def uneven_steps(shape: Any, dtype: str) -> Any:
    """Steps that differ a hundredfold, some of them zero."""
    rng = np.random.default_rng(85)
    s = 10 ** rng.uniform(-1, 1, shape) * (rng.random(shape) < 0.9)
    return s.astype(compute_dtype(dtype))


@each_dtype
@pytest.mark.parametrize(("shape", "over"), TEAMS)
def test_a_prox_alone(shape: Any, over: Any, dtype: str) -> None:
    """Into an array that is not read, and in place; with one step and with a step an element."""
    z, s = normal(shape, dtype, seed=86), uneven_steps(shape, dtype)
    h = ps.Group(ps.L1(1.7), over=over, group_weights=group_weights(shape, over, dtype))
    for step in (0.83, s):
        there = step if isinstance(step, float) else on_device(step)
        device_z, want = on_device(z), ps.prox(z, h, step)
        out = on_device(np.full_like(z, np.nan))
        ps.prox(device_z, h, there, out=out)
        assert_close(out.host, want, f"{h}")
        assert_same_bits(device_z.host, z, "the input stays")
        check_sentinels(out.host)
        ps.prox(device_z, h, there, out=device_z)
        assert_same_bits(device_z.host, out.host, "in place")


@each_dtype
@pytest.mark.parametrize("phi", [ps.MCP(22.0, 3.0), ps.L1_2(19.0), ps.Box(-1.0, 2.3)])
def test_long_searches_by_a_whole_block(phi: Any, dtype: str) -> None:
    """Each group takes its own number of sums."""
    z = normal((3, 1031), dtype, seed=99)
    s = uneven_steps((3, 1031), dtype) + compute_dtype(dtype).type(0.01)
    h = ps.Group(phi, over="rows", group_weights=[0.9, 0.1, 1.7])
    want = ps.prox(z, h, s)
    assert not np.array_equal(want, z)
    assert_close(ps.prox(on_device(z), h, on_device(s)).host, want, f"{h}")


@pytest.mark.parametrize(("name", "p"), NORM_CASES)
@pytest.mark.parametrize("diagonal", [False, True])
def test_the_oracle_agrees(name: str, p: Any, diagonal: bool) -> None:
    """The search over the norm finds what the kernel finds by its root."""
    shape, over = (6, 7), "rows"
    z, s = normal(shape, seed=87), np.abs(normal(shape, seed=88, scale=0.4)) + 0.2
    step = s if diagonal else 0.61
    w = np.array([0.4, 0.9, 1.3, 1.7, 0.6, 1.1])
    want = expected(name, p, over, z, step, w)
    out = ps.prox(on_device(z), group(name, p, over, w), on_device(s) if diagonal else step)
    np.testing.assert_allclose(out.host, want, rtol=1e-5, atol=1e-5)
