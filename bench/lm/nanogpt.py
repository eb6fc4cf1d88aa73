"""nanoGPT's recipe for a character model of 10.7 million weights, in PyTorch.

    python bench/lm/nanogpt.py TEXT --out DIR [--device cuda] [--seed 1] [--steps 5000]

Its settings for tinyshakespeare on one GPU: 6 layers, 6 heads, 384 channels, context 256, dropout
0.2, 5000 steps of 64 sequences, AdamW (fused) at 1e-3 after 100 steps of warm-up, a cosine down to
1e-4, betas 0.9 and 0.99, decay 0.1 of 2-D weights, clipping at 1, bfloat16 products and
torch.compile on a GPU. The loss is the lowest of those over the whole validation split, taken
every 250 steps: its checkpoint is of that step.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from proxstep.lm import ModelConfig, Parameters, TrainConfig, initialize
from proxstep.lm.data import Corpus, read_text, windows
from proxstep.lm.tokenizer import CharacterTokenizer
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from torch_gpt import TorchGPT

from lm.torch_train import batches, nanogpt_rate

DROPOUT = 0.2
SHAPE = {"layers": 6, "heads": 6, "channels": 384, "context": 256}


class DropoutGPT(TorchGPT):
    """Drops embeddings, attention's shares, and what attention and the hidden layer add."""

    @property
    def rate(self) -> float:
        return DROPOUT if self.training else 0.0

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        return F.dropout(super().embed(tokens), self.rate)

    def attention(self, x: torch.Tensor, block: str) -> torch.Tensor:
        return F.dropout(super().attention(x, block), self.rate)

    def hidden(self, x: torch.Tensor, block: str) -> torch.Tensor:
        return F.dropout(super().hidden(x, block), self.rate)

    def attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(q, k, v, dropout_p=self.rate, is_causal=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    for name, value in {**SHAPE, "batch": 64}.items():
        parser.add_argument("--" + name, type=int, default=value)
    options = parser.parse_args()
    config = TrainConfig(
        lr=1e-3, steps=options.steps, batch=options.batch, seed=options.seed, weight_decay=0.1
    )
    text = read_text([options.text])
    tokenizer = CharacterTokenizer.from_text(text)
    shape = {name: getattr(options, name) for name in SHAPE}
    model = make_model(ModelConfig(vocabulary=tokenizer.size, **shape), config, options.device)
    loss = train(model, Corpus.from_text(text, tokenizer, config.validation), config)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "result.json").write_text(json.dumps({"val_loss": loss, "zeros": 0.0}))


def make_model(shape: ModelConfig, config: TrainConfig, device: str) -> DropoutGPT:
    weights = Parameters(shape)
    initialize(weights, np.random.default_rng(config.seed))
    torch.manual_seed(config.seed)
    return DropoutGPT(shape, dict(weights.items())).to(device)


def train(model: DropoutGPT, corpus: Corpus, config: TrainConfig) -> float:
    """Return the lowest loss over the validation split."""
    optimizer = model.optimizer(config, fused=True)
    rate = nanogpt_rate(config)
    loss_of = loss_function(model)
    lowest = float("inf")
    for step, batch in enumerate(batches(corpus, config, model.config.context)):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.zero_grad()
        loss_of(*batch).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.max_norm)
        optimizer.step()
        if (step + 1) % config.eval_every == 0 or step + 1 == config.steps:
            lowest = min(lowest, validate(model, loss_of, corpus, config.batch))
    return lowest


def loss_function(model: DropoutGPT) -> Any:
    """The loss of a batch of NumPy arrays, compiled on a GPU."""
    device = next(model.parameters()).device.type
    compiled = torch.compile(model.loss) if device == "cuda" else model.loss

    def loss(*arrays: Any) -> torch.Tensor:
        x, y = (torch.from_numpy(np.asarray(a, np.int64)).to(device) for a in arrays)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            found: torch.Tensor = compiled(x, y)
        return found

    return loss


@torch.no_grad()
def validate(model: DropoutGPT, loss_of: Any, corpus: Corpus, batch: int) -> float:
    """Mean loss over the whole validation split in windows that do not overlap."""
    model.eval()
    parts = list(windows(corpus.validation, model.config.context, batch))
    total = sum(loss_of(x, y).item() * x.size for x, y in parts)
    model.train()
    return float(total / sum(x.size for x, _ in parts))


if __name__ == "__main__":
    main()
