"""compact on networks drawn at random: any layers, joined in any way, with zeros anywhere."""

from __future__ import annotations

import random
from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
nn = torch.nn

import proxstep.torch as pt  # noqa: E402
import torch_models as models  # noqa: E402
from torch.nn import functional as F  # noqa: E402

CHANNELS = (3, 4)  # few widths, so that values meet


class Drawn(nn.Module):
    """Twelve operations, each on values drawn from those before; all have one size in space."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.draw = random.Random(seed)
        self.layers = nn.ModuleList()
        self.plan: list[tuple[Any, ...]] = []
        widths = [2]
        for _ in range(12):
            widths.append(self._add(widths))
        self.last = len(widths) - 1
        self.head = nn.Linear(widths[-1], 2)

    def _add(self, widths: list[int]) -> int:
        kind = self.draw.choice(["conv", "conv", "act", "act", "norm", "join", "cat", "depthwise"])
        a = self.draw.randrange(max(0, len(widths) - 4), len(widths))
        if kind in ("join", "cat"):
            partners = [k for k, w in enumerate(widths) if kind == "cat" or w == widths[a]]
            b = self.draw.choice(partners)
            self.plan.append((kind, a, b, self.draw.choice([torch.add, torch.mul, torch.maximum])))
            return widths[a] + widths[b] if kind == "cat" else widths[a]
        layer, width = self._layer(kind, widths[a])
        self.plan.append((kind, a, len(self.layers), None))
        self.layers.append(layer)
        return width

    def _layer(self, kind: str, width: int) -> tuple[Any, int]:
        if kind == "conv":
            out, kernel = self.draw.choice(CHANNELS), self.draw.choice([1, 3])
            mode = self.draw.choice(["zeros", "reflect"])
            bias = self.draw.random() < 0.7
            return nn.Conv2d(width, out, kernel, 1, kernel // 2, padding_mode=mode, bias=bias), out
        if kind == "depthwise":
            return nn.Conv2d(width, width, 3, padding=1, groups=width), width
        if kind == "norm":
            return nn.BatchNorm2d(width), width
        acts = [nn.ReLU(), nn.Sigmoid(), nn.Softplus(), nn.PReLU(width), nn.Dropout(0.3)]
        acts += [nn.AvgPool2d(3, 1, 1), nn.MaxPool2d(3, 1, 1), nn.ReLU(inplace=True)]
        return self.draw.choice(acts), width

    def forward(self, x: Any) -> Any:
        values = [x]
        for kind, a, b, function in self.plan:
            if kind == "cat":
                values.append(torch.cat([values[a], values[b]], 1))
            elif kind == "join":
                values.append(function(values[a], values[b]))
            else:
                values.append(self.layers[b](values[a]))
        return self.head(F.adaptive_avg_pool2d(values[self.last], 1).flatten(1))


def damage(model: Any, draw: Any) -> None:
    """Make rows and columns zero, and some of the biases."""
    for layer in [*model.layers, model.head]:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            for axis in (0, 1):
                dead = [k for k in range(layer.weight.shape[axis]) if draw.random() < 0.35]
                layer.weight.data.index_fill_(axis, torch.tensor(dead, dtype=torch.long), 0)
        if getattr(layer, "bias", None) is not None:
            layer.bias.data[torch.rand(len(layer.bias)) < 0.4] = 0
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data[torch.rand(len(layer.weight)) < 0.3] = 0


@pytest.mark.parametrize("seed", range(80))
def test_outputs_stay(seed: int) -> None:
    torch.manual_seed(seed)
    model = models.randomise(Drawn(seed)).double().eval()
    damage(model, random.Random(seed))
    x = torch.randn(3, 2, 5, 6).double()
    smaller, _ = pt.compact(model, x[:1], tolerance=1e-10)
    got, want = smaller(x.clone()), model(x.clone())  # some overwrite what they are given
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-10)


def test_something_is_removed_from_many() -> None:
    removed = 0
    for seed in range(20):
        torch.manual_seed(seed)
        model = models.randomise(Drawn(seed)).double()
        damage(model, random.Random(seed))
        removed += bool(pt.compact(model, torch.randn(1, 2, 5, 6).double())[1].changes)
    assert removed > 12
