"""sparsity_report counts what a loop over the elements counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
nn = torch.nn

import proxstep.torch as pt  # noqa: E402

PLACES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
SHAPES = [(), (0,), (7,), (5, 6), (4, 3, 2), (3, 4, 2, 5), (0, 3), (6, 1)]


def model_of(*tensors: Any) -> Any:
    return nn.ParameterList([nn.Parameter(tensor) for tensor in tensors])


def holed(shape: Any, dtype: Any, place: str) -> Any:
    """Zeros, some of them negative, in elements, rows and columns."""
    torch.manual_seed(len(shape))
    tensor = torch.randn(shape).to(dtype)
    tensor[torch.rand(shape) < 0.6] = -0.0
    return tensor.to(place)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_numbers_are_those_of_loops(shape: Any, dtype: Any, place: str) -> None:
    tensor = holed(shape, dtype, place)
    (found,) = pt.sparsity_report(model_of(tensor), block=4).tensors
    flat = tensor.flatten().tolist()
    assert (found.shape, found.elements, found.zeros) == (shape, len(flat), flat.count(0))
    assert found.density == (1 - found.zeros / found.elements if flat else 1)
    blocks = [flat[i : i + 4] for i in range(0, len(flat), 4)]
    assert (found.blocks, found.zero_blocks) == (len(blocks), sum(not any(b) for b in blocks))
    if len(shape) < 2:
        assert (found.rows, found.zero_rows, found.columns, found.zero_columns) == (None,) * 4
        return
    assert (found.rows, found.columns) == shape[:2]
    for axis, zero in ((0, found.zero_rows), (1, found.zero_columns)):
        slices = (part.flatten().tolist() for part in tensor.unbind(axis))
        assert zero == sum(not any(values) for values in slices)


def test_nan_is_no_zero_and_denormals_are_none() -> None:
    tensor = torch.tensor([[torch.nan, 0.0], [0.0, 0.0], [1e-42, torch.inf]])
    report = pt.sparsity_report(model_of(tensor))
    assert (report.zeros, report.tensors[0].zero_rows, report.tensors[0].zero_columns) == (3, 1, 0)


def test_tied_parameters_count_once_under_their_first_name() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3, bias=False))
    model[2].weight = model[0].weight
    report = pt.sparsity_report(model)
    names = [tensor.name for tensor in report.tensors]
    assert names == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert report.elements == 18


def test_totals_and_json_and_table() -> None:
    model = model_of(holed((5, 6), torch.float32, "cpu"), holed((7,), torch.float32, "cpu"))
    report = pt.sparsity_report(model, block=3)
    assert report.zeros == sum(tensor.zeros for tensor in report.tensors)
    assert report.density == 1 - report.zeros / 37
    told = json.loads(json.dumps(report.to_dict()))
    assert told["density"] == report.density
    assert told["tensors"][0]["shape"] == [5, 6]
    assert told["tensors"][1]["zero_blocks"] == report.tensors[1].zero_blocks
    assert str(report).splitlines()[-1].split() == ["total", "37", f"{report.density:.4f}"]


def test_a_model_without_parameters() -> None:
    report = pt.sparsity_report(nn.ReLU())
    assert (report.elements, report.zeros, report.density) == (0, 0, 1.0)


def test_gradients_and_parameters_stay() -> None:
    model = nn.Linear(3, 2)
    model(torch.ones(1, 3)).sum().backward()
    before = [p.clone() for p in model.parameters()]
    pt.sparsity_report(model, block=2)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert model.weight.grad is not None


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (({"w": 1},), TypeError, "model is a dict; a torch.nn.Module is needed"),
        ((nn.ReLU(), 0), ValueError, "block is 0; a block has at least 1 element"),
        ((nn.ReLU(), 2.0), TypeError, "block is 2.0; an integer is needed"),
    ],
)
def test_refusals(given: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        pt.sparsity_report(given[0], **dict(zip(["block"], given[1:], strict=False)))


@pytest.mark.parametrize("layer", ["meta", "lazy"])
def test_a_parameter_without_elements_yet_is_named(layer: str) -> None:
    made = torch.nn.Linear(3, 2, device="meta") if layer == "meta" else torch.nn.LazyLinear(2)
    with pytest.raises(ValueError, match="weight has no elements yet"):
        pt.sparsity_report(torch.nn.Sequential(made))
