"""compact reads the arguments of a call as torch does, and parts that are not of one size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
nn = torch.nn

import proxstep.torch as pt  # noqa: E402
import torch_models as models  # noqa: E402


class Three(nn.Module):
    """Two layers side by side with 12 and 12 neurons, and one that reads what comes of them."""

    def __init__(self, join: Callable[..., Any], width: int) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 12), nn.Linear(4, 12)
        self.join, self.out = join, nn.Linear(width, 2)

    def forward(self, x: Any) -> Any:
        return self.out(self.join(self.a(x), self.b(x)))


def scores(q: Any, k: Any) -> Any:
    q, k = q.view(len(q), 3, -1, 1), k.view(len(k), 3, 1, -1)
    return torch.matmul(q, other=k).flatten(1)


def uneven(a: Any, b: Any) -> Any:
    first, _, _ = (a[:, :9] + b[:, :9]).split(4, 1)  # 4, 4 and 1
    return first


JOINS = {
    "concatenation": (lambda a, b: torch.cat([a, b], axis=1), 24),
    "chunks": (lambda a, b: torch.mul(*torch.chunk(a + b, 2, axis=-1)), 6),
    "softmax": (lambda a, b: torch.softmax(a + b, axis=-1), 12),
    "scores": (scores, 48),
    "uneven": (uneven, 4),
}


@pytest.mark.parametrize("name", JOINS)
def test_outputs_stay(name: str) -> None:
    model = models.randomise(Three(*JOINS[name])).double()
    for layer in (model.a, model.b):
        models.kill_rows(layer, [1, 7])
    x = torch.randn(5, 4, dtype=torch.float64)
    smaller, summary = pt.compact(model, x[:2])
    torch.testing.assert_close(smaller(x), model(x))
    leave = name in ("concatenation", "chunks")
    assert bool(summary.changes) == leave
