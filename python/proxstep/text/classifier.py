"""`TextClassifier`: the classifier in scikit-learn's manner."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Array
from .config import TextConfig
from .corpus import Corpus, checked_texts, codes_of, paired
from .fitting import Fit, Fitted
from .model import TextModel
from .scores import Scores

Labelled = tuple[Iterable[str], Iterable[Any]]


class TextClassifier:
    """Sparse linear classifier of texts: tf-idf of hashed n-grams, logistic or softmax loss.

    It minimises ``mean cross-entropy + lam * h(x)`` with the L1 norm, an elastic net or the norms
    of rows as h, certified by a duality gap, and chooses lam on a held-out share of each class
    unless it is given.

    Parameters
    ----------
    **settings
        Fields of `TextConfig`, as ``features="words"``, ``penalty="rows"``, ``lam=1e-4``.

    Attributes
    ----------
    classes_ : array, shape (classes,)
        Sorted labels.
    fitted_ : Fitted
        The fit: strengths, validation scores, certificate; None for a model that was loaded.

    Raises
    ------
    ValueError
        If a setting is out of range.

    Examples
    --------
    >>> from proxstep.text import TextClassifier
    >>> texts = ["win a free prize", "free entry now", "see you at home", "home by six"] * 3
    >>> labels = ["spam", "spam", "ham", "ham"] * 3
    >>> model = TextClassifier(features="words", lam=0.05, seed=1).fit(texts, labels)
    >>> model.predict(["a free ticket", "are you home"]).tolist()
    ['spam', 'ham']
    >>> [ngram for ngram, weight in model.important(1)["ham"]]
    ['home']
    """

    def __init__(self, **settings: Any) -> None:
        self.config = TextConfig(**settings)
        self.fitted_: Fitted | None = None
        self._model: TextModel | None = None

    def fit(
        self,
        texts: Iterable[str],
        labels: Iterable[Any],
        validation: Labelled | None = None,
        *,
        progress: bool = False,
    ) -> TextClassifier:
        """Fit texts and labels, and return self.

        Parameters
        ----------
        texts, labels : iterables of str and of str or int
            Read once, side by side; a stream is not kept.
        validation : pair of iterables, optional
            Texts and labels to choose the strength by, instead of a share of the others.
        progress : bool
            Show a bar of the strengths.

        Raises
        ------
        ValueError
            If lengths differ, there is one class only, a class has one text and cannot be split,
            or no n-gram is frequent enough.
        TypeError
            If a text is not a str.

        Warns
        -----
        ConvergenceWarning
            If the certificate did not reach ``tol`` at some strength.
        """
        rows = self._rows(texts, labels)
        held = None if validation is None else self._rows(*validation)
        return self.fit_rows(rows, held, progress=progress)

    def _rows(self, texts: Iterable[str], labels: Iterable[Any]) -> Any:
        rows = paired(texts, labels)
        return list(rows) if self.config.features == "bpe" else rows

    def fit_rows(
        self, rows: Any, validation: Any = None, *, progress: bool = False
    ) -> TextClassifier:
        """Fit pairs of a label and a text; see `fit`. For "bpe" they are read twice."""
        self.fitted_ = Fit(self.config, progress).run(rows, validation)
        self._model = self.fitted_.model
        return self

    @property
    def model(self) -> TextModel:
        """The trained model.

        Raises
        ------
        ValueError
            If it was not fitted.
        """
        if self._model is None:
            raise ValueError("this TextClassifier is not fitted yet: call fit or load")
        return self._model

    @property
    def classes_(self) -> Array:
        """Sorted labels."""
        return self.model.classes

    def predict(self, texts: Iterable[str]) -> Array:
        """Return the likeliest label of each text, shape (texts,)."""
        return self.classes_[self.predict_log_proba(texts).argmax(axis=1)]

    def predict_proba(self, texts: Iterable[str]) -> Array:
        """Return probabilities, shape (texts, classes), in the order of ``classes_``."""
        return np.exp(self.predict_log_proba(texts))

    def predict_log_proba(self, texts: Iterable[str]) -> Array:
        """Return log probabilities, shape (texts, classes)."""
        return self.model.log_probabilities(checked_texts(texts))

    def evaluate(self, texts: Iterable[str], labels: Iterable[Any]) -> Scores:
        """Return loss, accuracy, F1 and confusion over labelled texts."""
        return self.evaluate_rows(paired(texts, labels))

    def evaluate_rows(self, rows: Any) -> Scores:
        """Return the scores over pairs of a label and a text.

        Raises
        ------
        ValueError
            If there is no text, or a label that no training text has.
        """
        corpus = Corpus.read(rows, self.model.counter)
        if not corpus.labels.size:
            raise ValueError("there are no texts to evaluate")
        codes = codes_of(corpus.labels, self.classes_, "test")
        return Scores.of(codes, self.model.of_counts(corpus.counts), self.classes_)

    def important(self, count: int = 10) -> dict[str, list[tuple[str, float]]]:
        """Return, for each class, the n-grams with the largest positive weights for it."""
        return self.model.important(count)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the model into a folder, made if need be; the same fit gives the same bytes."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        self.model.save(path)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> TextClassifier:
        """Return the classifier of a folder.

        Raises
        ------
        CheckpointError
            If it holds none, or not what was saved.
        """
        model = TextModel.load(Path(folder))
        classifier = cls(**asdict(model.config))
        classifier._model = model
        return classifier
