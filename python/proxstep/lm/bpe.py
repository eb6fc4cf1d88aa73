"""Byte-pair encoding by the ``tokenizers`` library: trained on a text, or read from its JSON.

A tokenizer that is trained here works on bytes: any text goes in, and comes out unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from .cut import chunks
from .extras import require

VOCABULARY = 1024  # tokens, unless another number is asked for
TRAINED_ON = 1 << 26  # bytes; of a larger text, evenly spaced pieces are used


class BPETokenizer:
    r"""A tokenizer of the ``tokenizers`` library, whole in its JSON form.

    Parameters
    ----------
    model : str
        The JSON text, as ``tokenizer.json`` holds it.

    Raises
    ------
    ValueError
        If the JSON is no tokenizer.
    MissingExtraError
        If ``tokenizers`` is not installed.

    Examples
    --------
    >>> tokenizer = BPETokenizer.train(["low lower lowest low low\n"], 263)
    >>> tokenizer.size, tokenizer.decode(tokenizer.encode("slow Ü\n"))
    (263, 'slow Ü\n')
    """

    unit = "tokens"

    def __init__(self, model: str) -> None:
        library = require("tokenizers", "the tokenizer bpe", "bpe")
        try:
            self._library = library.Tokenizer.from_str(model)
        except Exception as error:  # the library raises no narrower one
            raise ValueError(f"not a tokenizer of the tokenizers library: {error}") from error
        self._library.no_truncation()
        self._library.no_padding()
        self._model = model
        self.size = 1 + max(self._library.get_vocab().values(), default=-1)  # numbers may have gaps

    @classmethod
    def train(cls, pieces: Iterable[str], size: int) -> BPETokenizer:
        """Learn at most `size` tokens, 256 of them bytes; a short text may give fewer.

        Raises
        ------
        ValueError
            If `size` is below 256.
        """
        if size < 256:
            raise ValueError(f"vocabulary={size} is below 256, the bytes that bpe begins with")
        library = require("tokenizers", "the tokenizer bpe", "bpe")
        split = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        learner = library.Tokenizer(library.models.BPE())
        learner.pre_tokenizer, learner.decoder = split, library.decoders.ByteLevel()
        options = {"initial_alphabet": sorted(split.alphabet()), "show_progress": False}
        trainer = library.trainers.BpeTrainer(vocab_size=size, **options)
        parts = (part for piece in pieces for part in chunks(piece))
        learner.train_from_iterator(parts, trainer)
        return cls(learner.to_str())

    @classmethod
    def from_file(cls, path: Path) -> BPETokenizer:
        """Read a ``tokenizer.json``.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is no tokenizer.
        """
        try:
            return cls(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def encode(self, text: str) -> Any:
        """Return int64 tokens; nothing is added at the start or the end."""
        parts = self._library.encode_batch_fast(list(chunks(text)), add_special_tokens=False)
        return np.concatenate([np.array(part.ids, np.int64) for part in parts])

    def decode(self, tokens: Any) -> str:
        """Return the text of the tokens; a character that is cut becomes U+FFFD."""
        ids = [int(token) for token in tokens]
        return str(self._library.decode(ids, skip_special_tokens=False))

    def byte_lengths(self) -> Any:
        """Return the UTF-8 bytes that each token stands for, or None where that is not known."""
        parts = json.loads(self._model)
        if (parts.get("decoder") or {}).get("type") != "ByteLevel" or parts.get("normalizer"):
            return None
        added = {item["id"]: item["content"] for item in parts.get("added_tokens", ())}
        lengths = np.zeros(self.size, np.int64)
        for name, token in self._library.get_vocab().items():  # one sign of a name is one byte
            lengths[token] = len(added[token].encode()) if token in added else len(name)
        return lengths

    def state(self) -> dict[str, str]:
        """Return the whole tokenizer."""
        return {"kind": "bpe", "model": self._model}
