"""Attention with fewer heads computes what nn.MultiheadAttention computes with dead ones."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
nn = torch.nn

import proxstep.torch as pt  # noqa: E402
import torch_models as models  # noqa: E402

B, L, S = 2, 5, 7


def sequences(batch_first: bool, key: int = 12, value: int = 12) -> list[Any]:
    torch.manual_seed(4)
    made = [torch.randn(B, n, width).double() for n, width in ((L, 12), (S, key), (S, value))]
    return made if batch_first else [x.transpose(0, 1) for x in made]


def agree(model: Any, *inputs: Any) -> Any:
    smaller, summary = pt.compact(model, inputs)
    with torch.no_grad():
        torch.testing.assert_close(smaller.eval()(*inputs), model.eval()(*inputs))
    return smaller, summary


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("widths", [{}, {"kdim": 9, "vdim": 10}])
def test_dead_heads_leave(batch_first: bool, bias: bool, widths: dict[str, int]) -> None:
    model = models.SelfAttention(batch_first=batch_first, bias=bias, dropout=0.3, **widths)
    models.randomise(model).double()
    models.kill_heads(model.attention, values=[0], outputs=[2])
    model.attention.out_proj.weight.requires_grad_(False)
    x = sequences(batch_first, *widths.values())
    smaller, summary = agree(model, *x)
    assert [(c.what, c.before, c.after) for c in summary.changes] == [("heads", 4, 2)]
    assert isinstance(smaller.attention, pt.CompactAttention)
    assert smaller.attention.heads == (1, 3)
    assert not smaller.attention.out_proj.weight.requires_grad
    assert smaller.attention.q_proj.weight.requires_grad
    assert model.train().training == smaller.train().attention.out_proj.training
    smaller(*x).sum().backward()


@pytest.mark.parametrize("boolean", [True, False])
@pytest.mark.parametrize("per_head", [True, False])
def test_masks_mean_what_they_meant(boolean: bool, per_head: bool) -> None:
    model = models.randomise(models.SelfAttention(batch_first=True)).double()
    models.kill_heads(model.attention, outputs=[1])
    torch.manual_seed(9)
    shape = (B * 4, L, S) if per_head else (L, S)
    mask = torch.rand(shape) < 0.4 if boolean else torch.randn(shape).double()
    padding = torch.zeros(B, S, dtype=torch.bool)
    padding[0, 5:] = True
    if boolean:
        mask[..., 0] = False
    else:
        padding = torch.zeros(B, S).double().masked_fill(padding, -torch.inf)
    smaller, _ = agree(model, *sequences(True), padding, mask)
    assert smaller.attention.heads == (0, 2, 3)


def test_without_a_batch() -> None:
    model = models.randomise(models.SelfAttention()).double()
    models.kill_heads(model.attention, values=[3])
    assert agree(model, *(x[:, 0] for x in sequences(False)))[1].changes


def test_one_head_stays() -> None:
    model = models.randomise(models.SelfAttention()).double()
    models.kill_heads(model.attention, values=[0, 2], outputs=[1, 2, 3])
    assert agree(model, *sequences(False))[0].attention.heads == (0,)


@pytest.mark.parametrize("settings", [{"add_bias_kv": True}, {"add_zero_attn": True}])
def test_attention_with_keys_of_its_own_stays(settings: dict[str, bool]) -> None:
    model = models.randomise(models.SelfAttention(**settings)).double()
    models.kill_heads(model.attention, values=[0])
    assert agree(model, *sequences(False))[1].changes == ()


def test_attention_whose_weights_are_used_stays() -> None:
    class Weights(models.SelfAttention):
        def forward(self, query: Any, key: Any, value: Any) -> Any:
            output, weights = self.attention(query, key, value)
            return output.sum() + weights.square().sum()

    model = models.randomise(Weights()).double()
    models.kill_heads(model.attention, outputs=[0])
    summary = agree(model, *sequences(False))[1]
    assert summary.changes == ()
    found = [(s.name, s.what, s.count, s.reason) for s in summary.stays]
    assert found == [("attention", "heads", 1, "its weights are asked for")]


def test_attention_under_two_names_stays() -> None:
    model = models.randomise(models.SelfAttention()).double()
    model.again = model.attention
    models.kill_heads(model.attention, outputs=[0])
    assert agree(model, *sequences(False))[1].changes == ()


@pytest.mark.parametrize("activation", ["relu", "gelu", torch.sigmoid, nn.SiLU()])
@pytest.mark.parametrize("norm_first", [True, False])
def test_an_encoder_loses_heads_and_neurons(activation: Any, norm_first: bool) -> None:
    settings = {"batch_first": True, "norm_first": norm_first, "activation": activation}
    layer = nn.TransformerEncoderLayer(12, 4, 20, **settings)
    nested = not norm_first and activation in ("relu", "gelu")
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=nested)
    models.randomise(model).double()
    for part, rows in zip(model.layers, ([0, 4, 5], [19]), strict=True):
        models.kill_rows(part.linear1, rows)
        models.kill_heads(part.self_attn, values=[1], outputs=[3])
    _, summary = agree(model, sequences(True)[0])
    assert [(c.name, c.before - c.after) for c in summary.changes] == [
        ("layers.0.linear1", 3),
        ("layers.0.linear2", 3),
        ("layers.1.linear1", 1),
        ("layers.1.linear2", 1),
        ("layers.0.self_attn", 2),
        ("layers.1.self_attn", 2),
    ]


def test_padding_of_an_encoder_in_its_layers_own_path() -> None:
    layer = nn.TransformerEncoderLayer(12, 4, 20, batch_first=True)
    model = models.randomise(nn.TransformerEncoder(layer, 2)).double().eval()
    models.kill_heads(model.layers[0].self_attn, outputs=[0])
    x = sequences(True)[0]
    smaller, _ = pt.compact(model, x)
    padding = torch.zeros(B, L, dtype=torch.bool)
    padding[1, 3:] = True
    got = smaller(x, src_key_padding_mask=padding)
    want = model(x, src_key_padding_mask=padding)
    torch.testing.assert_close(got[~padding], want[~padding])


def test_a_decoder_loses_heads_of_both_kinds() -> None:
    model = nn.TransformerDecoder(nn.TransformerDecoderLayer(12, 4, 20, batch_first=True), 1)
    models.randomise(model).double()
    part = model.layers[0]
    models.kill_heads(part.self_attn, values=[1])
    models.kill_heads(part.multihead_attn, outputs=[2, 3])
    models.kill_columns(part.linear2, [3])
    x = sequences(True)
    _, summary = agree(model, x[0], x[1])
    assert [(c.what, c.before - c.after) for c in summary.changes] == [
        ("outputs", 1),
        ("inputs", 1),
        ("heads", 1),
        ("heads", 2),
    ]
