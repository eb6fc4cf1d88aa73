"""Tokens whose text is not known: they are written as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np


class NumberTokenizer:
    """Decimal numbers with spaces between them, for a model that came without its tokenizer.

    Raises
    ------
    ValueError
        By `encode`, for what is no number below `size`.

    Examples
    --------
    >>> tokenizer = NumberTokenizer(50257)
    >>> tokenizer.encode("464 3290").tolist(), tokenizer.decode([464, 3290])
    ([464, 3290], ' 464 3290')
    >>> tokenizer.encode("The dog")
    Traceback (most recent call last):
    ValueError: 'The' is not a token: this model takes numbers from 0 to 50256, such as '464 3290'
    """

    unit = "tokens"

    def __init__(self, size: int) -> None:
        self.size = size

    def encode(self, text: str) -> Any:
        """Return int64 tokens."""
        words = text.split()
        for word in words:
            if not (word.isascii() and word.isdigit() and int(word) < self.size):
                raise ValueError(
                    f"{word!r} is not a token: this model takes numbers from 0 to {self.size - 1}, "
                    "such as '464 3290'"
                )
        return np.array([int(word) for word in words], np.int64)

    def byte_lengths(self) -> None:
        """Return None: the text behind a number is not known."""

    def decode(self, tokens: Any) -> str:
        """Return the numbers, each with a space before it: they may follow a prompt."""
        return "".join(f" {int(token)}" for token in tokens)

    def state(self) -> dict[str, str]:
        """Return the kind and the size."""
        return {"kind": "numbers", "size": str(self.size)}
