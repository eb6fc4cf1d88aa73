"""Labelled texts as counts of n-grams; the texts themselves are read once and let go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from scipy import sparse

from ..arrays import Array
from .names import Names
from .ngrams import NgramCounter

Row = tuple[Any, str]  # label and text


@dataclass(frozen=True, eq=False)
class Corpus:
    """Counts of n-grams, CSR of shape (n, columns), and labels, shape (n,)."""

    counts: Any
    labels: Array

    @classmethod
    def read(cls, rows: Iterable[Row], counter: NgramCounter, names: Names | None = None) -> Corpus:
        """Return the corpus of pairs of a label and a text."""
        labels: list[Any] = []
        counts = counter.count(_texts(rows, labels), names)
        return cls(counts, np.array(labels))

    def take(self, rows: Array) -> Corpus:
        """Return some of the texts."""
        return Corpus(self.counts[rows], self.labels[rows])

    def join(self, other: Corpus) -> Corpus:
        """Return these texts and then the others."""
        counts = sparse.vstack([self.counts, other.counts], format="csr")
        return Corpus(counts, np.concatenate([self.labels, other.labels]))


def _texts(rows: Iterable[Row], labels: list[Any]) -> Iterator[str]:
    """Yield the texts; their labels are set aside."""
    for label, text in rows:
        labels.append(label)
        yield text


def checked_texts(texts: Iterable[str]) -> Iterator[str]:
    """Yield texts, and refuse what is none."""
    if isinstance(texts, str):
        raise TypeError(f"texts is the str {texts[:40]!r}; a list of them is needed")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts[{number}] is {text!r}; a str is needed")
        yield text


def paired(texts: Iterable[str], labels: Iterable[Any]) -> Iterator[Row]:
    """Yield pairs of a label and a text."""
    nothing = object()
    pairs: Iterator[Any] = zip_longest(labels, checked_texts(texts), fillvalue=nothing)
    for number, (label, text) in enumerate(pairs):
        if label is nothing or text is nothing:
            fewer, more = ("labels", "texts") if label is nothing else ("texts", "labels")
            raise ValueError(f"there are {number} {fewer}, and more {more}")
        yield label, text


def classes_of(labels: Array) -> Array:
    """Return the sorted classes.

    Raises
    ------
    ValueError
        If there are not at least two.
    """
    classes = np.unique(labels)
    if classes.size < 2:
        found = f"all {labels.size} texts have the label {str(labels[0])!r}" if labels.size else ""
        raise ValueError(f"at least 2 classes are needed: {found or 'there are no texts'}")
    return classes


def codes_of(labels: Array, classes: Array, name: str) -> Array:
    """Return the number of each label's class.

    Raises
    ------
    ValueError
        If a label is not among the classes.
    """
    strange = np.setdiff1d(labels, classes)
    if strange.size:
        count = int(np.isin(labels, strange).sum())
        raise ValueError(
            f"the {name} texts have {count} labels that no training text has, as {strange[0]!s}"
        )
    return np.searchsorted(classes, labels)


def stratified(labels: Array, share: float, seed: int) -> tuple[Array, Array]:
    """Return the rows to train on and those held out: a share of each class, and at least one.

    Raises
    ------
    ValueError
        If a class has one text only.
    """
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    _check_counts(classes, counts)
    draws, held = np.random.default_rng(seed), np.zeros(labels.size, bool)
    for code, count in enumerate(counts):
        size = min(max(1, round(share * count)), count - 1)
        held[draws.permutation(np.flatnonzero(codes == code))[:size]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def _check_counts(classes: Array, counts: Array) -> None:
    rare = [str(name) for name in classes[counts < 2]]
    if rare:
        shown = ", ".join(map(repr, rare[:5])) + (", ..." if len(rare) > 5 else "")
        raise ValueError(
            f"classes with one text cannot be split into training and validation: {shown} "
            f"({len(rare)} of {classes.size} classes); leave them out or validate on other texts"
        )
