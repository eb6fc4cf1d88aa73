"""The loss of a model over a whole text: one definition for training and for ``proxstep eval``."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from .data import Tokens, windows
from .parallel import Replicas
from .parameters import Parameters
from .tokenizer import Tokenizer

COUNTED = 1 << 20  # tokens whose bytes are counted at once


def mean_loss(replicas: Replicas, tokens: Tokens, context: int, batch: int) -> float:
    """Return the mean cross-entropy [nats a token] over windows that do not overlap.

    A last window that is not whole is left out. `batch` windows are computed at once; it and the
    number of replicas decide the last bits.
    """
    total, count = 0.0, 0
    for x, y in windows(tokens, context, batch):
        total += replicas.loss(x, y) * x.size
        count += x.size
    return total / count


def bytes_a_token(tokenizer: Tokenizer, tokens: Tokens) -> float | None:
    """Return the UTF-8 bytes of the text over its tokens, or None where that is not known.

    Examples
    --------
    >>> from proxstep.lm.tokenizer import CharacterTokenizer
    >>> tokenizer = CharacterTokenizer.from_text("née")
    >>> bytes_a_token(tokenizer, tokenizer.encode("née"))
    1.3333333333333333
    """
    lengths = tokenizer.byte_lengths()
    if lengths is None or tokens.size == 0:
        return None
    ends = [*range(0, tokens.size, COUNTED), tokens.size]
    parts = (np.asarray(tokens[start:stop]) for start, stop in pairwise(ends))
    return float(sum(lengths[part].sum() for part in parts) / tokens.size)


def bits_per_byte(loss: float | None, bytes_each: float | None) -> float | None:
    """Return nats a token as bits a byte, which compares across tokenizers.

    Examples
    --------
    >>> bits_per_byte(2.0 * math.log(2), 4.0), bits_per_byte(2.0, None)
    (0.5, None)
    """
    if loss is None or bytes_each is None:
        return None
    return loss / math.log(2) / bytes_each


def zero_shares(weights: Parameters) -> dict[str, float]:
    """Return the share of exact zeros in each 2-D weight, by name.

    Examples
    --------
    >>> from proxstep.lm import ModelConfig
    >>> weights = Parameters(ModelConfig(vocabulary=5, layers=1, heads=1, channels=4, context=2))
    >>> weights["token_embedding"][2:] = 1
    >>> zero_shares(weights)["token_embedding"]
    0.4
    """
    views: list[tuple[str, Any]] = [item for item in weights.items() if item[1].ndim == 2]
    return {name: 1 - int(weights.xp.count_nonzero(view)) / view.size for name, view in views}
