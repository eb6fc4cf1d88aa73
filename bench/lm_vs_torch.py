"""Milliseconds a training step: proxstep.lm beside the same model in PyTorch, taking turns.

    python bench/lm_vs_torch.py              4 layers, 4 heads, 128 channels, context 64, batch 12
    python bench/lm_vs_torch.py --profile    and where the time goes, one replica, one thread
    python bench/lm_vs_torch.py --json FILE  the numbers as JSON

A step is everything: batch, loss, gradient, clipping, AdamW (PyTorch's fused one), in float32.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import proxstep as ps
import torch
from proxstep.lm import ModelConfig, TrainConfig, attention, layers
from proxstep.lm.data import Corpus, draw_batch
from proxstep.lm.trainer import Trainer
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from torch_gpt import TorchGPT

PARTS = (
    *(layers.Linear, layers.LayerNorm, layers.Gelu, layers.Embedding),
    *(attention.Attention, ps.Optimizer),
)


def make_trainer(options: argparse.Namespace, **settings: Any) -> Trainer:
    tokens = np.random.default_rng(0).integers(options.vocabulary, size=200_000)
    sizes = ("vocabulary", "layers", "heads", "channels", "context")
    model = ModelConfig(**{name: getattr(options, name) for name in sizes})
    config = TrainConfig(batch=options.batch, steps=10**6, eval_every=10**6, **settings)
    return Trainer(Corpus(tokens, tokens[:0]), model, config)


def torch_step(trainer: Trainer) -> Callable[[], None]:
    """The step of the twin, on batches drawn in the same way."""
    twin = TorchGPT(trainer.model, dict(trainer.weights.items()))
    optimizer = twin.optimizer(trainer.config, fused=True)
    rng, tokens = np.random.default_rng(0), trainer.corpus.train

    def step() -> None:
        x, y = draw_batch(tokens, rng, trainer.config.batch, trainer.model.context)
        optimizer.zero_grad()
        loss = twin.loss(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(twin.parameters(), trainer.config.max_norm)
        optimizer.step()
        loss.item()

    return step


def take_turns(steps: dict[str, Callable[[], Any]], rounds: int, each: int) -> dict[str, Any]:
    """Time the steps in blocks, one contestant after the other, after one block of warm-up."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        for name, step in steps.items():
            for _ in range(each):
                wall, cpu = time.perf_counter(), time.process_time()
                step()
                if turn:
                    times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: summary(found) for name, found in times.items()}


def summary(times: list[tuple[float, float]]) -> dict[str, float]:
    """Milliseconds: wall clock, and the processors' time, which other processes disturb less."""
    wall, cpu = zip(*times, strict=True)
    return {
        "min_ms": 1e3 * min(wall),
        "median_ms": 1e3 * statistics.median(wall),
        "cpu_ms": 1e3 * statistics.median(cpu),
    }


def profile(trainer: Trainer, count: int) -> dict[str, float]:
    """Milliseconds of the thread's own time a step, by layer and direction."""
    spent: dict[str, float] = defaultdict(float)

    def timed(kind: type, name: str) -> None:
        inner = getattr(kind, name)

        def outer(self: Any, *args: Any, **kwargs: Any) -> Any:
            began = time.thread_time()
            result = inner(self, *args, **kwargs)
            spent[f"{kind.__name__}.{name}"] += 1e3 * (time.thread_time() - began) / count
            return result

        setattr(kind, name, outer)

    trainer.advance()
    for kind in PARTS:
        for name in {"forward", "backward", "step"} & set(vars(kind)):
            timed(kind, name)
    began = time.thread_time()
    for _ in range(count):
        trainer.advance()
    spent["whole step"] = 1e3 * (time.thread_time() - began) / count
    return dict(sorted(spent.items(), key=lambda item: -item[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = {"vocabulary": 65, "layers": 4, "heads": 4, "channels": 128, "context": 64, "batch": 12}
    for name, value in {**sizes, "rounds": 5, "each": 20, "threads": 2}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    ps.set_num_threads(options.threads)
    ours = make_trainer(options, replicas=options.threads, penalty="none")
    sparse = make_trainer(options, replicas=options.threads)
    steps = {
        "proxstep": ours.advance,
        "proxstep, with L0": sparse.advance,
        f"torch {torch.__version__}": torch_step(ours),
    }
    report: dict[str, Any] = {
        "machine": platform.processor() or platform.machine(),
        **vars(options),
    }
    with threadpool_limits(options.threads):
        report["steps"] = take_turns(steps, options.rounds, options.each)
    *_, torch_name = steps
    base = report["steps"][torch_name]
    for name, found in report["steps"].items():
        ratio = found["median_ms"] / base["median_ms"]
        print(f"{name:22} min {found['min_ms']:6.1f} ms, median {found['median_ms']:6.1f} ms, "
              f"{ratio:.2f} of torch; processor time {found['cpu_ms']:6.1f} ms")  # fmt: skip
    if options.profile:
        ps.set_num_threads(1)
        torch.set_num_threads(1)
        with threadpool_limits(1):
            report["profile"] = profile(make_trainer(options, replicas=1), options.each)
        for name, spent in report["profile"].items():
            print(f"{name:22} {spent:6.2f} ms of one thread")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1, default=str))


if __name__ == "__main__":
    main()
