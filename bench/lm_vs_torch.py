"""Milliseconds a training step: proxstep.lm beside the same model in PyTorch, taking turns.

    python bench/lm_vs_torch.py              4 layers, 4 heads, 128 channels, context 64, batch 12
    python bench/lm_vs_torch.py --profile    and where the time goes, one replica, one thread
    python bench/lm_vs_torch.py --json FILE  the numbers as JSON

A step is everything: batch, loss, gradient, clipping, AdamW (PyTorch's fused one), in float32.
"""

from __future__ import annotations

import argparse
import json
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
from machine import facts
from proxstep.lm import ModelConfig, TrainConfig, layers, native
from proxstep.lm.data import Corpus, draw_batch
from proxstep.lm.trainer import Trainer
from threadpoolctl import threadpool_info, threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from torch_gpt import TorchGPT

PARTS = (
    *(layers.Linear, native.LayerNorm, native.Gelu, layers.Embedding),
    *(native.Attention, ps.Optimizer),
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


def libraries() -> list[dict[str, Any]]:
    """What computes the products: NumPy's BLAS and torch's, with the kernels they chose."""
    names = ("user_api", "internal_api", "version", "architecture", "num_threads")
    return [{name: found.get(name) for name in names} for found in threadpool_info()]


def options_from_command_line() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = {"vocabulary": 65, "layers": 4, "heads": 4, "channels": 128, "context": 64, "batch": 12}
    for name, value in {**sizes, "rounds": 5, "each": 20, "threads": 2}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def sparse_from_the_start(options: argparse.Namespace) -> dict[str, Any]:
    """Settings of a run whose every step keeps a fifth of the weights."""
    ramp = {"ramp_begin": 0.0, "ramp_end": 0.0, "sparsity": 0.8}
    return {**ramp, "replicas": options.threads, "optimizer": "adamw"}


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Let the contestants take turns, on all threads, and print what each took."""
    torch.set_num_threads(options.threads)
    ps.set_num_threads(options.threads)
    dense = {"replicas": options.threads, "penalty": "none"}
    ours = make_trainer(options, **dense, optimizer="adamw")
    steps = {
        "proxstep, AdamW": ours.advance,
        "proxstep, AdamW, top-k": make_trainer(options, **sparse_from_the_start(options)).advance,
        "proxstep, Muon": make_trainer(options, **dense).advance,
        f"torch {torch.__version__}, AdamW": torch_step(ours),
    }
    with threadpool_limits(options.threads):
        times = take_turns(steps, options.rounds, options.each)
    *_, base = times.values()
    for name, found in times.items():
        found["of_torch"] = found["median_ms"] / base["median_ms"]
        found["min_of_torch"] = found["min_ms"] / base["min_ms"]
        wall = f"min {found['min_ms']:6.1f} ms, median {found['median_ms']:6.1f} ms"
        ratio = f"{found['of_torch']:.2f} ({found['min_of_torch']:.2f}) of torch"
        print(f"{name:24} {wall}, {ratio}; processor time {found['cpu_ms']:6.1f} ms")
    return times


def profile_one_thread(options: argparse.Namespace) -> dict[str, float]:
    """Profile one replica and print it."""
    ps.set_num_threads(1)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        parts = profile(
            make_trainer(options, replicas=1, penalty="none", optimizer="adamw"), options.each
        )
    for name, spent in parts.items():
        print(f"{name:22} {spent:6.2f} ms of one thread")
    return parts


def main() -> None:
    options = options_from_command_line()
    report: dict[str, Any] = {**facts(), "libraries": libraries()}
    report["settings"] = {k: v for k, v in vars(options).items() if k not in ("json", "profile")}
    report["steps"] = compare(options)
    if options.profile:
        report["profile_one_thread_ms"] = profile_one_thread(options)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
