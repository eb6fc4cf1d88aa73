"""Which n-gram a hashed column stands for: the one that is most of it, by majority vote."""

from __future__ import annotations

from collections.abc import Sequence

from ..arrays import Array


class Names:
    """An n-gram for each column that was seen; at most one is kept for each.

    An n-gram that is more than half of a column's count keeps its place (Boyer and Moore,
    "MJRTY: a fast majority vote algorithm", 1981), whatever the order of the texts.

    Examples
    --------
    >>> import numpy as np
    >>> names = Names()
    >>> names.vote(np.array([3, 7, 3]), ["free", "win", "hello"], np.array([5, 1, 2]))
    >>> names.of([3, 7])
    ['free', 'win']
    """

    def __init__(self) -> None:
        self._ngrams: dict[int, str] = {}
        self._votes: dict[int, int] = {}

    def vote(self, columns: Array, ngrams: Sequence[str], counts: Array) -> None:
        """Count n-grams for their columns."""
        for column, ngram, count in zip(columns.tolist(), ngrams, counts.tolist(), strict=True):
            self._vote(column, ngram, count)

    def _vote(self, column: int, ngram: str, count: int) -> None:
        votes = self._votes.get(column, 0)
        if votes == 0 or self._ngrams[column] == ngram:
            self._ngrams[column], self._votes[column] = ngram, votes + count
        elif count > votes:
            self._ngrams[column], self._votes[column] = ngram, count - votes
        else:
            self._votes[column] = votes - count

    def of(self, columns: Sequence[int]) -> list[str]:
        """Return the n-grams of columns that were seen."""
        return [self._ngrams[int(column)] for column in columns]
