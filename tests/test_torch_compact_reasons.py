"""Zero rows and columns that stay are named with the reason."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
nn = torch.nn

import proxstep.torch as pt  # noqa: E402
import torch_models as models  # noqa: E402
from torch.nn import functional as F  # noqa: E402

FORWARDS = {
    "layer norm": (
        lambda m, x: m.second(F.layer_norm(m.first(x), (6,))),
        "they enter layer_norm",
    ),
    "softmax": (lambda m, x: m.second(m.first(x).softmax(-1)), "they enter softmax"),
    "own weight": (
        lambda m, x: m.second(m.first(x)) + m.first.weight.sum(),
        "its parameters are used elsewhere too",
    ),
    "an output": (
        lambda m, x: (m.second(y := m.first(x)), y),
        "they enter the output of the model",
    ),
    "overwritten": (
        models.overwritten,
        "the model overwrites what it reads elsewhere too",
    ),
    "twice": (
        lambda m, x: m.second(m.first(x)) + m.second(m.first(-x)),
        "it is called from several places",
    ),
    "branch": (
        lambda m, x: m.second(m.first(x)) if x.sum() > -100 else x,
        "what is around it could not be traced",
    ),
}


@pytest.mark.parametrize("name", FORWARDS)
def test_zero_rows_that_stay_are_named_with_the_reason(name: str) -> None:
    forward, reason = FORWARDS[name]
    model = models.dead(forward)
    x = torch.linspace(-1.1, 1.3, 12, dtype=torch.float64).view(3, 4)
    _, summary = pt.compact(model, x)
    found = [(s.name, s.what, s.count, s.reason) for s in summary.stays]
    assert found == [("first", "outputs", 2, reason)]
    assert f"2 zero, stay: {reason}" in str(summary).splitlines()[-1]
    assert summary.to_dict()["stays"][0]["count"] == 2


def test_what_zero_rows_became_may_be_needed_and_zero_columns_stay_at_the_input() -> None:
    layers = (nn.Conv2d(2, 5, 3), nn.Softplus(), nn.Conv2d(5, 3, 3, padding=1))
    model = models.randomise(nn.Sequential(*layers)).double()
    models.kill_rows(model[0], [1])
    models.kill_columns(model[0], [0])
    _, summary = pt.compact(model, torch.ones(1, 2, 6, 6).double())
    assert [(s.name, s.what, s.reason) for s in summary.stays] == [
        ("0", "outputs", "2 needs what they become"),
        ("0", "inputs", "they come from the input of the model"),
    ]


def test_a_branch_that_is_zero_stays_for_what_reads_the_sum() -> None:
    model = models.dead(lambda m, x: m.second(m.other(x) + m.first(x)))
    model.other = nn.Linear(4, 6).double()
    stays = pt.compact(model, torch.ones(2, 4).double())[1].stays
    assert [(s.name, s.what, s.reason) for s in stays] == [
        ("first", "outputs", "second needs what they become")
    ]


def test_a_column_that_is_zero_in_the_rows_that_stay_is_named_with_the_reason() -> None:
    model = models.randomise(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)))
    model[0].weight.data[:5, 1] = 0
    models.kill_columns(model[2], [5])  # the only one that reads that input
    stays = pt.compact(model, torch.ones(2, 4))[1].stays
    assert [(s.name, s.what, s.reason) for s in stays] == [
        ("0", "inputs", "they come from the input of the model")
    ]


def test_a_layer_that_is_the_model_stays() -> None:
    layer = nn.Linear(4, 6)
    models.kill_rows(layer, [1, 3])
    stays = pt.compact(layer, torch.ones(2, 4))[1].stays
    assert [(s.name, s.count, s.reason) for s in stays] == [("", 2, "it is the whole model")]


def test_where_all_that_is_zero_leaves_nothing_is_named() -> None:
    model = models.dead(lambda m, x: m.second(torch.tanh(m.first(x))))
    assert pt.compact(model, torch.ones(2, 4).double())[1].stays == ()
    model.first.weight.data.zero_()
    stays = pt.compact(model, torch.ones(2, 4).double())[1].stays
    assert [(s.count, s.reason) for s in stays if s.what == "outputs"] == [
        (1, "every layer keeps one")
    ]
