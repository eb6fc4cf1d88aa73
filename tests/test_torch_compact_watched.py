"""compact on models that torch.fx cannot trace: the run on the example is watched."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
nn = torch.nn

import proxstep.torch as pt  # noqa: E402
import torch_models as models  # noqa: E402
import torch_transformers as transformers  # noqa: E402
from test_torch_compact_kept import KEPT, UNDERSTOOD  # noqa: E402
from torch.nn import functional as F  # noqa: E402


class Looking(models.Step):
    """The step, which looks at a size: fx gives up."""

    def forward(self, x: Any) -> Any:
        if x.shape[0] > 100:
            raise ValueError("too long")
        return self.between(self, x)


def removed(between: Any, model: Any = Looking) -> int:
    made = models.randomise(model(between)).double()
    models.kill_rows(made.first, [1, 3])
    made.first.bias.data[[1, 3]] = 0
    x = torch.linspace(-1.1, 1.3, 12, dtype=torch.float64).view(3, 4)
    smaller, summary = pt.compact(made, x)
    longer = x.repeat(2, 1) * 1.7
    with torch.no_grad():
        want, got = made.eval()(longer), smaller.eval()(longer)
    if isinstance(want, torch.Tensor):
        torch.testing.assert_close(got, want)
    return sum(c.before - c.after for c in summary.changes)


# In eval mode the dropout gives back what it got, so that all there is is a sum.
SERVED = {"overwritten"}


@pytest.mark.parametrize("name", sorted(set(KEPT) - SERVED - {"noise"}))
def test_what_is_not_understood_stays(name: str) -> None:
    assert removed(KEPT[name]) == 0


@pytest.mark.parametrize("name", sorted(set(UNDERSTOOD) | SERVED))
def test_what_is_understood_goes(name: str) -> None:
    assert removed((UNDERSTOOD | KEPT)[name]) == (0 if name == "rows" else 4)


def unpacked(model: Any, x: Any) -> Any:
    *batch, _ = x.shape
    return model.second(torch.tanh(model.first(x))).view(*batch, -1)


def sliced(model: Any, x: Any) -> Any:
    y = model.first(x)
    return model.second(y.relu()).view(*y.shape[:-1], 2)


SIZES_OF_OTHER_AXES = {
    "unpacked": unpacked,
    "sliced": sliced,
    "length": lambda m, x: m.second(y := m.first(x)) / len(y) ** 0.5,
    "one": lambda m, x: m.second(y) * y.size(0) if len(y := m.first(x)) > 1 else x,
    "default": lambda m, x: m.second(m.first(x)) * torch.ones(x.shape[0]).double().mean(),
    "reversed": lambda m, x: m.second(1.5 - m.first(x) / 2),
}


@pytest.mark.parametrize("name", SIZES_OF_OTHER_AXES)
def test_sizes_of_other_axes_do_no_harm(name: str) -> None:
    assert removed(SIZES_OF_OTHER_AXES[name]) == 4


WIDTHS = {
    "product": lambda m, x: m.second(y := m.first(x)) / math.prod(y.shape[-1:]),
    "joined": lambda m, x: m.second(y := m.first(x)) + (y.shape + x.shape)[1],
    "elements": lambda m, x: m.second(y := m.first(x)) / y.numel(),
    "elements of sizes": lambda m, x: m.second(y := m.first(x)) / y.shape.numel(),
    "compared": lambda m, x: m.second(y := m.first(x)) * (y.shape == (3, 6)),
    "key": lambda m, x: m.second(y := m.first(x)) * {(3, 6): 2.0}.get(y.shape, 1.0),
    "constant": lambda m, x: m.second(y := m.first(x)) + torch.ones(y.shape).sum(),
}


@pytest.mark.parametrize("name", WIDTHS)
def test_a_width_that_is_read_in_any_way_stays(name: str) -> None:
    assert removed(WIDTHS[name]) == 0


DECIDING = {
    "bool": lambda m, x: m.second(m.first(x)) if x.sum() > -100 else x,
    "item": lambda m, x: m.second(m.first(x)) * x.max().item(),
    "list": lambda m, x: m.second(m.first(x)) * x.flatten().tolist()[0],
    "equal": lambda m, x: m.second(m.first(x)) if not torch.equal(x, x + 1) else x,
}


@pytest.mark.parametrize("name", DECIDING)
def test_where_numbers_decide_nothing_leaves(name: str) -> None:
    assert removed(DECIDING[name]) == 0


def test_an_error_that_the_model_catches_does_no_harm() -> None:
    class Trying(models.Step):
        def __init__(self, between: Any) -> None:
            super().__init__(between)
            self.other = nn.Linear(9, 2)

        def forward(self, x: Any) -> Any:
            with contextlib.suppress(RuntimeError):
                return self.other(x)
            return self.between(self, x)

    assert removed(UNDERSTOOD["gates"], Trying) == 4
    assert removed(KEPT["sum"], Trying) == 0


def test_a_part_whose_numbers_decide_is_one_step_of_the_whole() -> None:
    class Branch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = models.mlp(nn.ReLU())

        def forward(self, x: Any) -> Any:
            return self.inner(x) if x.sum() > -100 else x

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.branch, self.after = models.mlp(nn.Tanh()), Branch(), nn.Linear(3, 2)
            self.narrow = nn.Linear(3, 6)

        def forward(self, x: Any) -> Any:
            assert x.shape[0] < 100
            return self.after(self.branch(self.narrow(self.before(x))))

    model = models.randomise(Whole()).double()
    for layer in (model.before[0], model.narrow, model.branch.inner[3], model.branch.inner[5]):
        models.kill_rows(layer, [0, 2])
    _, summary = pt.compact(model, torch.linspace(-1, 1, 12).view(2, 6).double())
    assert [(c.name, c.before - c.after) for c in summary.changes] == [
        ("before.0", 2),
        ("before.3", 2),
        ("branch.inner.3", 2),
        ("branch.inner.5", 2),
    ]
    assert [(s.name, s.reason) for s in summary.stays] == [
        ("branch.inner.5", "they enter the output of branch.inner"),
        ("narrow", "they enter Branch branch"),
    ]


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
def test_what_no_function_of_torch_made_is_not_trusted() -> None:
    half = torch.jit.script(F.hardtanh)
    assert removed(lambda m, x: m.second(half(m.first(x)))) == 0


def test_outputs_in_a_dataclass_are_outputs() -> None:
    @dataclass
    class Output:
        logits: Any
        hidden: Any

    assert removed(lambda m, x: Output(m.second(y := m.first(x)), y)) == 0
    assert removed(lambda m, x: Output(m.second(m.first(x)), None)) == 4


def test_calls_of_modules_are_as_they_were_afterwards() -> None:
    before = nn.Module.__call__
    for between in (UNDERSTOOD["methods"], DECIDING["bool"], lambda m, x: m.nothing):
        with contextlib.suppress(AttributeError):
            removed(between)
        assert nn.Module.__call__ is before


def test_an_mlp_in_two_modules_of_a_layer_that_takes_anything() -> None:
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.intermediate = transformers.Intermediate(6, 10)
            self.output = transformers.Output(10, 6)

        def forward(self, x: Any, *parts: Any, **kwargs: Any) -> Any:
            batch, length, _ = x.shape
            chunks = [x[:, i : i + 2] for i in range(0, length, max(2, length))]
            done = [self.output(self.intermediate(chunk), chunk) for chunk in chunks]
            return torch.cat(done, dim=1).view(batch, length, -1)

    model = models.randomise(Layer()).double()
    models.kill_rows(model.intermediate.dense, [0, 7, 8])
    x = torch.linspace(-1, 1, 24).view(2, 2, 6).double()
    smaller, summary = pt.compact(model, x)
    assert [(c.name, c.before - c.after) for c in summary.changes] == [
        ("intermediate.dense", 3),
        ("output.dense", 3),
    ]
    torch.testing.assert_close(smaller.eval()(2 * x), model.eval()(2 * x))
