"""The oracle of the losses in extended precision, written from their definitions."""

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
    value, slope, _ = margin_loss("logistic", [], margin, targets)
    w = scale * np.asarray(weights, Extended)
    return np.sum(w * value), w * slope


def _square(u: Any, t: Any) -> tuple[Any, Any, Any]:
    return (u - t) ** 2 / 2, u - t, np.ones_like(u)


def _logistic(u: Any, t: Any) -> tuple[Any, Any, Any]:
    wrong, tail = np.where(u > 0, 1 - t, t), np.exp(-np.abs(u))
    value = wrong * np.abs(u) + np.log1p(tail)
    slope = np.where(u > 0, 1, -1) * (wrong - tail / (1 + tail))
    return value, slope, tail / (1 + tail) ** 2


def _huber(u: Any, t: Any, delta: Any) -> tuple[Any, Any, Any]:
    error, size = u - t, np.abs(u - t)
    value = np.where(size <= delta, error**2 / 2, delta * (size - delta / 2))
    return value, np.clip(error, -delta, delta), (size <= delta).astype(Extended)


def _poisson(u: Any, t: Any) -> tuple[Any, Any, Any]:
    """Half of the deviance, ``t log(t / m) - t + m`` at the mean ``m = e^u``."""
    log_t = np.log(np.where(t > 0, t, 1))
    value = np.where(t > 0, t * (np.expm1(u - log_t) - (u - log_t)), np.exp(u))
    return value, np.exp(u) - t, np.exp(u)


#: Value, slope and bend of each loss of one margin, by the core's names.
MARGIN_LOSSES = {"square": _square, "logistic": _logistic, "huber": _huber, "poisson": _poisson}


def margin_loss(name: str, settings: Any, margin: Any, targets: Any) -> tuple[Any, Any, Any]:
    """Of every row, in extended precision."""
    u, t = np.asarray(margin, Extended), np.asarray(targets, Extended)
    return MARGIN_LOSSES[name](u, t, *(Extended(s) for s in settings))
