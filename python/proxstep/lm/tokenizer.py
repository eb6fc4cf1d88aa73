"""Text to integers and back: by character, by byte, or by byte pairs (`bpe`)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .bpe import TRAINED_ON, VOCABULARY, BPETokenizer
from .names import check_name
from .numbers import NumberTokenizer
from .text import Text, code_points

KINDS = ("characters", "bytes", "bpe")


class Tokenizer(Protocol):
    """What data, sampling and checkpoints need of a tokenizer."""

    size: int
    unit: str

    def encode(self, text: str) -> Any:
        """Return int64 tokens."""

    def byte_lengths(self) -> Any:
        """Return the UTF-8 bytes that each token stands for, or None where that is not known."""

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

    unit = "characters"

    def __init__(self, symbols: str) -> None:
        self.symbols = symbols
        self.size = len(symbols)
        codes = code_points(symbols)
        self._tokens = np.full(int(codes.max()) + 2, self.size, np.int64)  # the last: all beyond
        self._tokens[codes] = np.arange(self.size)

    @classmethod
    def from_text(cls, text: str) -> CharacterTokenizer:
        """Collect the characters of a text."""
        return cls("".join(sorted(set(text))))

    def encode(self, text: str) -> Any:
        """Return int64 tokens."""
        tokens = np.take(self._tokens, code_points(text), mode="clip")
        if tokens.size and tokens.max() == self.size:
            strange = text[int(np.argmax(tokens))]
            raise ValueError(
                f"character {strange!r} is not among the {self.size} that the model was trained on"
            )
        return tokens

    def decode(self, tokens: Any) -> str:
        """Return the text of the tokens."""
        return "".join(self.symbols[int(token)] for token in tokens)

    def byte_lengths(self) -> Any:
        """Return the UTF-8 bytes of each character."""
        return np.array([len(symbol.encode()) for symbol in self.symbols])

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

    size, unit = 256, "bytes"

    def encode(self, text: str) -> Any:
        """Return int64 tokens."""
        return np.frombuffer(text.encode("utf-8", "surrogateescape"), np.uint8).astype(np.int64)

    def decode(self, tokens: Any) -> str:
        """Return the text of the tokens; bytes that are not UTF-8 become U+FFFD."""
        return bytes(int(token) for token in tokens).decode("utf-8", "replace")

    def byte_lengths(self) -> Any:
        """Return ones."""
        return np.ones(256, np.int64)

    def state(self) -> dict[str, str]:
        """Return the kind."""
        return {"kind": "bytes"}


def make_tokenizer(kind: str, text: Text, size: int | None = None, share: float = 1) -> Tokenizer:
    """Return a tokenizer for a text.

    Parameters
    ----------
    kind : str
        "characters", "bytes", "bpe", or the path of a ``.json`` file of the tokenizers library.
    text : Text
        Whose characters are collected, or from which byte pairs are learned.
    size : int, optional
        Tokens that are wanted; only "bpe" can choose, up to what the text gives.
    share : float
        The first share of the text, from which byte pairs are learned.

    Raises
    ------
    ValueError
        If the kind is unknown, the text does not suit it, or it cannot have that size.
    """
    if not kind.endswith(".json"):
        check_name("tokenizer", kind, KINDS)
    tokenizer = _make(kind, text, size, share)
    if size not in (None, tokenizer.size):
        cure = f"ask for at most {tokenizer.size}" if kind == "bpe" else "only bpe takes a size"
        found = f"the tokenizer {kind!r} has {tokenizer.size} tokens here"
        raise ValueError(f"vocabulary={size}, but {found}; {cure}")
    return tokenizer


def _make(kind: str, text: Text, size: int | None, share: float) -> Tokenizer:
    if kind == "bytes":
        return ByteTokenizer()
    loaded = BPETokenizer.from_file(Path(kind)) if kind.endswith(".json") else None
    text.check_decodes(kind)
    if kind == "characters":
        return CharacterTokenizer(text.scan.symbols)
    return loaded or BPETokenizer.train(text.some(share, TRAINED_ON), size or VOCABULARY)


def restore_tokenizer(state: dict[str, str]) -> Tokenizer:
    """Return the tokenizer whose `state` this is.

    Raises
    ------
    KeyError, ValueError
        If the kind is unknown, or what it needs is missing.
    MissingExtraError
        If it is a BPE and ``tokenizers`` is not installed.
    """
    kind = state["kind"]
    if kind == "numbers":  # of a model that came without a tokenizer
        return NumberTokenizer(int(state["size"]))
    check_name("tokenizer", kind, KINDS)
    if kind == "bpe":
        return BPETokenizer(state["model"])
    return ByteTokenizer() if kind == "bytes" else CharacterTokenizer(state["symbols"])


def identify(tokenizer: Tokenizer) -> str:
    """Return the SHA-256 of a tokenizer's state.

    Examples
    --------
    >>> identify(ByteTokenizer()) == identify(ByteTokenizer())
    True
    >>> identify(CharacterTokenizer("ab")) == identify(CharacterTokenizer("abc"))
    False
    """
    return hashlib.sha256(json.dumps(tokenizer.state(), sort_keys=True).encode()).hexdigest()
