"""An MLP with 90 % of its hidden neurons zero, as trained and compacted, and what that takes."""

from __future__ import annotations

import copy
import itertools

import pytest

torch = pytest.importorskip("torch")

from proxstep.torch import compact  # noqa: E402

SIZES = (784, 2048, 2048, 10)


def sparse_mlp(dead=0.9):
    """Rows of zeros, as row-group penalties leave them; the biases are not zero."""
    torch.manual_seed(0)
    layers = []
    for sizes in itertools.pairwise(SIZES):
        layers += [torch.nn.Linear(*sizes), torch.nn.GELU()]
    model = torch.nn.Sequential(*layers[:-1]).eval()
    for layer in model[:-1:2]:
        layer.weight.data[torch.randperm(layer.out_features)[: int(dead * layer.out_features)]] = 0
    return model


@pytest.mark.parametrize("batch", [1, 256])
@pytest.mark.parametrize("name", ["as trained", "compacted"])
def test_inference(benchmark, threads, batch, name):
    model, x = sparse_mlp(), torch.randn(batch, SIZES[0])
    smaller, summary = compact(model, x)
    sizes = "-".join(map(str, SIZES))
    benchmark.group = f"MLP {sizes}, 90 % dead, batch {batch}, {threads} threads"
    benchmark.extra_info["parameters"] = (summary.parameters_before, summary.parameters_after)
    with torch.inference_mode():
        benchmark(smaller if name == "compacted" else model, x)


def test_compacting(benchmark):
    model, x = sparse_mlp(), torch.randn(1, SIZES[0])
    benchmark(lambda: compact(model, x))


def test_the_copy_alone(benchmark):
    benchmark(copy.deepcopy, sparse_mlp())
