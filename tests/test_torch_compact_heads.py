"""compact takes dead heads out of attention written by hand, where the code follows."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
nn = torch.nn

import proxstep.torch as pt  # noqa: E402
import torch_heads as heads  # noqa: E402
import torch_models as models  # noqa: E402

SERVED = [
    *(heads.Heads, heads.ByHand, heads.Unfolded, heads.Rotated),
    *(heads.Fused, heads.Chunked, heads.Packed, heads.Transposed),
]


def kill(model: Any, values: Any, reads: Any) -> None:
    """Make the values of some heads constant, and the output ignore others."""
    width = model.head_dim
    for head in values:
        model.values().data[head * width : (head + 1) * width] = 0
    for head in reads:
        model.reads().data[:, head * width : (head + 1) * width] = 0


def agree(model: Any, *lengths: int) -> tuple[Any, Any]:
    """Compact with one example and compare on others, of other lengths and batches."""
    inputs = next(model.children()).weight.shape[-1] if not lengths else 10
    generator = torch.Generator().manual_seed(2)
    made = [torch.randn(3, n, inputs, generator=generator).double() for n in (5, *lengths)]
    smaller, summary = pt.compact(model, made[0][:2])
    for x in made:
        with torch.no_grad():
            torch.testing.assert_close(smaller.eval()(x), model.eval()(x))
    return smaller, summary


@pytest.mark.parametrize("kind", SERVED)
@pytest.mark.parametrize(("values", "reads"), [([1], []), ([], [2, 3]), ([0, 1], [2, 3])])
def test_dead_heads_leave(kind: Any, values: Any, reads: Any) -> None:
    model = models.randomise(kind()).double()
    grouped = kind is heads.Rotated
    kill(model, values, reads)
    smaller, summary = agree(model, 2, 9)
    # Of grouped heads those leave that share keys: values 0 and 1 are of all four.
    groups = {0, 1} if grouped and len(values) == 2 else set(values)
    dead = {g * 2 + i for g in groups for i in (0, 1)} if grouped else groups
    dead |= set(reads)
    left = max(4 - len(dead), 2 if grouped else 1)
    assert smaller.reads().shape[1] == left * model.head_dim
    assert summary.parameters_after == sum(p.numel() for p in smaller.parameters())
    assert isinstance(smaller, kind)
    smaller.train()(torch.ones(2, 4, 10).double()).sum().backward()


def test_attributes_with_the_sizes_follow() -> None:
    model = models.randomise(heads.Chunked()).double()
    kill(model, [1], [3])
    smaller, _ = agree(model, 7)
    assert (smaller.heads, smaller.head_dim, smaller.inner) == (2, 3, 12)  # inner is not read
    assert (model.heads, type(model.heads)) == (4, int)
    model = models.randomise(heads.Fused()).double()
    kill(model, [1], [3])
    assert agree(model, 7)[0].inner == 6


def test_a_head_of_which_a_part_is_dead_stays_whole() -> None:
    model = models.randomise(heads.Heads()).double()
    models.kill_rows(model.v, [0, 1, 4])
    models.kill_columns(model.out, [6, 7])
    assert agree(model, 3)[1].changes == ()


@pytest.mark.parametrize("kind", [heads.Transposed, heads.Unfolded])
def test_tensors_made_on_the_way_do_not_follow_the_default_device(kind: Any) -> None:
    model = models.randomise(kind()).double()
    kill(model, [1], [3])
    x = torch.linspace(-1, 1, 100).view(2, 5, 10).double()
    with torch.device("meta"):
        _, summary = pt.compact(model, x)
    assert summary.to_dict() == pt.compact(model, x)[1].to_dict()
    assert summary.changes


def test_values_that_are_constant_go_into_the_bias() -> None:
    model = models.randomise(heads.Heads()).double()
    kill(model, [0], [])
    smaller, _ = agree(model, 3)
    constant = model.out.weight[:, :3] @ model.v.bias[:3]
    torch.testing.assert_close(smaller.out.bias, model.out.bias + constant)


@pytest.mark.parametrize("kind", [*SERVED, heads.Computed, heads.Mixed, heads.Told])
@pytest.mark.parametrize("seed", range(6))
def test_outputs_stay_with_zeros_anywhere(kind: Any, seed: int) -> None:
    model = models.randomise(kind()).double()
    torch.manual_seed(seed)
    for tensor in (model.values(), model.reads().t()):
        for start in range(0, len(tensor), model.head_dim):
            dead = torch.rand(model.head_dim) < torch.rand(1) ** 0.3
            tensor.data[start : start + model.head_dim][dead] = 0
    for layer in model.children():
        if layer.bias is not None and seed % 2:
            layer.bias.data[torch.rand(len(layer.bias)) < 0.6] = 0
    agree(model, *() if kind is heads.Computed else (1, 6))


KEPT = {
    heads.Computed: "the sizes of view would not follow",
    heads.Biased: "they enter scaled_dot_product_attention",
    heads.Mixed: "they enter flip",
    heads.Told: "the sizes of view would not follow",
}


@pytest.mark.parametrize("kind", KEPT)
def test_where_the_code_would_not_follow_heads_stay_and_are_named(kind: Any) -> None:
    model = models.randomise(kind()).double()
    kill(model, [1], [3])
    _, summary = agree(model)
    assert summary.changes == ()
    found = {s.what: (s.name, s.reason) for s in summary.stays}
    assert found["outputs"] == ("v", KEPT[kind])


def test_heads_and_neurons_of_a_block_leave_together() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.attention, self.mlp = nn.LayerNorm(10), heads.ByHand(), nn.Linear(10, 8)
            self.last = nn.Linear(8, 10)

        def forward(self, x: Any) -> Any:
            x = x + self.attention(self.norm(x))
            return x + self.last(torch.relu(self.mlp(self.norm(x))))

    model = models.randomise(nn.Sequential(Block(), Block())).double().eval()
    for block in model:
        kill(block.attention, [0], [3])
        models.kill_rows(block.mlp, [1, 2])
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(2, 4, 10, generator=generator).double()
    smaller, summary = pt.compact(model, x)
    torch.testing.assert_close(smaller(2 * x), model(2 * x))
    assert sum(c.before - c.after for c in summary.changes) == 2 * (4 * 6 + 2 * 2)
    assert summary.stays == ()
