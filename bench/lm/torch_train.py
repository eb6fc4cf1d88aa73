"""The same model and batches in PyTorch: nanoGPT's recipe, and magnitude pruning by a cubic ramp.

    python bench/lm/torch_train.py TEXT --out DIR [--lr 1e-3] [--prune 0.8] [--seed 1]

AdamW (fused) with nanoGPT's settings for a small machine: 2000 steps of 12 sequences of 64
characters, 100 steps of warm-up, half a cosine down to a tenth of the rate, decay 0.1 of 2-D
weights, betas 0.9 and 0.99, gradients clipped at 1. Pruning keeps the largest magnitudes of all
2-D weights after each step; the density falls from 25 to 75 % of the steps. `--schedule-free` takes
AdamW of the schedulefree package: averaged weights in place of a falling rate.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import proxstep as ps
import torch
from proxstep.lm import ModelConfig, Parameters, TrainConfig, initialize
from proxstep.lm.data import Corpus, draw_batch, read_text, windows
from proxstep.lm.tokenizer import CharacterTokenizer
from proxstep.schedules import Cosine, CubicRamp, WarmUp

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from torch_gpt import TorchGPT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--schedule-free", action="store_true")
    parser.add_argument("--prune", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()
    config = TrainConfig(lr=options.lr, seed=options.seed, steps=options.steps, weight_decay=0.1)
    text = read_text([options.text])
    tokenizer = CharacterTokenizer.from_text(text)
    corpus = Corpus.from_text(text, tokenizer, config.validation)
    twin = make_twin(ModelConfig(vocabulary=tokenizer.size), config)
    if options.schedule_free:
        train_schedule_free(twin, corpus, config)
    else:
        train(twin, corpus, config, options.prune)
    result = {"val_loss": validate(twin, corpus, config), "zeros": zeros(twin)}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "result.json").write_text(json.dumps(result))


def make_twin(model: ModelConfig, config: TrainConfig) -> TorchGPT:
    weights = Parameters(model)
    start, _ = np.random.SeedSequence(config.seed).spawn(2)
    initialize(weights, np.random.default_rng(start))
    return TorchGPT(model, dict(weights.items()))


def train(twin: TorchGPT, corpus: Corpus, config: TrainConfig, prune: float) -> None:
    """Train by the batches that `proxstep train` draws from the same seed."""
    optimizer = twin.optimizer(config, fused=True)
    rate = nanogpt_rate(config)
    ramp = CubicRamp(1.0, 1.0 - prune, config.steps // 4, 3 * config.steps // 4)
    for step, batch in enumerate(batches(corpus, config, twin.config.context)):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        advance(twin, optimizer, batch, config)
        if prune:
            keep_largest(twin, ramp(step))


def nanogpt_rate(config: TrainConfig) -> WarmUp:
    falling = Cosine(config.lr, max(1, config.steps - config.warmup), floor=0.1 * config.lr)
    return WarmUp(falling, config.warmup)


def train_schedule_free(twin: TorchGPT, corpus: Corpus, config: TrainConfig) -> None:
    """The same without a schedule (Defazio and others 2024); leaves the averaged weights."""
    from schedulefree import AdamWScheduleFree

    names = ("params", "weight_decay")
    groups = [{k: group[k] for k in names} for group in twin.optimizer(config).param_groups]
    betas = (config.beta1, config.beta2)
    optimizer = AdamWScheduleFree(groups, config.lr, betas, warmup_steps=config.warmup)
    optimizer.train()
    for batch in batches(corpus, config, twin.config.context):
        advance(twin, optimizer, batch, config)
    optimizer.eval()


def batches(corpus: Corpus, config: TrainConfig, context: int) -> Iterator[tuple[Any, Any]]:
    """Yield the batches of a run, as `proxstep train` draws them."""
    _, drawn = np.random.SeedSequence(config.seed).spawn(2)
    rng = np.random.default_rng(drawn)
    for _ in range(config.steps):
        yield draw_batch(corpus.train, rng, config.batch, context)


def advance(twin: TorchGPT, optimizer: Any, batch: tuple[Any, Any], config: TrainConfig) -> None:
    optimizer.zero_grad()
    twin.loss(*batch).backward()
    torch.nn.utils.clip_grad_norm_(twin.parameters(), config.max_norm)
    optimizer.step()


@torch.no_grad()
def keep_largest(twin: TorchGPT, density: float) -> None:
    """Zero the smallest magnitudes of all 2-D weights together."""
    matrices = matrices_of(twin)
    magnitudes = torch.cat([p.abs().flatten() for p in matrices])
    dropped = round((1.0 - density) * magnitudes.numel())
    if dropped:
        threshold = torch.kthvalue(magnitudes, dropped).values
        for p in matrices:
            p.mul_(p.abs() > threshold)


def matrices_of(twin: TorchGPT) -> list[torch.nn.Parameter]:
    return [p for p in twin.parameters() if p.ndim == 2]


def zeros(twin: TorchGPT) -> float:
    matrices = matrices_of(twin)
    found: Any = sum(int((p == 0).sum()) for p in matrices)
    return float(found / sum(p.numel() for p in matrices))


@torch.no_grad()
def validate(twin: TorchGPT, corpus: Corpus, config: TrainConfig) -> float:
    """Mean loss over the whole validation split in windows that do not overlap."""
    parts = list(windows(corpus.validation, twin.config.context, config.batch))
    total = sum(twin.loss(x, y).item() * x.size for x, y in parts)
    return float(total / sum(x.size for x, _ in parts))


if __name__ == "__main__":
    ps.set_num_threads(torch.get_num_threads())
    main()
