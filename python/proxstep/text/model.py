"""A trained classifier: texts to probabilities, and the n-grams that speak for each class."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ..arrays import Array
from ..lm.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from .bpe import Bpe
from .config import TextConfig
from .linear import Linear
from .ngrams import NgramCounter
from .weighting import Weighting

SLOT = "model"


@dataclass(frozen=True, eq=False)
class TextModel:
    """Everything that a prediction depends on.

    Attributes
    ----------
    config : TextConfig
        Settings of the features.
    classes : array, shape (classes,)
        Sorted labels.
    weighting : Weighting
        Columns and their weights.
    linear : Linear
        Weights and intercepts.
    ngrams : tuple of str
        The n-grams whose weights are not all zero, by rising column.
    tokenizer : Bpe or None
        Tokens, for "bpe".
    """

    config: TextConfig
    classes: Array
    weighting: Weighting
    linear: Linear
    ngrams: tuple[str, ...]
    tokenizer: Bpe | None = None

    @cached_property
    def counter(self) -> NgramCounter:
        """What counts the n-grams of texts."""
        return NgramCounter(self.config, self.tokenizer)

    def log_probabilities(self, texts: Iterable[str]) -> Array:
        """Return log probabilities, float64 of shape (texts, classes)."""
        return self.of_counts(self.counter.count(texts))

    def of_counts(self, counts: Any) -> Array:
        """Return log probabilities of texts whose n-grams were counted."""
        return self.linear.log_probabilities(self.weighting.transform(counts))

    def important(self, count: int = 10) -> dict[str, list[tuple[str, float]]]:
        """Return, for each class, the n-grams with the largest positive weights for it."""
        weights = self.linear.weights
        rows = np.unique(weights.nonzero()[0])
        table = weights[rows].toarray()
        if table.shape[1] == 1:  # what speaks against the second class speaks for the first
            table = np.hstack([-table, table])
        return {
            str(label): self._largest(column, count)
            for label, column in zip(self.classes, table.T, strict=True)
        }

    def _largest(self, weights: Array, count: int) -> list[tuple[str, float]]:
        order = np.argsort(-weights, kind="stable")[:count]
        return [(self.ngrams[i], float(weights[i])) for i in order if weights[i] > 0]

    def save(self, folder: Path) -> None:
        """Write the model into an existing folder; until the very end an older one stays whole.

        Raises
        ------
        MissingExtraError
            If safetensors is not installed.
        OSError
            If the disk is full or the folder cannot be written.
        """
        weights = self.linear.weights.tocoo()
        arrays = {
            "columns": self.weighting.columns.astype(np.int64),
            "idf": self.weighting.idf,
            "rows": weights.row.astype(np.int64),
            "outputs": weights.col.astype(np.int64),
            "values": weights.data,
            "intercept": self.linear.intercept,
        }
        info = {
            "step": 0,
            "config": asdict(self.config),
            "classes": self.classes.tolist(),
            "ngrams": list(self.ngrams),
            "tokenizer": self.tokenizer.state() if self.tokenizer else None,
        }
        save_checkpoint(folder, SLOT, arrays, info)

    @classmethod
    def load(cls, folder: Path) -> TextModel:
        """Return the model of a folder.

        Raises
        ------
        CheckpointError
            If there is none, or it is not what was saved.
        """
        arrays, info = load_checkpoint(folder, SLOT)
        try:
            return cls._from(arrays, info)
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{folder} does not describe a classifier: {error}") from error

    @classmethod
    def _from(cls, arrays: dict[str, Any], info: dict[str, Any]) -> TextModel:
        config, state = TextConfig(**info["config"]), info["tokenizer"]
        shape = (arrays["columns"].size, arrays["intercept"].size)
        places = (arrays["rows"], arrays["outputs"])
        weights = sparse.csr_matrix((arrays["values"], places), shape=shape)
        return cls(
            config,
            np.array(info["classes"]),
            Weighting(arrays["columns"], arrays["idf"], config.sublinear),
            Linear(weights, arrays["intercept"]),
            tuple(info["ngrams"]),
            Bpe(state) if state else None,
        )
