"""compact on transformers' own BERT, GPT-2 and Llama, where transformers is installed."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("transformers", reason="transformers is not installed")

import proxstep.torch as pt  # noqa: E402
import torch_models as models  # noqa: E402

COMMON = {"vocab_size": 50, "attn_implementation": "sdpa"}


def bert() -> Any:
    from transformers.models.bert import BertConfig, BertModel

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = models.randomise(BertModel(BertConfig(**sizes, intermediate_size=64, **COMMON)))
    for layer in model.encoder.layer:
        models.kill_rows(layer.intermediate.dense, range(40, 64))
        models.kill_rows(layer.attention.self.value, range(8, 16))
        models.kill_columns(layer.attention.output.dense, range(24, 32))
    return model


def gpt2() -> Any:
    from transformers.models.gpt2 import GPT2Config, GPT2LMHeadModel

    sizes = {"n_positions": 16, "n_embd": 32, "n_layer": 2, "n_head": 4}
    model = models.randomise(GPT2LMHeadModel(GPT2Config(**sizes, **COMMON)))
    for layer in model.transformer.h:
        models.kill_columns(layer.mlp.c_fc, range(40, 128))
        models.kill_columns(layer.attn.c_attn, range(72, 80))
        models.kill_rows(layer.attn.c_proj, range(24, 32))
    return model


def llama() -> Any:
    from transformers.models.llama import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    sizes |= {"num_key_value_heads": 2, "intermediate_size": 64}
    model = models.randomise(LlamaForCausalLM(LlamaConfig(**sizes, **COMMON)))
    for layer in model.model.layers:
        models.kill_rows(layer.mlp.gate_proj, range(40, 64))
        models.kill_rows(layer.self_attn.v_proj, range(8))
    return model


# Neurons of each MLP, columns of each attention's output.
SIZES = {bert: (40, 16), gpt2: (40, 16), llama: (40, 16)}
NAMES = {
    bert: ("encoder.layer.1.output.dense", "encoder.layer.1.attention.output.dense"),
    gpt2: ("transformer.h.1.mlp.c_proj", "transformer.h.1.attn.c_proj"),
    llama: ("model.layers.1.mlp.down_proj", "model.layers.1.self_attn.o_proj"),
}


@pytest.mark.parametrize("make", SIZES)
@pytest.mark.parametrize("masked", [False, True])
def test_neurons_and_heads_leave(make: Any, masked: bool) -> None:
    model = make().double().eval()
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, 50, (2, 8), generator=generator)
    example = {"input_ids": tokens}
    if masked:
        example["attention_mask"] = (torch.arange(8) < torch.tensor([[8], [6]])).long()
    smaller, summary = pt.compact(model, example)
    for call in (example, {"input_ids": tokens[:1, :5]}):
        with torch.no_grad():
            torch.testing.assert_close(smaller(**call)[0], model(**call)[0])
    found = {(c.name, c.what): c.after for c in summary.changes}
    neurons, columns = (found.get((name, "inputs")) for name in NAMES[make])
    assert neurons == SIZES[make][0]
    if masked and make is llama:  # its keys are repeated by sizes that are read
        assert columns is None
        assert {(s.count, s.reason) for s in summary.stays} == {(8, "they enter expand")}
    else:
        assert columns == SIZES[make][1]
        assert summary.stays == ()
    if make is not bert:
        grown = [m.generate(tokens, max_new_tokens=3, do_sample=False) for m in (model, smaller)]
        assert torch.equal(*grown)
