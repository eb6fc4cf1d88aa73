"""Text from a model, one token at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from proxstep.arrays import on_host

from .model import GPT


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn.

    Parameters
    ----------
    temperature : float
        Logits are divided by it; 0 takes the likeliest token.
    top_k : int
        Keep the k likeliest tokens; 0 keeps all.
    seed : int
        Seed of the draws.

    Raises
    ------
    ValueError
        If a value is negative or not finite.
    """

    temperature: float = 0.8
    top_k: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature={self.temperature} is not a finite number >= 0")
        if self.top_k < 0:
            raise ValueError(f"top_k={self.top_k} is below 0")
        if self.seed < 0:
            raise ValueError(f"seed={self.seed} is below 0")


def draw(logits: Any, sampling: Sampling, rng: np.random.Generator) -> int:
    """Draw a token from logits of shape (V,) by the Gumbel-max rule.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> draw(np.array([0.1, 2.0, 0.3]), Sampling(temperature=0), rng)
    1
    >>> {draw(np.array([0.1, 2.0, 0.3]), Sampling(top_k=2), rng) for _ in range(200)} == {1, 2}
    True
    """
    if sampling.temperature == 0:
        return int(np.argmax(logits))
    scores = np.asarray(logits, np.float64) / sampling.temperature
    if 0 < sampling.top_k < scores.size:
        scores[scores < np.partition(scores, -sampling.top_k)[-sampling.top_k]] = -np.inf
    return int(np.argmax(scores + rng.gumbel(size=scores.size)))


def generate(model: GPT, prompt: Any, count: int, sampling: Sampling) -> Iterator[int]:
    """Yield `count` tokens that follow the prompt; the model sees the last `context` of them.

    Parameters
    ----------
    model : GPT
        The model.
    prompt : array of int, shape (n,)
        Tokens to go on from, at least one.
    count : int
        Tokens to make.
    sampling : Sampling
        How to draw.

    Raises
    ------
    ValueError
        If the prompt is empty.
    """
    tokens = [int(token) for token in prompt]
    if not tokens:
        raise ValueError("the prompt is empty: give at least one token")
    rng = np.random.default_rng(sampling.seed)
    for _ in range(count):
        seen = np.array([tokens[-model.config.context :]])
        tokens.append(draw(on_host(model.forward(seen)[-1]), sampling, rng))
        yield tokens[-1]
