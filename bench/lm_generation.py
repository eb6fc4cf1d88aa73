"""Tokens a second of generation: dense, compacted and sparse, beside the same cache in NumPy.

    python bench/lm_generation.py                 two models, about a minute
    python bench/lm_generation.py --json FILE     the numbers as JSON (results/generation.json)

Weights are random and zeros lie at random places (compacted: whole heads and hidden units), which
does not change what a product costs. A token is everything: the model, its share of reading the
last half of a full context again, and the draw. Contestants take turns; the best turn counts.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import proxstep as ps
from machine import facts
from proxstep.lm import GPT, ModelConfig, Parameters, initialize
from proxstep.lm.compact import compact
from proxstep.lm.decode import CachedDecoder, PlainDecoder
from proxstep.lm.generate import Sampling, generate
from threadpoolctl import threadpool_limits

MODELS = {
    "4 x 128": ModelConfig(vocabulary=65),
    "6 x 384": ModelConfig(vocabulary=65, layers=6, heads=6, channels=384, context=256),
}
Turn = Callable[[int], None]
SLOW = 3.0  # seconds


class NumpyDecoder:
    """One row at a time by NumPy's products with a vector, with the same cache."""

    def __init__(self, model: GPT) -> None:
        self.w, self.config = model.weights, model.config

    def read(self, tokens: list[int]) -> Any:
        shape = (self.config.layers, self.config.context, self.config.channels)
        self.keys, self.values = np.empty(shape, "f4"), np.empty(shape, "f4")
        self.length = 0
        return [self.step(token) for token in tokens][-1]

    def step(self, token: int) -> Any:
        w = self.w
        x = w["token_embedding"][token] + w["position_embedding"][self.length]
        self.length += 1
        for i in range(self.config.layers):
            part = f"blocks.{i}."
            x += w[part + "projection"] @ self.attend(i, norm(x, w[part + "norm1"]))
            hidden = gelu(w[part + "up"] @ norm(x, w[part + "norm2"]))
            x += w[part + "down"] @ hidden
        return w["token_embedding"] @ norm(x, w["norm"])

    def attend(self, i: int, x: Any) -> Any:
        n, heads = self.length, self.config.heads
        q, self.keys[i, n - 1], self.values[i, n - 1] = np.split(self.w[f"blocks.{i}.qkv"] @ x, 3)
        keys, values = (a[i, :n].reshape(n, heads, -1) for a in (self.keys, self.values))
        scores = np.einsum("hd,nhd->hn", q.reshape(heads, -1), keys) * keys.shape[2] ** -0.5
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return np.einsum("hn,nhd->hd", shares, values).ravel()


def norm(x: Any, gain: Any) -> Any:
    d = x - x.mean()
    return d * (gain / np.sqrt(d @ d / d.size + 1e-5))


def gelu(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


def make_weights(config: ModelConfig) -> Parameters:
    weights = Parameters(config)
    initialize(weights, np.random.default_rng(0))
    return weights


def scattered(config: ModelConfig, zeros: float) -> GPT:
    weights = make_weights(config)
    weights.matrices *= np.random.default_rng(1).random(weights.matrices.size) >= zeros
    return GPT(weights)


def halved(config: ModelConfig) -> GPT:
    """Half of the heads and half of the hidden units removed."""
    weights = make_weights(config)
    for i in range(config.layers):
        weights[f"blocks.{i}.up"][::2] = 0
        weights[f"blocks.{i}.projection"][:, : config.channels // 2] = 0
    return GPT(compact(weights))


def contestants(config: ModelConfig) -> dict[str, Turn]:
    dense = scattered(config, 0)
    decoders: dict[str, tuple[GPT, Any]] = {
        "everything read again (PlainDecoder)": (dense, PlainDecoder(dense)),
        "NumPy, one row at a time, with a cache": (dense, NumpyDecoder(dense)),
        "dense": (dense, CachedDecoder(dense)),
    }
    small = halved(config)
    decoders["compacted: half of heads and hidden units"] = (small, CachedDecoder(small))
    for zeros in (0.8, 0.9, 0.95):
        model = scattered(config, zeros)
        decoders[f"sparse, {zeros:.0%} zeros"] = (model, CachedDecoder(model, sparse=True))
    return {name: _turn(*pair) for name, pair in decoders.items()}


def _turn(model: GPT, decoder: Any) -> Turn:
    def turn(count: int) -> None:
        for _ in generate(model, [1], count, Sampling(), decoder):
            pass

    return turn


def best_rates(turns: dict[str, Turn], count: int, rounds: int) -> dict[str, float]:
    """Tokens a second in the best of some turns; `count` fills the context and half of it again.

    A contestant that takes seconds takes two turns.
    """
    best = dict.fromkeys(turns, 0.0)
    for done in range(rounds):
        for name, turn in turns.items():
            if done > 1 and count / best[name] > SLOW:
                continue
            began = time.perf_counter()
            turn(count)
            best[name] = max(best[name], count / (time.perf_counter() - began))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    ps.set_num_threads(options.threads)
    found: dict[str, Any] = {**facts(), "threads": options.threads, "rounds": options.rounds}
    found["models"] = {}
    with threadpool_limits(options.threads):
        for name, config in MODELS.items():
            rates = best_rates(contestants(config), config.context * 3 // 2, options.rounds)
            found["models"][name] = {"config": asdict(config), "tokens_per_s": rates}
            print(name)
            for contestant, rate in rates.items():
                print(f"  {contestant:45} {rate:10,.0f} tokens/s  {rate / rates['dense']:5.2f}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
