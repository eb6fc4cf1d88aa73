"""Steps that pass over rows at rest, and of the rows that a sparse gradient names.

pytest bench/test_rows.py
"""

from __future__ import annotations

from typing import Any

import proxstep as ps
import pytest
from machine import cpu_count
from timing import set_threads

torch = pytest.importorskip("torch")
optimizers = pytest.importorskip("proxstep.torch")

ROWS, COLUMNS = 4096, 1024
WORDS = {  # how many, their width, a batch, and the power of the uniform number that draws them
    "200 of 20,000 x 64": (20_000, 64, 200, 1),
    "large: 512 of 50,257 x 128, some often": (50_257, 128, 512, 4),
}
PENALTIES = {"none": None, "L1": ps.L1(0.05), "rows": ps.Group(ps.L1(0.05), over="rows")}


def some_zero_rows(share: float, skip: bool) -> tuple[Any, Any, Any]:
    """Return a parameter with gradients, its rows that are zero, and an optimizer."""
    p = torch.nn.Parameter(0.02 * torch.randn(ROWS, COLUMNS))
    p.grad = 0.01 * torch.randn(ROWS, COLUMNS)
    zero = slice(int(share * ROWS))
    p.data[zero] = 0
    weights = torch.ones(ROWS)
    weights[zero] = 1e6  # momentum does not free them
    penalty = ps.Group(ps.L1(1e-3), over="rows", group_weights=weights.numpy())
    optimizer = optimizers.ProxAdamW([p], penalty=penalty, metric="euclidean", skip_zero_rows=skip)
    return p, zero, optimizer


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("gradient", [0.0, 1e-14])
@pytest.mark.parametrize("skip", [False, True])
def test_rows_at_rest(benchmark: Any, share: float, gradient: float, skip: bool) -> None:
    """AdamW and a group penalty on rows, of which this share is zero and has this gradient."""
    benchmark.group = f"AdamW + rows, {100 * share:g} % zero, gradients of {gradient:g}"
    p, zero, optimizer = some_zero_rows(share, skip)
    p.grad[zero] = gradient
    set_threads(1)
    benchmark.pedantic(optimizer.step, rounds=200, warmup_rounds=3)
    set_threads(cpu_count())
    assert not p[zero].any()


@pytest.mark.parametrize("steps", [10, pytest.param(2500, id="large: 2500")])
@pytest.mark.parametrize("skip", [False, True])
def test_rows_that_had_gradients(benchmark: Any, steps: int, skip: bool) -> None:
    """The same, so many steps after all rows had gradients: their moments decay."""
    benchmark.group = f"AdamW + rows, 95 % zero, {steps} steps after their last gradient"
    p, zero, optimizer = some_zero_rows(0.95, skip)
    optimizer.step()
    p.grad[zero] = 0
    set_threads(1)
    benchmark.pedantic(optimizer.step, rounds=100, warmup_rounds=steps)
    set_threads(cpu_count())
    assert not p[zero].any()


def table(kind: str, words: str, penalty: str) -> tuple[Any, Any]:
    count, width, _, _ = WORDS[words]
    torch.manual_seed(0)
    embedding = torch.nn.Embedding(count, width, sparse=kind != "dense")
    if kind == "torch SparseAdam":
        return embedding, torch.optim.SparseAdam(embedding.parameters(), lr=1e-2)
    optimizer = optimizers.ProxAdamW(
        embedding.parameters(), lr=1e-2, penalty=PENALTIES[penalty], metric="euclidean"
    )
    if kind == "sparse":
        optimizer.follow(embedding)
    return embedding, optimizer


@pytest.mark.parametrize("kind", ["sparse", "dense", "torch SparseAdam"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("words", WORDS)
def test_embedding(benchmark: Any, kind: str, penalty: str, words: str) -> None:
    """Forward, backward and step, on one thread, once rows wait as long as they will.

    SparseAdam leaves out what AdamW does to the other rows; ours makes up for it.
    """
    benchmark.group = f"embedding, {words}, {penalty}"
    count, _, batch, power = WORDS[words]
    embedding, optimizer = table(kind, words, penalty)
    generator = torch.Generator().manual_seed(0)

    def step() -> None:
        read = (count * torch.rand(batch, generator=generator) ** power).long()
        optimizer.zero_grad()
        (embedding(read) - 1).square().sum().backward()
        optimizer.step()

    set_threads(1)
    benchmark.pedantic(step, rounds=200, warmup_rounds=300)
    set_threads(cpu_count())
    assert torch.isfinite(embedding.weight).all()
