"""Text to integers and back: by character or by byte."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from .names import check_name


class Tokenizer(Protocol):
    """What data, sampling and checkpoints need of a tokenizer."""

    size: int

    def encode(self, text: str) -> Any:
        """Return int64 tokens."""

    def decode(self, tokens: Any) -> str:
        """Return the text of the tokens."""

    def state(self) -> dict[str, str]:
        """Return what `restore_tokenizer` needs, fit for JSON."""


class CharacterTokenizer:
    """One token for each different character, in the order of code points.

    Raises
    ------
    ValueError
        By `encode`, for a character that the tokenizer does not know.

    Examples
    --------
    >>> tokenizer = CharacterTokenizer.from_text("hello")
    >>> tokenizer.encode("hole").tolist(), tokenizer.decode([1, 0])
    ([1, 3, 2, 0], 'he')
    >>> tokenizer.encode("hi")
    Traceback (most recent call last):
    ValueError: character 'i' is not among the 4 that the model was trained on
    """

    def __init__(self, symbols: str) -> None:
        self.symbols = symbols
        self.size = len(symbols)
        self._codes = _code_points(symbols)

    @classmethod
    def from_text(cls, text: str) -> CharacterTokenizer:
        """Collect the characters of a text.

        Raises
        ------
        ValueError
            If bytes that are not UTF-8 are among them, as `read_text` keeps them.
        """
        symbols = "".join(sorted(set(text)))
        strange = next((symbol for symbol in symbols if "\udc80" <= symbol <= "\udcff"), None)
        if strange is not None:
            raise ValueError(
                f"the text is not UTF-8: byte {ord(strange) - 0xDC00:#x} at character "
                f"{text.index(strange)}; the tokenizer 'bytes' takes any file"
            )
        return cls(symbols)

    def encode(self, text: str) -> Any:
        """Return int64 tokens."""
        codes = _code_points(text)
        tokens = np.searchsorted(self._codes, codes)
        known = self._codes[np.minimum(tokens, self.size - 1)] == codes
        if not known.all():
            strange = text[int(np.argmin(known))]
            raise ValueError(
                f"character {strange!r} is not among the {self.size} that the model was trained on"
            )
        return tokens.astype(np.int64)

    def decode(self, tokens: Any) -> str:
        """Return the text of the tokens."""
        return "".join(self.symbols[int(token)] for token in tokens)

    def state(self) -> dict[str, str]:
        """Return the characters."""
        return {"kind": "characters", "symbols": self.symbols}


class ByteTokenizer:
    """UTF-8 bytes: 256 tokens, any text.

    Examples
    --------
    >>> ByteTokenizer().encode("né").tolist()
    [110, 195, 169]
    >>> ByteTokenizer().decode([110, 195, 169])
    'né'
    """

    size = 256

    def encode(self, text: str) -> Any:
        """Return int64 tokens."""
        return np.frombuffer(text.encode("utf-8", "surrogateescape"), np.uint8).astype(np.int64)

    def decode(self, tokens: Any) -> str:
        """Return the text of the tokens; bytes that are not UTF-8 become U+FFFD."""
        return bytes(int(token) for token in tokens).decode("utf-8", "replace")

    def state(self) -> dict[str, str]:
        """Return the kind."""
        return {"kind": "bytes"}


def make_tokenizer(kind: str, text: str) -> Tokenizer:
    """Return the tokenizer of that kind for a text."""
    check_name("tokenizer", kind, ("characters", "bytes"))
    return CharacterTokenizer.from_text(text) if kind == "characters" else ByteTokenizer()


def restore_tokenizer(state: dict[str, str]) -> Tokenizer:
    """Return the tokenizer whose `state` this is."""
    check_name("tokenizer", state["kind"], ("characters", "bytes"))
    return CharacterTokenizer(state["symbols"]) if "symbols" in state else ByteTokenizer()


def _code_points(text: str) -> Any:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
