"""The tokens of a run: split, cut into batches and windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .text import Text
from .tokenizer import Tokenizer


class Tokens(Protocol):
    """An array of integers, or what slices are made into arrays of like one's: a `TokenFile`."""

    @property
    def size(self) -> int:
        """Number of tokens."""

    def __getitem__(self, index: slice, /) -> Any:
        """Return the part that a slice names; ``np.asarray`` makes it an array."""


def read_text(files: Sequence[str | Path]) -> str:
    """Return the texts of the files, one after the other; of no file, Python's own help topics.

    Bytes that are not UTF-8 are kept as surrogates, which the byte tokenizer turns back.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If there is no text in a file.
    """
    text = Text.from_names(files)
    return "".join(text.pieces()) if text.scan.size else ""


def encode_pieces(text: Text, tokenizer: Tokenizer) -> Iterator[Any]:
    """Yield the tokens of a text piece by piece, in the smallest type that holds them."""
    kind = token_type(tokenizer.size)
    for piece in text.pieces():
        yield tokenizer.encode(piece).astype(kind)


def token_type(vocabulary: int) -> str:
    """Return the type of stored tokens.

    Examples
    --------
    >>> token_type(65_536), token_type(65_537)
    ('<u2', '<u4')
    """
    return "<u2" if vocabulary <= 1 << 16 else "<u4"


@dataclass(frozen=True)
class Corpus:
    """Tokens for training and for validation.

    Attributes
    ----------
    train, validation : array of int, or TokenFile
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
        return cls.split(tokenizer.encode(text), held_out)

    @classmethod
    def split(cls, tokens: Tokens, held_out: float) -> Corpus:
        """Hold the last share `held_out` of the tokens out."""
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


def draw_batch(tokens: Tokens, rng: np.random.Generator, batch: int, context: int) -> Any:
    """Return inputs and targets (the next tokens), each (batch, context), from random places.

    Examples
    --------
    >>> x, y = draw_batch(np.arange(9), np.random.default_rng(0), batch=2, context=3)
    >>> x.shape, bool((y == x + 1).all())
    ((2, 3), True)
    """
    return _pairs(tokens, rng.integers(tokens.size - context, size=batch).tolist(), context)


def windows(tokens: Tokens, context: int, batch: int) -> Iterator[tuple[Any, Any]]:
    """Yield all whole windows that do not overlap, `batch` at once, as inputs and targets.

    Examples
    --------
    >>> for x, y in windows(np.arange(12), context=3, batch=2):
    ...     print(x.tolist(), y.tolist())
    [[0, 1, 2], [3, 4, 5]] [[1, 2, 3], [4, 5, 6]]
    [[6, 7, 8]] [[7, 8, 9]]
    """
    count = (tokens.size - 1) // context
    for first in range(0, count, batch):
        numbers = range(first, min(first + batch, count))
        yield _pairs(tokens, [number * context for number in numbers], context)


def _pairs(tokens: Tokens, starts: Sequence[int], context: int) -> tuple[Any, Any]:
    """Return the inputs and the targets that begin at some places, as int64 arrays."""
    rows = np.stack([np.asarray(tokens[start : start + context + 1]) for start in starts])
    return rows[:, :-1].astype(np.int64, order="C"), rows[:, 1:].astype(np.int64, order="C")
