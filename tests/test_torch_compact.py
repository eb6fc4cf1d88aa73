"""compact: the outputs stay, what is dead goes, and the model is left as it was."""

from __future__ import annotations

import copy
from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
nn = torch.nn

import proxstep.torch as pt  # noqa: E402
import torch_models as models  # noqa: E402
from proxstep.torch.compaction.elementwise import MODULES  # noqa: E402

TOLERANCES = {torch.float64: 1e-12, torch.float32: 2e-6, torch.float16: 4e-3, torch.bfloat16: 3e-2}


PLACES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def sample(*shape: int, dtype: Any = torch.float64) -> Any:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def compacted(model: Any, *inputs: Any) -> tuple[Any, Any]:
    """Compact, and compare the outputs on other inputs than those of the example."""
    smaller, summary = pt.compact(model, tuple(x[:1] for x in inputs))
    modes = model.training
    with torch.no_grad():
        want, got = copy.deepcopy(model).eval()(*inputs), copy.deepcopy(smaller).eval()(*inputs)
    assert model.training is smaller.training is modes
    torch.testing.assert_close(got, want, rtol=0, atol=TOLERANCES[want.dtype] * want.abs().max())
    return smaller, summary


def sizes(summary: Any) -> dict[tuple[str, str], int]:
    return {(c.name, c.what): c.before - c.after for c in summary.changes}


def patterns(seed: int) -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(seed)
    rows, columns = (torch.rand(9, generator=generator) < 0.4 for _ in range(2))
    return rows, columns


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("activation", MODULES)
def test_dead_neurons_of_an_mlp_leave(activation: Any, seed: int, bias: bool) -> None:
    settings = (0.3, 0.8) if activation is nn.Threshold else ()
    model = models.mlp(activation(*settings), bias).double()
    rows, columns = patterns(seed)
    models.kill_rows(model[0], rows)
    models.kill_columns(model[3], columns)
    models.kill_rows(model[3], rows[:8])
    smaller, summary = compacted(model, sample(5, 6))
    dead = rows | columns
    found = sizes(summary)
    assert found["0", "outputs"] == found["3", "inputs"] == int(dead.sum())
    assert found["3", "outputs"] == found["5", "inputs"] == int(rows[:8].sum())
    assert smaller[0].weight.shape == (smaller[0].out_features, 6)
    assert smaller[3].out_features == 8 - int(rows[:8].sum())
    assert [type(part) for part in smaller] == [type(part) for part in model]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_in_every_dtype(dtype: Any, place: str) -> None:
    model = models.mlp(nn.Softplus()).to(place, dtype)
    models.kill_rows(model[0], [1, 4, 5])
    smaller, summary = compacted(model, sample(5, 6, dtype=dtype).to(place))
    assert sizes(summary) == {("0", "outputs"): 3, ("3", "inputs"): 3}
    assert {p.dtype for p in smaller.parameters()} == {dtype}


def test_a_constant_goes_into_a_bias_that_was_not_there() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 2, bias=False)).double()
    models.randomise(model)
    models.kill_rows(model[0], [1])
    smaller, _ = compacted(model, sample(7, 4))
    constant = torch.sigmoid(model[0].bias[1]) * model[2].weight[:, 1]
    torch.testing.assert_close(smaller[2].bias, constant)
    model[0].bias.data[1] = 0
    model[1] = nn.Tanh()
    assert compacted(model, sample(7, 4))[0][2].bias is None


def test_constants_and_idle_neurons_are_followed_through_the_layers() -> None:
    model = models.mlp(nn.GELU()).double()
    models.kill_rows(model[0], [0, 1, 2, 3, 4])
    model[3].weight.data[0, 5:] = 0  # sees constants only
    model[5].weight.data[:, 7] = 0
    model[3].weight.data[:7, 8] = 0  # serves nothing but what is idle
    found = sizes(compacted(model, sample(5, 6))[1])
    assert found["0", "outputs"] == 6
    assert found["3", "outputs"] == 2


@pytest.mark.parametrize("layer", [0, 3])
def test_a_layer_that_is_all_dead_keeps_one(layer: int) -> None:
    model = models.mlp(nn.Sigmoid()).double()
    model[layer].weight.data.zero_()
    smaller, _ = compacted(model, sample(5, 6))
    assert smaller[layer].out_features == 1
    assert smaller[3].out_features == 1 or layer == 3


def test_where_nothing_is_dead_nothing_changes() -> None:
    model = models.mlp(nn.SiLU())
    smaller, summary = compacted(model, sample(5, 6, dtype=torch.float32))
    assert summary.changes == ()
    assert summary.parameters_before == summary.parameters_after
    for want, got in zip(model.parameters(), smaller.parameters(), strict=True):
        assert torch.equal(want, got)
        assert want.data_ptr() != got.data_ptr()


def test_the_model_stays_as_it_is_and_flags_are_kept() -> None:
    model = nn.Sequential(nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 3, 3))
    models.randomise(model)
    models.kill_rows(model[0], [0, 3])
    model[1].eval()
    model[0].weight.requires_grad_(False)
    model(sample(2, 2, 9, 9, dtype=torch.float32)).sum().backward()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    smaller, _ = compacted(model, sample(2, 2, 9, 9, dtype=torch.float32))
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert [part.training for part in smaller] == [True, False, True, True]
    assert [p.requires_grad for p in smaller.parameters()] == [False, *[True] * 5]
    assert all(p.grad is None for p in smaller.parameters())
    assert not any(part._forward_pre_hooks for part in smaller.modules())
    with torch.no_grad():
        smaller[0].bias.add_(1)
    assert torch.equal(model[0].bias, before["0.bias"])
    smaller(sample(2, 2, 9, 9, dtype=torch.float32)).sum().backward()


@pytest.mark.parametrize("padding", [0, 1, (2, 0), "same", "valid"])
@pytest.mark.parametrize("mode", ["zeros", "reflect", "circular", "replicate"])
@pytest.mark.parametrize("f", [nn.ReLU(inplace=True), nn.Softplus()])
def test_a_constant_beside_a_border_of_zeros_stays(padding: Any, mode: str, f: Any) -> None:
    second = nn.Conv2d(6, 4, 3, padding=padding, padding_mode=mode)
    model = models.randomise(nn.Sequential(nn.Conv2d(2, 6, 3, padding=1), f, second)).double()
    models.kill_rows(model[0], [1, 2, 5])
    model[0].bias.data[:3] = torch.tensor([-0.3, 0.4, -0.2])
    model[0].bias.data[5] = -0.7
    _, summary = compacted(model, sample(3, 2, 8, 7))
    foldable = mode != "zeros" or padding in (0, "valid")
    zeros = 2 if isinstance(f, nn.ReLU) else 0
    assert sizes(summary).get(("0", "outputs"), 0) == (3 if foldable else zeros)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_convolutions_norms_and_pools_of_every_dimension(d: int) -> None:
    convolution, norm, largest, average, adaptive = (
        getattr(nn, f"{name}{d}d")
        for name in ("Conv", "BatchNorm", "MaxPool", "AvgPool", "AdaptiveAvgPool")
    )
    layers = [convolution(2, 7, 2), norm(7), nn.ELU(), largest(2, padding=1), convolution(7, 5, 1)]
    layers += [nn.Tanh(), average(2), adaptive(2), nn.Flatten(), nn.Linear(5 * 2**d, 3)]
    model = models.randomise(nn.Sequential(*layers)).double()
    models.kill_rows(model[0], [0, 6])
    model[1].weight.data[3] = 0  # a batch norm that scales by 0 is constant
    models.kill_rows(model[4], [2, 3])
    found = sizes(compacted(model, sample(2, 2, *[11] * d))[1])
    assert found["0", "outputs"] == found["1", "channels"] == found["4", "inputs"] == 3
    assert found["4", "outputs"] == 2
    assert found["9", "inputs"] == 2 * 2**d


@pytest.mark.parametrize(
    "pool",
    [
        nn.AvgPool2d(3, padding=1),
        nn.AvgPool2d(3, padding=1, count_include_pad=False),
        nn.AvgPool2d(2, divisor_override=3),
    ],
)
def test_an_average_that_counts_a_border_keeps_no_constant(pool: Any) -> None:
    model = nn.Sequential(nn.Conv2d(2, 5, 3), pool, nn.Conv2d(5, 3, 1))
    models.randomise(model).double()
    models.kill_rows(model[0], [1, 2])
    model[0].bias.data[1] = 0
    removed = sizes(compacted(model, sample(2, 2, 9, 8))[1])["0", "outputs"]
    assert removed == (1 if pool.divisor_override or pool.count_include_pad else 2)


def test_a_kernel_is_dead_where_all_its_taps_are() -> None:
    model = nn.Sequential(nn.Conv2d(2, 5, 3), nn.Sigmoid(), nn.Conv2d(5, 3, (2, 3))).double()
    models.randomise(model)
    model[0].weight.data[[0, 3], :, :2] = 0
    model[0].weight.data[3, :, 2, 1:] = 0
    model[2].weight.data[:, [1, 2], :, :2] = 0
    model[2].weight.data[:, 2] = 0
    found = sizes(compacted(model, sample(2, 2, 7, 6))[1])
    assert found == {("0", "outputs"): 1, ("2", "inputs"): 1}


def test_tensors_made_on_the_way_do_not_follow_the_default_device() -> None:
    model = models.randomise(models.Residual()).double()
    models.kill_rows(model.stem, [0, 1])
    x = sample(2, 2, 6, 6)
    with torch.device("meta"):
        _, summary = pt.compact(model, x)
    assert summary.to_dict() == pt.compact(model, x)[1].to_dict()


@pytest.mark.parametrize("place", PLACES)
def test_a_residual_sum_loses_what_all_branches_let_go(place: str) -> None:
    model = models.randomise(models.Residual()).double().to(place)
    models.kill_rows(model.stem, [0, 1, 2])
    model.stem.bias.data[:3] = torch.tensor([0.0, 0.0, -0.4])
    models.kill_rows(model.outer, [1, 2, 4])
    models.kill_rows(model.inner, [3])
    found = sizes(compacted(model, sample(2, 2, 6, 6).to(place))[1])
    for part in (
        ("stem", "outputs"),
        ("inner", "inputs"),
        ("outer", "outputs"),
        ("head", "inputs"),
    ):
        assert found[part] == 2
    assert found["inner", "outputs"] == found["norm", "channels"] == found["outer", "inputs"] == 1


def test_channels_that_only_feed_themselves_leave() -> None:
    model = models.randomise(models.Residual()).double()
    models.kill_columns(model.head, [2, 5])
    weight = model.inner.weight.data
    weight[:3, 2] = weight[:3, 5] = 0  # 3 and 4 of the inner ones see them,
    keep = [0, 1, 3, 4]
    model.outer.weight.data[keep, 3:] = 0  # and serve nothing else
    found = sizes(compacted(model, sample(2, 2, 6, 6))[1])
    assert found["stem", "outputs"] == found["inner", "outputs"] == 2


def test_concatenation_and_channelwise_layers() -> None:
    model = models.randomise(models.Mixer()).double()
    models.kill_rows(model.left, [4])
    models.kill_rows(model.right, [0, 2])
    models.kill_rows(model.depthwise, [1])
    found = sizes(compacted(model, sample(3, 2, 8, 8))[1])
    assert (found["left", "outputs"], found["right", "outputs"]) == (2, 2)
    assert found["depthwise", "channels"] == found["prelu", "channels"] == 4
    assert found["point", "inputs"] == 4


@pytest.mark.parametrize("flat", ["view", "reshape", "flatten", "fixed"])
def test_flattening_by_hand(flat: str) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(1, 4, 2), nn.Linear(36, 2)

        def forward(self, x: Any) -> Any:
            x = torch.relu(self.conv(x)) + 0.3
            if flat == "fixed":
                return self.head(x.view(-1, 36))
            return self.head(x.flatten(1) if flat == "flatten" else getattr(x, flat)(x.size(0), -1))

    model = models.randomise(Net()).double()
    models.kill_rows(model.conv, [0, 2])
    found = sizes(compacted(model, sample(2, 1, 4, 4))[1])
    assert found == ({} if flat == "fixed" else {("conv", "outputs"): 2, ("head", "inputs"): 18})


def test_the_summary_adds_up_and_prints() -> None:
    model = models.mlp(nn.ReLU())
    models.kill_rows(model[0], [1, 4, 5])
    smaller, summary = pt.compact(model, torch.ones(2, 6))
    assert summary.parameters_before == sum(p.numel() for p in model.parameters())
    assert summary.parameters_after == sum(p.numel() for p in smaller.parameters())
    assert summary.to_dict()["changes"][0] == {
        "name": "0",
        "what": "outputs",
        "before": 9,
        "after": 6,
    }
    assert str(summary).splitlines()[1].split() == ["3", "inputs", "9", "->", "6"]


def test_a_mapping_gives_the_keyword_arguments() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = models.mlp(nn.ReLU()).double()

        def forward(self, x: Any, *, scale: Any) -> Any:
            return self.body(x) * scale

    model = Scaled()
    models.kill_rows(model.body[0], [1, 4])
    example = {"x": sample(2, 6), "scale": sample(2, 1)}
    smaller, summary = pt.compact(model, example)
    assert sizes(summary) == {("body.0", "outputs"): 2, ("body.3", "inputs"): 2}
    torch.testing.assert_close(smaller.eval()(**example), model.eval()(**example))


def test_a_compiled_model_is_taken_as_the_model_within() -> None:
    model = models.mlp(nn.ReLU())
    models.kill_rows(model[0], [1, 4, 5])
    compiled = torch.compile(model, backend="eager")
    smaller, summary = pt.compact(compiled, torch.ones(2, 6))
    assert type(smaller) is nn.Sequential
    assert summary == pt.compact(model, torch.ones(2, 6))[1]
    assert pt.compact(nn.Sequential(compiled), torch.ones(2, 6))[0][0][0].out_features == 6
    model.compile(backend="eager")
    assert summary == pt.compact(model, torch.ones(2, 6))[1]
