"""tf-idf of counted n-grams: which columns stay, and what each of them weighs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfTransformer

from ..arrays import Array
from .config import TextConfig


@dataclass(frozen=True, eq=False)
class Weighting:
    """Columns that occur often enough, with their weights; rows get the norm 1.

    Attributes
    ----------
    columns : array of int64, shape (p,)
        Hashed columns that stay, rising.
    idf : array of float32, shape (p,)
        ``1 + log((1 + n) / (1 + texts that have the n-gram))``.
    sublinear : bool
        Whether a count is read as 1 + its logarithm.
    """

    columns: Array
    idf: Array
    sublinear: bool

    @classmethod
    def of(cls, counts: Any, config: TextConfig) -> Weighting:
        """Return the weighting of training texts.

        Raises
        ------
        ValueError
            If no n-gram is in `min_df` texts.
        """
        frequency = np.bincount(counts.indices, minlength=counts.shape[1])
        columns = np.flatnonzero(frequency >= config.min_df)
        if columns.size == 0:
            raise ValueError(
                f"no n-gram is in min_df={config.min_df} of the {counts.shape[0]} training texts; "
                f"the most frequent one is in {frequency.max()}"
            )
        fitted = TfidfTransformer().fit(counts[:, columns])
        return cls(columns, fitted.idf_.astype(np.float32), config.sublinear)

    def transform(self, counts: Any) -> Any:
        """Return the features, float32 CSR of shape (texts, p)."""
        transformer = TfidfTransformer(sublinear_tf=self.sublinear)
        transformer.idf_ = self.idf
        return transformer.transform(counts[:, self.columns]).astype(np.float32, copy=False)
