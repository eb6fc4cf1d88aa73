"""to_semi_structured converts exactly or says why not; the conversion itself needs a GPU."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import proxstep as ps
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
nn = torch.nn

import proxstep.torch as pt  # noqa: E402


def pruned(*sizes: int, dtype: Any = torch.float16) -> Any:
    """Linear layers whose weights the prox of 2:4 sparsity made."""
    torch.manual_seed(2)
    model = nn.Sequential(*(nn.Linear(*pair) for pair in itertools.pairwise(sizes)))
    with torch.no_grad():
        for layer in model:
            layer.weight.copy_(torch.from_numpy(ps.NM(2, 4).prox(layer.weight.numpy())))
    return model.to(dtype)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ((1, 4), r"layer 1: weight\[1, 4:8\] is \[.*7\.0.*\], 3 nonzeros; 2:4 allows 2"),
        ((0, 15), r"layer 1: weight\[0, 12:16\] is .*7\.0\], 3 nonzeros"),
    ],
)
def test_a_named_layer_against_the_pattern_is_told_with_its_block(place: Any, words: str) -> None:
    model = pruned(8, 16, 12)
    row, column = place
    block = model[1].weight.data[row, column // 4 * 4 :][:4]
    block[:] = torch.tensor([7.0, 0, 1, 2]) if column % 4 == 0 else torch.tensor([1, 2, 0, 7.0])
    model[1].weight.data[2, :4] = 5  # a later one is not told
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match=words):
        pt.to_semi_structured(model, ["0", "1"])
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_nan_counts_as_nonzero() -> None:
    model = pruned(8, 4)
    model[0].weight.data[3, :4] = torch.tensor([torch.nan, 1, 0, torch.nan])
    with pytest.raises(ValueError, match=r"weight\[3, 0:4\] is \[nan, 1.0, 0.0, nan\], 3 nonzeros"):
        pt.to_semi_structured(model, ["0"])


def dense() -> Any:
    return nn.Sequential(nn.Linear(8, 4), nn.ReLU())


def tied() -> Any:
    model = pruned(8, 8, 8)
    model[1].weight = model[0].weight
    return model


@pytest.mark.parametrize(
    ("model", "layers", "error", "words"),
    [
        (nn.Linear, None, TypeError, "model is a type; a torch.nn.Module is needed"),
        (dense(), None, ValueError, "no torch.nn.Linear of the model has a weight with 2:4"),
        (tied(), None, ValueError, "no torch.nn.Linear of the model has a weight with 2:4"),
        (tied(), ["1"], ValueError, "layer 1: the weight is shared with another layer"),
        (dense(), ["7"], ValueError, "the model has no layer '7'"),
        (dense(), ["1"], TypeError, "layer 1 is a ReLU; a Linear is needed"),
        (pruned(8, 8), "0", TypeError, "layers is '0'; a list of names is needed"),
        (pruned(8, 8), 0, TypeError, "layers is 0; a list of names is needed"),
        (pruned(8, 8), [], ValueError, "layers names none"),
        (nn.Linear(6, 2), [""], ValueError, "the weight has 6 inputs; .* needs a multiple of 4"),
        (pruned(8, 8, dtype=torch.float32), None, TypeError, "torch.float32; torch.float16 or"),
        (
            pruned(8, 8, dtype=torch.float64),
            ["0"],
            TypeError,
            "layer 0: .* is torch.float64",
        ),
        (pruned(8, 8), None, ValueError, "layer 0: the weight is in cpu memory; .* a CUDA device"),
    ],
)
def test_refusals(model: Any, layers: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        pt.to_semi_structured(model, layers)


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore:The PyTorch API of SparseSemiStructuredTensor")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_outputs_on_a_gpu_stay(dtype: Any) -> None:
    model = pruned(128, 256, 128, dtype=dtype).cuda()
    x = torch.randn(64, 128, device="cuda", dtype=dtype)
    want = model(x)
    assert pt.to_semi_structured(model) == ("0", "1")
    torch.testing.assert_close(model(x), want, rtol=2e-2, atol=2e-2)
    with pytest.raises(ValueError, match=r"no torch.nn.Linear"):
        pt.to_semi_structured(model)


@pytest.mark.gpu
def test_a_shape_that_the_kernels_refuse_leaves_the_model_as_it_is() -> None:
    model = pruned(128, 128, 4).cuda()
    with pytest.raises(ValueError, match=r"layer 1: a weight of shape \(4, 128\) is refused"):
        pt.to_semi_structured(model)
    assert all(type(layer.weight) is nn.Parameter for layer in model)


def test_the_prox_makes_the_pattern() -> None:
    weight = pruned(16, 8, dtype=torch.float32)[0].weight.detach().numpy()
    assert ps.NM(2, 4).value(weight) == 0
    assert (np.count_nonzero(weight.reshape(-1, 4), axis=1) <= 2).all()
