"""Byte-pair tokens of texts, by the ``tokenizers`` library."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..lm.extras import require

_UNKNOWN = "<?>"


class Bpe:
    """A byte-pair tokenizer that splits at spaces and marks them as "▁".

    Parameters
    ----------
    state : str
        Its JSON, as `state` returns it.

    Raises
    ------
    MissingExtraError
        If ``tokenizers`` is not installed.
    """

    def __init__(self, state: str) -> None:
        self._tokenizer = _library().Tokenizer.from_str(state)

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary: int) -> Bpe:
        """Return the tokenizer of texts, with at most so many tokens."""
        library = _library()
        tokenizer = library.Tokenizer(library.models.BPE(unk_token=_UNKNOWN))
        tokenizer.pre_tokenizer = library.pre_tokenizers.Metaspace()
        trainer = library.trainers.BpeTrainer(
            vocab_size=vocabulary, special_tokens=[_UNKNOWN], show_progress=False
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer.to_str())

    def state(self) -> str:
        """Return all of it as JSON."""
        return str(self._tokenizer.to_str())

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of a text."""
        return list(self._tokenizer.encode(text).tokens)


def _library() -> Any:
    return require("tokenizers", "features='bpe'", "bpe")
