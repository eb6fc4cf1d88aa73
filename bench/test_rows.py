"""Steps that pass over rows at rest, and of the rows that a sparse gradient names.

pytest bench/test_rows.py
"""

from __future__ import annotations

from typing import Any

import proxstep as ps
import pytest

torch = pytest.importorskip("torch")
optimizers = pytest.importorskip("proxstep.torch")

ROWS, COLUMNS = 2048, 1024
WORDS, WIDTH, BATCH = 50257, 128, 512


@pytest.mark.parametrize("resting", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("skip", [False, True])
def test_rows_at_rest(benchmark: Any, resting: float, skip: bool) -> None:
    """AdamW and a group penalty on rows, of which this share is zero and has no gradient."""
    benchmark.group = f"AdamW + rows, {100 * resting:g} % at rest"
    p = torch.nn.Parameter(0.02 * torch.randn(ROWS, COLUMNS))
    p.grad = 0.01 * torch.randn(ROWS, COLUMNS)
    at_rest = int(resting * ROWS)
    p.data[:at_rest] = 0
    p.grad[:at_rest] = 0
    penalty = ps.Group(ps.L1(1e-3), over="rows")
    optimizer = optimizers.ProxAdamW([p], penalty=penalty, metric="euclidean", skip_zero_rows=skip)
    for _ in range(3):
        optimizer.step()
    benchmark(optimizer.step)
    assert not p[:at_rest].any()


def table(kind: str) -> tuple[Any, Any]:
    embedding = torch.nn.Embedding(WORDS, WIDTH, sparse=kind != "dense")
    if kind == "torch SparseAdam":
        return embedding, torch.optim.SparseAdam(embedding.parameters())
    optimizer = optimizers.ProxAdamW(embedding.parameters(), penalty=ps.L1(1e-4))
    if kind == "sparse":
        optimizer.follow(embedding)
    return embedding, optimizer


@pytest.mark.parametrize("kind", ["sparse", "dense", "torch SparseAdam"])
def test_embedding(benchmark: Any, kind: str) -> None:
    """Forward, backward and step of words drawn with very different frequencies.

    SparseAdam leaves out what AdamW does to the other rows; ours makes up for it.
    """
    benchmark.group = f"embedding of {WORDS} words, {BATCH} in a batch"
    embedding, optimizer = table(kind)
    generator = torch.Generator().manual_seed(0)

    def step() -> None:
        words = (WORDS * torch.rand(BATCH, generator=generator) ** 4).long()
        optimizer.zero_grad()
        embedding(words).square().sum().backward()
        optimizer.step()

    benchmark(step)
    assert torch.isfinite(embedding.weight).all()
