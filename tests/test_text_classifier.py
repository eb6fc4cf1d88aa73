"""TextClassifier: the optimum that another solver finds, a choice that follows its rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("safetensors")

from proxstep.text import TextClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss
from text_cases import columns, make_rows

TEXTS, LABELS = columns(make_rows())
NEW, TRUTH = columns(make_rows(60, seed=9))
LAM = 0.007
PENALTIES = {"l1": 1.0, "elastic-net": 0.7}


@pytest.mark.parametrize("topics", [2, 3])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_a_fit_is_the_optimum_that_saga_finds(topics: int, penalty: str, class_weight: str) -> None:
    texts, labels = columns(make_rows(topics=topics))
    model = TextClassifier(
        features="words", penalty=penalty, l1_ratio=0.7, class_weight=class_weight, lam=LAM,
        tol=1e-7, hash_bits=22,
    ).fit(texts, labels)  # fmt: skip
    vectorizer = TfidfVectorizer(
        token_pattern=r"(?u)\w+|[^\w\s]", ngram_range=(1, 2), min_df=2, sublinear_tf=True
    )
    peer = LogisticRegression(
        solver="saga", l1_ratio=PENALTIES[penalty], C=PENALTIES[penalty] / (LAM * len(texts)),
        tol=1e-9, max_iter=20_000, class_weight=None if class_weight == "none" else class_weight,
    ).fit(vectorizer.fit_transform(texts), labels)  # fmt: skip
    fitted = model.fitted_
    assert fitted is not None
    assert fitted.point.gap <= 1e-7
    theirs = peer.predict_proba(
        vectorizer.transform(texts)
    )  # unique there, even with equal columns
    np.testing.assert_allclose(model.predict_proba(texts), theirs, atol=2e-3)
    assert model.classes_.tolist() == peer.classes_.tolist()


def test_rows_serve_all_classes_or_none() -> None:
    model = TextClassifier(features="words", penalty="rows", lam=0.012).fit(TEXTS, LABELS).model
    used = model.linear.weights.getnnz(axis=1)
    assert set(used.tolist()) == {0, 3}
    assert len(model.ngrams) == np.count_nonzero(used)


def follow(**settings: Any) -> Any:
    model = TextClassifier(features="words", strengths=30, floor=1e-3, **settings)
    return model.fit(TEXTS, LABELS).fitted_


@pytest.mark.parametrize("select", ["loss", "accuracy", "f1"])
def test_the_best_strength_is_chosen_and_the_sparsest_of_equals(select: str) -> None:
    fitted = follow(select=select, patience=0)
    scores = [-look.loss if select == "loss" else getattr(look, select) for look in fitted.looks]
    assert len(scores) == 30
    assert fitted.chosen == scores.index(max(scores))
    assert fitted.point.lam == fitted.looks[fitted.chosen].lam


@pytest.mark.parametrize("select", ["loss", "accuracy"])
def test_one_standard_error_takes_the_sparsest_model_within_it(select: str) -> None:
    best, sparser = follow(select=select, patience=0), follow(
        select=select, patience=0, one_standard_error=True
    )  # fmt: skip
    at = best.looks[best.chosen]
    error = getattr(at, f"{select}_error")
    within = [abs(getattr(look, select) - getattr(at, select)) <= error for look in best.looks]
    assert sparser.chosen == within.index(True) < best.chosen


def test_patience_ends_the_path_where_nothing_gains() -> None:
    whole, short = follow(patience=0), follow(patience=3)
    assert (whole.stopped, short.stopped) == ("finished", "stopped")
    count = len(short.looks)
    assert short.looks == whole.looks[:count]
    losses = [look.loss for look in short.looks]
    assert losses.index(min(losses)) == count - 1 - 3


@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_validation_scores_are_those_of_texts_that_were_not_seen(class_weight: str) -> None:
    model = TextClassifier(features="words", refit=False, class_weight=class_weight)
    model.fit(TEXTS, LABELS, (NEW, TRUTH))
    found, sure = model.predict(NEW), model.predict_proba(NEW)
    scores = model.fitted_.validation  # type: ignore[union-attr]
    assert scores == model.evaluate(NEW, TRUTH)
    assert scores.accuracy == pytest.approx(accuracy_score(TRUTH, found))
    assert scores.macro_f1 == pytest.approx(f1_score(TRUTH, found, average="macro"))
    assert scores.micro_f1 == pytest.approx(f1_score(TRUTH, found, average="micro"))
    assert scores.loss == pytest.approx(log_loss(TRUTH, sure))
    look = model.fitted_.looks[model.fitted_.chosen]  # type: ignore[union-attr]
    shares = [1 / LABELS.count(label) for label in TRUTH] if class_weight == "balanced" else None
    assert look.loss == pytest.approx(log_loss(TRUTH, sure, sample_weight=shares))
    assert look.accuracy == scores.accuracy


def test_refitting_takes_the_validation_texts_too() -> None:
    again = TextClassifier(features="words", tol=1e-11).fit(TEXTS, LABELS)
    lam = again.fitted_.point.lam  # type: ignore[union-attr]
    assert lam == again.fitted_.looks[again.fitted_.chosen].lam  # type: ignore[union-attr]
    whole = TextClassifier(features="words", lam=lam, validation=0, tol=1e-11).fit(TEXTS, LABELS)
    ours, theirs = again.predict_proba(TEXTS), whole.predict_proba(TEXTS)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert again.model.weighting.idf.tolist() == whole.model.weighting.idf.tolist()


def test_important_ngrams_are_the_words_of_their_class() -> None:
    found = TextClassifier(features="words", longest=1, lam=0.01).fit(TEXTS, LABELS).important(4)
    assert {"goal", "team", "win"} & {name for name, _ in found["sport"]}
    assert {"oven", "salt", "café"} & {name for name, _ in found["kitchen"]}
    assert {"rain", "wind", "snow"} & {name for name, _ in found["weather"]}
    for ngrams in found.values():
        weights = [weight for _, weight in ngrams]
        assert weights == sorted(weights, reverse=True)
        assert min(weights) > 0


@pytest.mark.parametrize("features", ["words", "characters", "both", "bpe"])
def test_saving_keeps_every_bit_and_repeats(features: str, tmp_path: Path) -> None:
    if features == "bpe":
        pytest.importorskip("tokenizers")
    made = {}
    for name, seed in (("first", 3), ("second", 3), ("third", 8)):
        model = TextClassifier(features=features, vocabulary=150, seed=seed).fit(TEXTS, LABELS)
        model.save(tmp_path / name)
        made[name] = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
    assert made["first"] == made["second"] != made["third"]
    loaded = TextClassifier.load(tmp_path / "third")
    np.testing.assert_array_equal(loaded.predict_proba(NEW), model.predict_proba(NEW))
    assert loaded.important() == model.important()
    assert loaded.predict(NEW).tolist() == model.predict(NEW).tolist()


def test_labels_may_be_numbers(tmp_path: Path) -> None:
    numbers = [7 if label == "sport" else -2 for label in LABELS]
    model = TextClassifier(lam=1e-4).fit(TEXTS, numbers)
    model.save(tmp_path)
    assert set(TextClassifier.load(tmp_path).predict(NEW).tolist()) == {7, -2}
