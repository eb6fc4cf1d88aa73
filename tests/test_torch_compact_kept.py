"""compact leaves alone what it does not understand, and says when the outputs differ."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
nn = torch.nn

import proxstep.torch as pt  # noqa: E402
import torch_models as models  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.nn.utils import prune  # noqa: E402


def removed(model: Any, *shape: int) -> int:
    size = shape or (3, 4)
    x = torch.linspace(-1.1, 1.3, math.prod(size), dtype=torch.float64).view(size)
    return sum(c.before - c.after for c in pt.compact(model, x)[1].changes)


def assigned(model: Any, x: Any) -> Any:
    y = model.first(x)
    y[:, 1] = 2.5
    return model.second(y)


KEPT = {
    "layer norm": lambda m, x: m.second(F.layer_norm(m.first(x), (6,))),
    "softmax": lambda m, x: m.second(m.first(x).softmax(-1)),
    "sum": lambda m, x: m.second(torch.tanh(y := m.first(x))) + y.sum(),
    "index": lambda m, x: m.second(m.first(x)[:, [2, 3, 4, 5, 0, 1]]),
    "flip": lambda m, x: m.second(m.first(x).flip(-1)),
    "roll": lambda m, x: m.second(m.first(x).roll(1, -1)),
    "sort": lambda m, x: m.second(m.first(x).sort(-1).values),
    "width": lambda m, x: m.second(y := m.first(x)) / y.shape[1],
    "width by method": lambda m, x: m.second(y := m.first(x)) * y.size(-1),
    "all sizes": lambda m, x: m.second(y := m.first(x)) * y.size()[1],
    "own weight": lambda m, x: m.second(m.first(x)) + m.first.weight.sum(),
    "own bias": lambda m, x: F.linear(m.first(x), m.second.weight, m.second.bias),
    "chunks": lambda m, x: m.second(torch.cat(m.first(x).chunk(2, -1), -1)),
    "an output": lambda m, x: (m.second(y := m.first(x)), y),
    "overwritten": models.overwritten,
    "assigned": assigned,
    "a matrix product": lambda m, x: m.first(x) @ m.second.weight.t(),
    "noise": lambda m, x: m.second(F.dropout(m.first(x) + 1.0, 0.5)),
    "a column": lambda m, x: m.second((y := m.first(x)) * y[:, :1]),
    "called twice": lambda m, x: m.second(m.first(x)) + m.second(m.first(-x)),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_not_understood_stays(name: str) -> None:
    assert removed(models.dead(KEPT[name])) == 0


UNDERSTOOD = {
    "operators": lambda m, x: m.second((0.7 - m.first(x)) / 2.5 * 3 + 0.25),
    "keywords": lambda m, x: m.second(F.leaky_relu(m.first(x), negative_slope=0.3)),
    "methods": lambda m, x: m.second(m.first(x).clamp(min=-0.4).tanh().mul_(3.1).contiguous()),
    "rows": lambda m, x: m.second(m.first(x)) / x.shape[0] * m.first.bias.new_ones(2).sum(),
    "gates": lambda m, x: m.second((y := m.first(x)) * y.sigmoid()),
}


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_what_is_understood_goes(name: str) -> None:
    model = models.dead(UNDERSTOOD[name])
    assert removed(model) == (0 if name == "rows" else 4)


def test_arguments_with_defaults_keep_their_values() -> None:
    class Net(nn.Sequential):
        def forward(self, x: Any, scale: Any = None, power: int = 2, loud: bool = False) -> Any:
            x = torch.tanh(self[0](x)) ** power
            if loud or scale is not None:
                x = x * scale
            return self[1](x)

    model = models.randomise(Net(nn.Linear(4, 6), nn.Linear(6, 2))).double()
    models.kill_rows(model[0], [1, 3])
    x = torch.ones(2, 4).double()
    for example in (x, (x, torch.tensor(0.3).double()), (x, 1.7, 3, True)):
        _, summary = pt.compact(model, example)
        scaled_by_a_tensor = isinstance(example, tuple) and len(example) == 2
        assert len(summary.changes) == (0 if scaled_by_a_tensor else 2)


def test_axes_that_only_look_alike_are_not_tied() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.flat, self.wide = nn.Linear(4, 6), nn.Conv1d(1, 6, 1)
            self.last = nn.Conv1d(6, 2, 1)

        def forward(self, x: Any) -> Any:  # (1, 6) and (1, 6, 6): the last axes meet
            return self.last(self.flat(x[:, 0, :4]) + self.wide(x))

    model = models.randomise(Net()).double()
    models.kill_rows(model.flat, [1])
    models.kill_rows(model.wide, [1, 2])
    assert removed(model, 1, 1, 6) == 0


def test_one_channel_that_meets_many_stays_one() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.last = nn.Linear(4, 1), nn.Linear(4, 2)

        def forward(self, x: Any) -> Any:
            return self.last(self.one(x) + x)

    model = models.randomise(Net()).double()
    models.kill_rows(model.one, [0])
    assert removed(model) == 0


def test_a_layer_called_by_keyword_stays() -> None:
    assert removed(models.dead(lambda m, x: m.second(input=m.first(input=x)))) == 0


def test_shared_hooked_and_reparametrised_layers_stay() -> None:
    plain = lambda m, x: m.second(torch.tanh(m.first(x)))  # noqa: E731
    assert removed(models.dead(plain)) == 4
    hooked = models.dead(plain)
    hooked.first.register_forward_hook(lambda module, args, result: result + 1)
    pruned = models.dead(plain)
    prune.random_unstructured(pruned.second, "weight", amount=1)
    with torch.no_grad():
        pruned(torch.ones(1, 4).double())  # torch copies no module with a weight that was computed
    normed = models.dead(plain)
    nn.utils.parametrizations.weight_norm(normed.second)
    tied = models.dead(plain)
    tied.third = nn.Linear(6, 2).double()
    tied.third.weight = tied.second.weight
    for model in (hooked, pruned, normed, tied):
        assert removed(model) == 0


def test_a_layer_called_twice_stays() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), (again := nn.Linear(6, 6)), again).double()
    models.kill_rows(models.randomise(model)[2], [0, 1])
    assert removed(model) == 0


def test_untraceable_parts_stay_and_their_parts_shrink() -> None:
    class Branch(nn.Module):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Any) -> Any:
            return self.inner(x) if x.sum() > -100 else x

    inner = models.dead(lambda m, x: m.second(torch.tanh(m.first(x))))
    model = nn.Sequential(nn.Linear(4, 4), Branch(inner), nn.ReLU(), nn.Linear(2, 3)).double()
    models.kill_rows(model[0], [1])
    smaller, summary = pt.compact(model, torch.ones(2, 4).double())
    assert {c.name for c in summary.changes} == {"1.inner.first", "1.inner.second"}
    assert smaller[1].inner.second.in_features == 4


@pytest.mark.parametrize("targets", [False, True])
def test_a_transformer_of_ones_own_loses_neurons_of_its_mlps(targets: bool) -> None:
    model = models.randomise(models.GPT()).double()
    models.kill_rows(model.blocks[0].mlp[0], range(0, 32, 3))
    models.kill_columns(model.blocks[1].mlp[2], [5, 7])
    models.kill_rows(model.blocks[1].c_attn, range(4))
    tokens = torch.tensor([[1, 5, 3, 10], [2, 2, 8, 0]])
    example = (tokens, tokens.roll(1)) if targets else tokens
    smaller, summary = pt.compact(model, example)
    assert [(c.name, c.what, c.before - c.after) for c in summary.changes] == [
        ("blocks.0.mlp.0", "outputs", 11),
        ("blocks.0.mlp.2", "inputs", 11),
        ("blocks.1.mlp.0", "outputs", 2),
        ("blocks.1.mlp.2", "inputs", 2),
    ]
    assert smaller.head.weight is smaller.wte.weight
    longer = torch.arange(7).view(1, 7)
    torch.testing.assert_close(smaller.eval()(longer)[0], model.eval()(longer)[0])


def test_a_module_that_runs_on_several_shapes_stays() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 4)).double()

        def forward(self, x: Any) -> Any:
            return self.inner(x).sum() + self.inner(x[0]).sum() if x.sum() > -100 else x

    model = models.randomise(Twice())
    models.kill_rows(model.inner[0], [1])
    assert removed(model) == 0


def test_batch_statistics_and_grouped_convolutions_stay() -> None:
    for middle in (
        nn.BatchNorm2d(6, track_running_stats=False),
        nn.Conv2d(6, 6, 1, groups=2),
        nn.GroupNorm(2, 6),
        nn.Softmax2d(),
        nn.ConvTranspose2d(6, 6, 1),
    ):
        model = nn.Sequential(nn.Conv2d(1, 6, 1), middle, nn.Conv2d(6, 2, 1)).double()
        models.kill_rows(models.randomise(model)[0], [0, 3])
        assert removed(model, 3, 1, 2, 2) == 0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_diverged_model_is_refused(bad: float) -> None:
    model = models.mlp(nn.ReLU())
    model[3].bias.data[2] = bad
    with pytest.raises(ValueError, match=r"3\.bias holds NaN or infinity"):
        pt.compact(model, torch.ones(1, 6))


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(TypeError, match=r"model is a function; a torch.nn.Module is needed"):
        pt.compact(test_what_is_no_module_is_refused, torch.ones(1))


def test_outputs_that_differ_are_an_error_with_the_difference() -> None:
    calls = itertools.count(1)  # no attribute of the model, so that nobody can undo it

    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = models.mlp(nn.ReLU())

        def forward(self, x: Any) -> Any:
            return self.body(x) + next(calls)

    words = r"output 0 of the smaller model differs by \d.*; its largest element was .*, and 0.0001"
    with pytest.raises(pt.CompactionError, match=words):
        pt.compact(Counts(), torch.ones(1, 6))
    pt.compact(Counts(), torch.ones(1, 6), tolerance=10.0)


def test_code_that_fails_with_fewer_neurons_is_an_error_with_its_words() -> None:
    def between(model: Any, x: Any) -> Any:
        if model.first.out_features != 6:
            raise ValueError("six are needed")
        return model.second(model.first(x))

    words = "the smaller model fails on the example: ValueError: six are needed"
    with pytest.raises(pt.CompactionError, match=words):
        removed(models.dead(between))


def test_an_example_that_the_model_overwrites_stays() -> None:
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))
    models.kill_rows(models.randomise(model)[1], [2])
    x = torch.tensor([[-1.0, 2.0, -0.5, 0.25]])
    smaller, _ = pt.compact(model, x)
    assert smaller[1].out_features == 4
    assert torch.equal(x, torch.tensor([[-1.0, 2.0, -0.5, 0.25]]))


def test_random_numbers_of_the_caller_stay() -> None:
    model = models.dead(KEPT["noise"])
    torch.manual_seed(5)
    want = torch.rand(3)
    torch.manual_seed(5)
    pt.compact(model, torch.ones(1, 4).double())
    assert torch.equal(torch.rand(3), want)


@pytest.mark.parametrize(
    "example", [torch.full((2, 4), torch.nan), torch.ones(0, 4)], ids=["NaN", "empty"]
)
def test_an_example_on_which_nothing_can_be_compared_is_refused(example: Any) -> None:
    with pytest.raises(ValueError, match=r"the 1 outputs on example_input hold no number, or NaN"):
        pt.compact(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), example)


def test_outputs_that_are_nan_in_parts_are_compared() -> None:
    model = models.randomise(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)))
    models.kill_rows(model[0], [1])
    example = torch.ones(2, 4)
    example[1, 0] = torch.nan
    smaller, _ = pt.compact(model, example)
    assert smaller[0].out_features == 2
    torch.testing.assert_close(smaller(example), model(example), equal_nan=True)
