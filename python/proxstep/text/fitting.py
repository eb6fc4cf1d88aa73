"""From labelled texts to a model: count, split, weigh, search, fit again on all of them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import Array
from ..paths import Point
from ..problems import Problem
from .bpe import Bpe
from .config import TextConfig
from .corpus import Corpus, Row, classes_of, codes_of, stratified
from .linear import Linear, class_weights, make_problem
from .model import TextModel
from .names import Names
from .ngrams import NgramCounter
from .scores import Scores
from .search import HeldOut, Look, Search
from .weighting import Weighting

_STRIDE = 8  # strengths of the path to a step of the last fit


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model and how it came about.

    Attributes
    ----------
    model : TextModel
        The classifier.
    point : Point
        The solution that it is: strength, certificate, solver.
    looks : tuple of Look
        What the validation texts say at each strength; empty without them.
    chosen : int
        Number of the look that was chosen.
    stopped : str
        Why the path ended: "finished", "stopped" (no gain) or "max_time".
    validation : Scores or None
        Of the model before it was fitted again with the validation texts.
    class_counts : tuple of int
        Texts of each class, those for validation included.
    seconds : dict
        Time of counting and of fitting.
    """

    model: TextModel
    point: Point
    looks: tuple[Look, ...]
    chosen: int
    stopped: str
    validation: Scores | None
    class_counts: tuple[int, ...]
    seconds: dict[str, float]


@dataclass(frozen=True, eq=False)
class Stage:
    """Training texts, weighed and ready to be fitted."""

    weighting: Weighting
    codes: Array
    problem: Problem

    @classmethod
    def of(cls, corpus: Corpus, classes: Array, config: TextConfig) -> Stage:
        """Return the stage of a corpus."""
        weighting = Weighting.of(corpus.counts, config)
        codes = codes_of(corpus.labels, classes, "training")
        X = weighting.transform(corpus.counts)
        return cls(weighting, codes, make_problem(X, codes, classes.size, config))

    def held_out(self, corpus: Corpus, classes: Array, config: TextConfig) -> HeldOut:
        """Return other texts in the features of these, with the weights of these classes."""
        codes = codes_of(corpus.labels, classes, "validation")
        weights = class_weights(self.codes, classes.size, config)
        shares = np.ones(codes.size) if weights is None else weights[codes]
        return HeldOut(self.weighting.transform(corpus.counts), codes, shares)


class Fit:
    """The course of one fit.

    Parameters
    ----------
    config : TextConfig
        Settings.
    progress : bool
        Show a bar of the strengths.
    """

    def __init__(self, config: TextConfig, progress: bool = False) -> None:
        self.config, self.progress = config, progress
        self.names = Names()
        self.tokenizer: Bpe | None = None

    def run(self, rows: Iterable[Row], validation: Iterable[Row] | None = None) -> Fitted:
        """Fit pairs of a label and a text; for bpe they are read twice.

        Raises
        ------
        ValueError
            If there is one class only, a class cannot be split, no n-gram is frequent enough, or
            there is neither a strength nor a validation text to choose it.
        """
        began = time.perf_counter()
        whole, train, held = self._read(rows, validation)
        counted = time.perf_counter()
        fitted = self._fit(whole, train, held)
        times = {"counting": counted - began, "fitting": time.perf_counter() - counted}
        return replace(fitted, seconds=times)

    def _read(
        self, rows: Iterable[Row], validation: Iterable[Row] | None
    ) -> tuple[Corpus, Corpus, Corpus | None]:
        """Return all texts, those to train on, and those held out."""
        config = self.config
        if config.features == "bpe":
            self.tokenizer = Bpe.train((text for _, text in rows), config.vocabulary)
        self.counter = NgramCounter(config, self.tokenizer)
        corpus = Corpus.read(rows, self.counter, self.names)
        classes_of(corpus.labels)
        if validation is not None:
            held = Corpus.read(validation, self.counter, self.names)
            if not held.labels.size:
                raise ValueError("there are no validation texts")
            return corpus.join(held), corpus, held
        if config.validation:
            parts = stratified(corpus.labels, config.validation, config.seed)
            return corpus, corpus.take(parts[0]), corpus.take(parts[1])
        if not config.lam:
            raise ValueError("validation=0.0 leaves no text to choose the strength by: give lam")
        return corpus, corpus, None

    def _fit(self, whole: Corpus, train: Corpus, held: Corpus | None) -> Fitted:
        classes = classes_of(train.labels)
        stage = Stage.of(train, classes, self.config)
        held_out = stage.held_out(held, classes, self.config) if held else None
        search = Search(self.config, held_out)
        found = search.follow(stage.problem, self.progress)
        chosen = search.chosen() if held_out else 0
        point, scores = found[chosen], None
        if held_out:
            given = Linear.of(point).log_probabilities(held_out.X)
            scores = Scores.of(held_out.codes, given, classes)
            if self.config.refit:
                down = [look.lam for look in search.looks[: chosen + 1]]
                stage, point = self._again(whole, classes, down)
        counts = tuple(np.unique(whole.labels, return_counts=True)[1].tolist())
        model = self._model(stage, classes, point)
        looks = tuple(search.looks)
        return Fitted(model, point, looks, chosen, found.reason, scores, counts, {})

    def _again(self, whole: Corpus, classes: Array, down: list[float]) -> tuple[Stage, Point]:
        """Fit all texts at the last of the strengths, by way of some: from zero it takes longer."""
        config = replace(self.config, max_time=0.0)
        stage = Stage.of(whole, classes, config)
        steps = down[::-1][::_STRIDE][::-1]
        return stage, Search(config, None).follow(stage.problem, lambdas=steps)[-1]

    def _model(self, stage: Stage, classes: Array, point: Point) -> TextModel:
        linear, weighting = Linear.of(point), stage.weighting
        used: Any = weighting.columns[np.unique(linear.weights.nonzero()[0])]
        kinds = [self.counter.kinds[column // self.counter.columns] for column in used]
        names = zip(kinds, self.names.of(used), strict=True)
        ngrams = tuple(f"'{name}'" if kind == "characters" else name for kind, name in names)
        return TextModel(self.config, classes, weighting, linear, ngrams, self.tokenizer)
