"""The oracle of the two losses in extended precision, written from their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np

Extended = np.longdouble


def one_hot(labels: Any, classes: int) -> Any:
    """Probabilities that hold what the labels say."""
    return (np.arange(classes) == np.asarray(labels)[:, None]).astype(Extended)


def softmax_cross_entropy(
    logits: Any, targets: Any, weights: Any = 1.0, scale: float = 1.0
) -> tuple[Any, Any]:
    """``scale * sum_i w_i sum_j t_ij (log sum_k exp x_ik - x_ij)`` and its gradient in x."""
    x = np.asarray(logits, Extended)
    t = np.asarray(targets, Extended) if np.ndim(targets) == 2 else one_hot(targets, x.shape[1])
    m = x.max(axis=1, keepdims=True)
    log_sum = m + np.log(np.exp(x - m).sum(axis=1, keepdims=True))
    w = scale * np.broadcast_to(np.asarray(weights, Extended), len(x))[:, None]
    with np.errstate(invalid="ignore"):
        terms = np.where(t == 0, 0, t * (log_sum - x))
    gradient = w * (t.sum(axis=1, keepdims=True) * np.exp(x - log_sum) - t)
    return np.sum(w * terms), gradient


def logistic_loss(
    margin: Any, targets: Any, weights: Any = 1.0, scale: float = 1.0
) -> tuple[Any, Any]:
    """``scale * sum_i w_i (log(1 + exp u_i) - t_i u_i)`` and its gradient in u."""
    u, t = np.asarray(margin, Extended), np.asarray(targets, Extended)
    w = scale * np.asarray(weights, Extended)
    wrong = np.where(u > 0, 1 - t, t)
    tail = np.exp(-np.abs(u))
    slope = np.where(u > 0, 1, -1) * (wrong - tail / (1 + tail))
    return np.sum(w * (wrong * np.abs(u) + np.log1p(tail))), w * slope
