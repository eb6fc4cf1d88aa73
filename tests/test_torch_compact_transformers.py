"""compact on the layers that transformers are made of, written by hand."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
nn = torch.nn

import proxstep.torch as pt  # noqa: E402
import torch_models as models  # noqa: E402
import torch_transformers as transformers  # noqa: E402


def removed(model: Any, x: Any, *others: Any) -> dict[tuple[str, str], int]:
    """Compact with an example, compare on other inputs, and tell what was removed."""
    smaller, summary = pt.compact(model, x)
    for y in (x, *others):
        with torch.no_grad():
            torch.testing.assert_close(smaller.eval()(y), model.eval()(y))
    assert summary.parameters_after == sum(p.numel() for p in smaller.parameters())
    return {(c.name, c.what): c.before - c.after for c in summary.changes}


def sample(*shape: int) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(7)).double()


def test_neurons_between_transposed_layers_leave() -> None:
    model = models.randomise(transformers.ConvMLP()).double()
    model.c_fc.weight.data[:, [1, 4, 5]] = 0
    model.c_proj.weight.data[[0, 4]] = 0
    found = removed(model, sample(2, 3, 6), sample(5, 1, 6))
    assert found == {("c_fc", "outputs"): 4, ("c_proj", "inputs"): 4}


def test_a_transposed_layer_of_another_meaning_stays() -> None:
    class Conv1D(transformers.Conv1D):
        def forward(self, x: Any) -> Any:
            return super().forward(x).flip(-1)

    model = models.randomise(transformers.ConvMLP()).double()
    model.c_fc.__class__ = Conv1D
    model.c_fc.weight.data[:, 1] = 0
    assert removed(model, sample(2, 3, 6)) == {}


@pytest.mark.parametrize("part", ["gate", "up"])
def test_a_closed_gate_takes_what_it_gates_along(part: str) -> None:
    model = models.randomise(transformers.GatedMLP()).double()
    models.kill_rows(getattr(model, part), [2, 3, 9])
    models.kill_columns(model.down, [0, 3])
    found = removed(model, sample(2, 3, 6), sample(4, 6))
    assert found == {("gate", "outputs"): 4, ("up", "outputs"): 4, ("down", "inputs"): 4}


def test_an_open_gate_of_a_constant_stays() -> None:
    model = models.randomise(transformers.GatedMLP()).double()
    model.gate = nn.Linear(6, 10).double()
    models.kill_rows(model.gate, [2])
    assert removed(model, sample(2, 3, 6)) == {}
