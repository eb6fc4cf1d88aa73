"""Counts of n-grams in hashed columns. Texts come as a stream and are never kept."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, cast

import numpy as np
from scipy import sparse
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer

from ..arrays import Array
from .bpe import Bpe
from .config import TextConfig
from .names import Names

Analyze = Callable[[str], list[str]]

_WORDS = r"(?u)\w+|[^\w\s]"  # punctuation says much in short texts
_LENGTHS = {"words": (1, 2), "characters": (2, 5), "bpe": (1, 2)}
_CHUNK = 4096  # texts whose n-grams are numbered at a time


class NgramCounter:
    """Counts the n-grams of texts, by kind ("words", "characters", "bpe") side by side.

    Parameters
    ----------
    config : TextConfig
        Kinds, lengths and number of columns.
    tokenizer : Bpe or None
        For "bpe".
    """

    def __init__(self, config: TextConfig, tokenizer: Bpe | None = None) -> None:
        kinds = ("words", "characters") if config.features == "both" else (config.features,)
        self.kinds, self.columns = kinds, 2**config.hash_bits
        self._analyzers = [_analyzer(kind, config, tokenizer) for kind in kinds]
        self._hasher = FeatureHasher(
            self.columns, input_type="string", dtype=np.float32, alternate_sign=False
        )

    def count(self, texts: Iterable[str], names: Names | None = None) -> Any:
        """Return counts, float32 CSR of shape (texts, columns of all kinds).

        Parameters
        ----------
        texts : iterable of str
            Read once.
        names : Names, optional
            Notes which n-gram a column stands for.
        """
        parts = [self._count_chunk(chunk, names) for chunk in chunks(texts, _CHUNK)]
        if not parts:
            return sparse.csr_matrix((0, self.columns * len(self.kinds)), dtype=np.float32)
        return sparse.vstack(parts, format="csr")

    def _count_chunk(self, texts: list[str], names: Names | None) -> Any:
        blocks = []
        for number, analyze in enumerate(self._analyzers):
            ngrams, counts = _count(analyze, texts)
            columns = self._hashed(ngrams)
            if names is not None:
                names.vote(columns + number * self.columns, ngrams, _totals(counts))
            blocks.append(_with_columns(counts, columns, self.columns))
        return sparse.hstack(blocks, format="csr")

    def _hashed(self, ngrams: Sequence[str]) -> Array:
        if not ngrams:
            return np.zeros(0, np.int32)
        return self._hasher.transform([ngram] for ngram in ngrams).indices


def chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of up to `size` items.

    Examples
    --------
    >>> list(chunks("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    source = iter(items)
    while chunk := list(islice(source, size)):
        yield chunk


def _analyzer(kind: str, config: TextConfig, tokenizer: Bpe | None) -> Analyze:
    shortest, longest = _lengths(kind, config)
    settings: dict[str, Any] = {"token_pattern": _WORDS}
    if tokenizer is not None:
        settings = {"token_pattern": None, "tokenizer": tokenizer.tokenize}
    analyzer = "char_wb" if kind == "characters" else "word"
    vectorizer = CountVectorizer(
        analyzer=analyzer, ngram_range=(shortest, longest), lowercase=config.lowercase, **settings
    )
    return cast(Analyze, vectorizer.build_analyzer())


def _lengths(kind: str, config: TextConfig) -> tuple[int, int]:
    """Return the lengths asked for; one that is not given gives way to the other."""
    shortest, longest = _LENGTHS[kind]
    shortest = config.shortest or min(shortest, config.longest or shortest)
    return shortest, config.longest or max(longest, shortest)


def _count(analyze: Analyze, texts: list[str]) -> tuple[list[str], Any]:
    """Return the different n-grams in the order in which they come, and their counts."""
    seen: defaultdict[str, int] = defaultdict()
    seen.default_factory = seen.__len__
    numbers, ends = array("i"), [0]
    for text in texts:
        numbers.extend(map(seen.__getitem__, analyze(text)))
        ends.append(len(numbers))
    indices = np.array(numbers, np.int32)
    ones = np.ones(len(numbers), np.float32)
    counts = sparse.csr_matrix((ones, indices, ends), shape=(len(texts), len(seen)))
    counts.sum_duplicates()
    return list(seen), counts


def _totals(counts: Any) -> Array:
    return np.bincount(counts.indices, counts.data, counts.shape[1]).astype(np.int64)


def _with_columns(counts: Any, columns: Array, width: int) -> Any:
    """Return the counts of columns; n-grams that share one are added up."""
    shape = (counts.shape[0], width)
    hashed = sparse.csr_matrix((counts.data, columns[counts.indices], counts.indptr), shape=shape)
    hashed.sum_duplicates()
    return hashed
