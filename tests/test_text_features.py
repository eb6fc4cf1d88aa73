"""Features of texts: hashing loses nothing but names, which a vote gives back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from proxstep.text import TextConfig, ngrams
from proxstep.text.corpus import Corpus, stratified
from proxstep.text.names import Names
from proxstep.text.ngrams import NgramCounter
from proxstep.text.weighting import Weighting
from sklearn.feature_extraction.text import TfidfVectorizer
from text_cases import columns, make_rows

ROWS = make_rows()
TEXTS, LABELS = columns(ROWS)
WORDS = {"analyzer": "word", "token_pattern": r"(?u)\w+|[^\w\s]"}
KINDS = {
    "words": ({"features": "words"}, {**WORDS, "ngram_range": (1, 2)}),
    "characters": ({"features": "characters"}, {"analyzer": "char_wb", "ngram_range": (2, 5)}),
    "trigrams": (
        {"features": "characters", "shortest": 3, "longest": 3, "lowercase": False},
        {"analyzer": "char_wb", "ngram_range": (3, 3), "lowercase": False},
    ),
}


def features(config: TextConfig, texts: list[str] = TEXTS) -> Any:
    counts = NgramCounter(config).count(texts)
    return Weighting.of(counts, config).transform(counts)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("min_df", "sublinear"), [(3, True), (1, False)])
def test_products_of_texts_are_those_of_an_exact_vocabulary(
    kind: str, min_df: int, sublinear: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X X' does not depend on how columns are numbered; 2^24 of them have no collision here."""
    monkeypatch.setattr(ngrams, "_CHUNK", 7)
    ours, theirs = KINDS[kind]
    X = features(TextConfig(**ours, min_df=min_df, sublinear=sublinear, hash_bits=24))
    exact = TfidfVectorizer(**theirs, min_df=min_df, sublinear_tf=sublinear)
    Z = exact.fit_transform(TEXTS)
    assert (X.dtype, X.shape) == (np.float32, Z.shape)
    np.testing.assert_allclose((X @ X.T).toarray(), (Z @ Z.T).toarray(), atol=1e-6)


def test_both_kinds_stand_side_by_side() -> None:
    counts = {
        name: NgramCounter(TextConfig(features=name)).count(TEXTS)
        for name in ("words", "characters", "both")
    }
    width = counts["words"].shape[1]
    assert counts["both"].shape[1] == 2 * width
    assert (counts["both"][:, :width] != counts["words"]).nnz == 0
    assert (counts["both"][:, width:] != counts["characters"]).nnz == 0


def test_every_column_has_the_name_of_its_majority(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few columns and many n-grams: those with more than half of a column name it."""
    monkeypatch.setattr(ngrams, "_CHUNK", 11)
    config, names = TextConfig(features="words", hash_bits=6), Names()
    counts = NgramCounter(config).count(TEXTS, names)
    exact = NgramCounter(TextConfig(features="words", hash_bits=24))
    known = Names()
    totals = np.asarray(exact.count(TEXTS, known).sum(axis=0)).ravel()
    sizes = dict(zip(known.of(np.flatnonzero(totals)), totals[totals > 0], strict=True))
    shares: dict[int, list[tuple[float, str]]] = {}
    for ngram, size in sizes.items():
        shares.setdefault(int(exact_column(ngram, 6)), []).append((size, ngram))
    majorities = 0
    for column, parts in shares.items():
        size, ngram = max(parts)
        assert counts[:, column].sum() == sum(part for part, _ in parts)
        if 2 * size > counts[:, column].sum():
            majorities += 1
            assert names.of([column]) == [ngram]
    assert 3 < majorities < len(shares)


def exact_column(ngram: str, bits: int) -> int:
    """The signed 32-bit MurmurHash3 of the UTF-8 bytes, as scikit-learn documents it."""
    from sklearn.utils import murmurhash3_32

    return abs(int(murmurhash3_32(ngram.encode(), 0, positive=False))) % 2**bits


def test_a_stream_is_read_once_and_never_ahead_of_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngrams, "_CHUNK", 10)
    alive = []

    class Text(str):
        def __del__(self) -> None:
            alive.pop()

    def stream() -> Any:
        for label, text in ROWS:
            alive.append(1)
            assert len(alive) <= 22  # two chunks: one counted, one read
            yield label, Text(text)

    corpus = Corpus.read(stream(), NgramCounter(TextConfig(features="words")))
    assert corpus.counts.shape[0] == corpus.labels.size == len(ROWS)


@pytest.mark.parametrize("share", [0.2, 0.001, 0.999])
def test_a_share_of_each_class_is_held_out_and_one_at_least(share: float) -> None:
    labels = np.array(["a"] * 50 + ["b"] * 2 + ["c"] * 13)
    train, held = stratified(labels, share, seed=5)
    assert sorted([*train, *held]) == list(range(65))
    for name, count in (("a", 50), ("b", 2), ("c", 13)):
        wanted = min(max(1, round(share * count)), count - 1)
        assert (labels[held] == name).sum() == wanted
    if share == 0.2:
        assert stratified(labels, share, 6)[1].tolist() != held.tolist()


def test_an_empty_text_has_no_features() -> None:
    config = TextConfig(features="words")
    counter = NgramCounter(config)
    weighting = Weighting.of(counter.count(TEXTS), config)
    assert weighting.transform(counter.count(["", "\t", TEXTS[0]])).getnnz(axis=1)[:2].sum() == 0
    assert counter.count([]).shape == (0, 2**20)
