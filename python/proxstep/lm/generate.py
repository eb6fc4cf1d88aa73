"""Tokens from a model, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .decode import Decoder, make_decoder
from .diverged import DivergedError
from .model import GPT

ROUNDING = 1e-12  # of the sum of all probabilities


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn.

    Parameters
    ----------
    temperature : float
        Logits are divided by it; 0 takes the likeliest token.
    top_k : int
        Keep the k likeliest tokens; 0 keeps all.
    top_p : float
        Keep the fewest likeliest tokens whose probabilities, after temperature and `top_k`, sum to
        at least p (nucleus sampling; Holtzman et al. 2020); 1 keeps all.
    seed : int
        Seed of the draws.

    Raises
    ------
    ValueError
        If a value is negative or not finite, or `top_p` is not in (0, 1].
    """

    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature={self.temperature} is not a finite number >= 0")
        if self.top_k < 0:
            raise ValueError(f"top_k={self.top_k} is below 0")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p={self.top_p} is not above 0 and at most 1")
        if self.seed < 0:
            raise ValueError(f"seed={self.seed} is below 0")


def draw(logits: Any, sampling: Sampling, rng: np.random.Generator) -> int:
    """Draw a token from logits of shape (V,) by the Gumbel-max rule.

    Raises
    ------
    DivergedError
        If a logit is not finite.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> draw(np.array([0.1, 2.0, 0.3]), Sampling(temperature=0), rng)
    1
    >>> {draw(np.array([0.1, 2.0, 0.3]), Sampling(top_k=2), rng) for _ in range(200)} == {1, 2}
    True
    >>> {draw(np.log([0.5, 0.3, 0.2]), Sampling(1, top_p=0.8), rng) for _ in range(200)} == {0, 1}
    True
    """
    _refuse_infinite(logits)
    if sampling.temperature == 0:
        return int(np.argmax(logits))
    below = np.asarray(logits, np.float64) - np.max(logits)
    with np.errstate(over="ignore"):  # at the lowest temperatures all but the likeliest are -inf
        scores = below / sampling.temperature
    if 0 < sampling.top_k < scores.size:
        _keep_likeliest(scores, sampling.top_k)
    if sampling.top_p < 1:
        _keep_nucleus(scores, sampling.top_p)
    return int(np.argmax(scores + rng.gumbel(size=scores.size)))


def _refuse_infinite(logits: Any) -> None:
    finite = np.isfinite(logits)
    if not finite.all():
        token = int(np.argmin(finite))
        raise DivergedError(
            f"the logit of token {token} is {logits[token]}, not a finite number: the model has "
            "diverged"
        )


def _keep_likeliest(scores: Any, count: int) -> None:
    """Turn all scores but the largest `count` into -infinity; of equal ones the first are kept."""
    least = np.partition(scores, -count)[-count]
    ties = np.flatnonzero(scores == least)
    room = count - np.count_nonzero(scores > least)
    scores[scores < least] = -np.inf
    scores[ties[room:]] = -np.inf


def _keep_nucleus(scores: Any, top_p: float) -> None:
    """Turn all scores but those of the nucleus into -infinity."""
    order = np.argsort(-scores, kind="stable")
    shares = np.exp(scores[order] - scores[order[0]])
    before = np.cumsum(shares) - shares
    scores[order[before >= (top_p - ROUNDING) * shares.sum()]] = -np.inf


def generate(
    model: GPT, prompt: Any, count: int, sampling: Sampling, decoder: Decoder | None = None
) -> Iterator[int]:
    """Yield `count` tokens that follow the prompt.

    The model sees all of the text as long as it fits into the context. Whenever the context is
    full, the last half of it is read again, at the first positions; from then on the model sees
    between a half and all of the last `context` tokens.

    Parameters
    ----------
    model : GPT
        The model.
    prompt : array of int, shape (n,)
        Tokens to go on from, at least one; of more than `context` the last are seen.
    count : int
        Tokens to make.
    sampling : Sampling
        How to draw.
    decoder : Decoder, optional
        Of the model; made if None.

    Raises
    ------
    ValueError
        If the prompt is empty.
    DivergedError
        If a logit is not finite.
    """
    context = model.config.context
    seen = [int(token) for token in prompt][-context:]
    if not seen:
        raise ValueError("the prompt is empty: give at least one token")
    decoder = decoder or make_decoder(model)
    rng, token = np.random.default_rng(sampling.seed), -1
    for done in range(count):
        if done and len(seen) < context:
            seen.append(token)
            logits = decoder.step(token)
        else:
            seen = [*seen, token][-max(1, context // 2) :] if done else seen
            logits = decoder.read(seen)
        token = draw(logits, sampling, rng)
        yield token
