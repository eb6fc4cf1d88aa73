"""The text of a run: read, split, cut into batches and windows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .tokenizer import Tokenizer


def read_text(files: Sequence[str | Path]) -> str:
    """Return the texts of the files, one after the other; of no file, Python's own help topics.

    Bytes that are not UTF-8 are kept as surrogates, which the byte tokenizer turns back.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If there is no text in the files.
    """
    if files:
        text = "".join(Path(file).read_bytes().decode("utf-8", "surrogateescape") for file in files)
        if not text:
            raise ValueError(f"{', '.join(map(str, files))}: no text to train on")
        return text
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in topics)


def fingerprint(text: str) -> str:
    """Return the SHA-256 of the text, to tell a changed file at resume."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True)
class Corpus:
    """Tokens for training and for validation.

    Attributes
    ----------
    train, validation : array of int64
        The first part and the held-out rest.
    """

    train: Any
    validation: Any

    @classmethod
    def from_text(cls, text: str, tokenizer: Tokenizer, held_out: float) -> Corpus:
        """Encode a text; the last share `held_out` of its tokens is the validation split.

        Examples
        --------
        >>> from proxstep.lm.tokenizer import ByteTokenizer
        >>> corpus = Corpus.from_text("0123456789", ByteTokenizer(), held_out=0.2)
        >>> corpus.train.size, corpus.validation.size
        (8, 2)
        """
        tokens = tokenizer.encode(text)
        cut = int(tokens.size * (1 - held_out))
        return cls(tokens[:cut], tokens[cut:])

    def check(self, context: int) -> None:
        """Raise ValueError if a split cannot fill one window of `context` tokens and its target."""
        for name, tokens in (("training", self.train), ("validation", self.validation)):
            if name == "validation" and tokens.size == 0:
                continue
            if tokens.size <= context:
                raise ValueError(
                    f"the {name} text has {tokens.size} tokens; context={context} needs "
                    f"at least {context + 1}: give more text or a smaller context"
                )


def draw_batch(tokens: Any, rng: np.random.Generator, batch: int, context: int) -> tuple[Any, Any]:
    """Return inputs and targets (the next tokens), each (batch, context), from random places.

    Examples
    --------
    >>> x, y = draw_batch(np.arange(9), np.random.default_rng(0), batch=2, context=3)
    >>> x.shape, bool((y == x + 1).all())
    ((2, 3), True)
    """
    starts = rng.integers(tokens.size - context, size=(batch, 1))
    return tokens[starts + np.arange(context)], tokens[starts + np.arange(1, context + 1)]


def windows(tokens: Any, context: int) -> tuple[Any, Any]:
    """Return all whole windows that do not overlap, as inputs and targets, each (n, context).

    Examples
    --------
    >>> x, y = windows(np.arange(8), context=3)
    >>> x.tolist(), y.tolist()
    ([[0, 1, 2], [3, 4, 5]], [[1, 2, 3], [4, 5, 6]])
    """
    count = (tokens.size - 1) // context
    size = count * context
    return tokens[:size].reshape(count, context), tokens[1 : size + 1].reshape(count, context)
