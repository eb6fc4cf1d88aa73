"""Rows that are zero and passed over: the bits of dense steps."""

from __future__ import annotations

from typing import Any

import proxstep as ps
import pytest
from refusals import refused

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
cases = pytest.importorskip("torch_cases")
rows = pytest.importorskip("torch_row_cases")

ROWS, WIDTH, PENALTIES, penalties = rows.ROWS, rows.WIDTH, rows.PENALTIES, rows.penalties
each = pytest.mark.parametrize("name", cases.OPTIMIZERS)


def rested(name: str, skip: bool, **options: Any) -> tuple[Any, Any]:
    """Rows lose their gradients for a while; some of them lie at zero."""
    torch.manual_seed(5)
    p = torch.nn.Parameter(0.002 * torch.randn(ROWS, WIDTH))
    optimizer = cases.make(name, [p], skip_zero_rows=skip, **options)
    for step in range(60):
        generator = torch.Generator().manual_seed(step)
        g = 0.03 * torch.randn(ROWS, WIDTH, generator=generator)
        g[torch.rand(ROWS, generator=generator) < (0.5 if step % 20 < 3 else 0.95)] = 0.0
        if step > 8:
            g[:10] = 0.0
        p.grad = g
        optimizer.step()
    return p, optimizer


@each
@pytest.mark.parametrize("penalty", ["L1", "MCP", "rows", "sparse group", "row weights"])
@pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
def test_rows_at_rest_have_the_bits_of_rows_that_are_stepped(name, penalty, metric):
    strength = 40.0 if (name, metric) == ("AdamW", "euclidean") else 1.0  # steps of the rate's size
    options = {"penalty": penalties(strength)[penalty], "metric": metric}
    (mine, ours), (theirs, plain) = (rested(name, skip, **options) for skip in (True, False))
    assert torch.equal(mine, theirs)  # before the flush: what rests is where it belongs
    assert (mine == 0).all(1).any()
    ours.flush()
    for key, moment in plain.state[theirs].items():
        assert torch.equal(ours.state[mine][key], moment)


def test_rows_at_rest_are_not_touched():
    """Their moments stay as they were until they are looked at."""
    p, optimizer = rested("AdamW", True, penalty=PENALTIES["rows"])
    resting = (p == 0).all(1)
    before = optimizer.state[p]["exp_avg_sq"].clone()
    p.grad = torch.zeros_like(p)
    optimizer.step()
    same = (optimizer.state[p]["exp_avg_sq"] == before).all(1)
    assert same[resting].any()
    assert not same[~resting].any()


def test_another_penalty_ends_the_rest():
    """A weaker one may free a row that rested."""
    found = []
    for skip in (True, False):
        p, optimizer = rested("AdamW", skip, penalty=ps.Group(ps.L1(0.3), over="rows"))
        optimizer.param_groups[0]["penalty"] = ps.Group(ps.L1(1e-4), over="rows")
        for _ in range(5):
            p.grad = torch.zeros_like(p)
            optimizer.step()
        found.append(p.detach())
    assert torch.equal(*found)


def test_what_cannot_be_stepped_by_rows_is_refused():
    p = torch.nn.Parameter(torch.zeros(4, 6))
    for penalty, pattern in [
        (ps.Group(ps.L1(0.1), over="columns"), "not the rows"),
        (ps.Group(ps.L1(0.1), over=3), "not the rows"),
    ]:
        with refused(ValueError, "'table'", pattern):
            cases.make("SGD", [("table", p)], penalty=penalty, skip_zero_rows=True)
    half = torch.nn.Parameter(torch.zeros(4, 6, dtype=torch.bfloat16))
    for param, options in [
        (p, {"moments": "bfloat16"}),
        (half, {"master": True}),
        (half, {"rounding": "stochastic"}),
    ]:
        with refused(ValueError, "'table'", "skip_zero_rows"):
            cases.make(
                "AdamW", [("table", param)], penalty=ps.L1(0.1), skip_zero_rows=True, **options
            )
        cases.make("AdamW", [("table", param)], penalty=ps.L1(0.1), **options)
    optimizer = cases.make("SGD", [("table", p)], penalty=ps.L1(0.1))
    p.grad = torch.ones(4, 6).to_sparse()
    with refused(TypeError, "the gradient of 'table'", "2 of its dimensions"):
        optimizer.step()
    assert not p.any()
