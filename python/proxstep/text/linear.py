"""The sparse linear model: its problem, its penalty, and the probabilities that it gives.

Two classes have one output (logistic loss), more have one each (softmax).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import log_softmax

from .. import problems
from ..arrays import Array
from ..paths import Point
from ..sklearn import penalties
from .config import TextConfig


@dataclass(frozen=True, eq=False)
class Linear:
    """Weights, CSR of shape (p, outputs), and intercepts, shape (outputs,)."""

    weights: Any
    intercept: Array

    @classmethod
    def of(cls, point: Point) -> Linear:
        """Return the model at a strength of a path; its zeros are not stored."""
        index, values, shape = point.parameters
        outputs = shape[1] if len(shape) == 2 else 1
        places = (index // outputs, index % outputs)
        weights = sparse.csr_matrix((values, places), shape=(shape[0], outputs))
        return cls(weights, np.atleast_1d(np.asarray(point.intercept, np.float64)))

    def log_probabilities(self, X: Any) -> Array:
        """Return log probabilities, float64 of shape (n, classes), for sparse features (n, p)."""
        margins = (X @ self.weights).toarray() + self.intercept
        if margins.shape[1] == 1:  # the first class is the reference
            margins = np.hstack([np.zeros_like(margins), margins])
        return log_softmax(margins, axis=1)


def make_problem(X: Any, codes: Array, classes: int, config: TextConfig) -> problems.Problem:
    """Return the loss of features (n, p) and class numbers (n,)."""
    weights = class_weights(codes, classes, config)
    shares = None if weights is None else weights[codes]
    X = X.tocsc()
    if classes == 2:
        return problems.Logistic(X, codes, shares)
    return problems.Softmax(X, codes, shares, classes=classes)


def class_weights(codes: Array, classes: int, config: TextConfig) -> Array | None:
    """Return the weight of a text of each class, or None where all are 1."""
    if config.class_weight == "none":
        return None
    return codes.size / (classes * np.bincount(codes, minlength=classes))


def make_penalty(config: TextConfig, shape: tuple[int, ...]) -> Any:
    """Return the penalty, with a strength of 1."""
    if config.penalty == "rows":
        return penalties.rows(1.0, None, shape)
    share = config.l1_ratio if config.penalty == "elastic-net" else 1.0
    return penalties.elastic(*penalties.split(1.0, share))
