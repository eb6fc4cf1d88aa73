"""A small embedding stepped by rows, and the same by dense gradients; shared by their tests."""

from __future__ import annotations

from typing import Any

import proxstep as ps
import torch
import torch_cases

ROWS, WIDTH = 50, 12


def penalties(strength: float = 1.0) -> dict[str, Any]:
    a, b = 0.02 * strength, 0.07 * strength
    return {
        "none": None,
        "L1": ps.L1(a),
        "MCP": ps.MCP(a, 2.7),
        "box": ps.Box(0.1, 0.5),
        "rows": ps.Group(ps.L1(b), over="rows"),
        "sparse group": ps.SparseGroup(a / 2, b / 2, over="rows"),
        "2:4": ps.NM(2, 4),
        "weights": ps.L1(a, weights=torch.arange(ROWS * WIDTH).view(ROWS, -1) % 7 / 3.0),
        "row weights": ps.Group(ps.L1(b), over="rows", group_weights=torch.arange(ROWS) / 20.0),
    }


PENALTIES = penalties()


def embedding(sparse: bool, dtype: Any = torch.float32) -> Any:
    torch.manual_seed(3)
    return torch.nn.Embedding(ROWS, WIDTH, sparse=sparse, dtype=dtype)


def indices(step: int) -> Any:
    """A few rows, some twice, the first ones more often than the others."""
    generator = torch.Generator().manual_seed(step)
    return (ROWS * torch.rand(2, 4, generator=generator) ** 3).long()


def loss(table: Any, step: int) -> Any:
    generator = torch.Generator().manual_seed(500 + step)
    out = table(indices(step))
    return (out * torch.randn(out.shape, generator=generator).to(out)).sum() + out.square().sum()


def learn(table: Any, optimizer: Any, steps: range, schedule: Any = None) -> None:
    for step in steps:
        optimizer.zero_grad()
        loss(table, step).backward()
        optimizer.step()
        if schedule:
            schedule.step()


def both(name: str, dtype: Any = torch.float32, **options: Any) -> tuple[list[Any], list[Any]]:
    """The same table and optimizer with sparse gradients, followed, and with dense ones."""
    tables = [embedding(True, dtype), embedding(False, dtype)]
    optimizers = [torch_cases.make(name, t.parameters(), **options) for t in tables]
    optimizers[0].follow(tables[0])
    return tables, optimizers
