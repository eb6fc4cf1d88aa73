"""The oracle of the problems: losses in extended precision, minimised by plain gradient steps.

Written from the definitions. It shares nothing with the product: no fitted intercept, no centring,
no momentum, no duals; and its proxes are the textbook's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Real = np.longdouble


@dataclass(frozen=True)
class Data:
    """Samples X, y and weights w of a problem named by its class, and its number of outputs."""

    name: str
    X: Array
    y: Array
    w: Array | None = None
    classes: int = 0

    @property
    def shares(self) -> Array:
        w = np.ones(len(self.X)) if self.w is None else np.asarray(self.w)
        return w.astype(Real) / w.astype(Real).sum()

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.X.shape[1], self.classes) if self.classes else (self.X.shape[1],)


def one_hot(y: Array, classes: int) -> Array:
    return y.astype(Real) if y.ndim == 2 else np.eye(classes, dtype=Real)[y]


def _softplus(u: Array) -> Array:
    return np.maximum(u, 0) + np.log1p(np.exp(-np.abs(u)))


def sample_losses(d: Data, margins: Array) -> Array:
    """The loss of each sample: half a squared error, or minus a log-likelihood."""
    u = margins.astype(Real)
    if d.name == "LeastSquares":
        return (u - d.y) ** 2 / 2
    if d.name == "Logistic":
        return d.y * _softplus(-u) + (1 - d.y) * _softplus(u)
    top = u.max(axis=1, keepdims=True)
    logs = u - top - np.log(np.exp(u - top).sum(axis=1, keepdims=True))
    return -(one_hot(d.y, d.classes) * logs).sum(axis=1)


def margins(d: Data, x: Array, b: Any = 0.0) -> Array:
    return d.X.astype(Real) @ np.asarray(x, Real) + np.asarray(b, Real)


def loss(d: Data, x: Array, b: Any = 0.0) -> float:
    return float((d.shares * sample_losses(d, margins(d, x, b))).sum())


def gradient(d: Data, x: Array, b: Any = 0.0, h: float = 1e-6) -> tuple[Array, Array]:
    """Central differences of the loss in extended precision, by x and by b."""

    def difference(point: Array, other: Callable[[Array], Array]) -> Array:
        result = np.zeros(point.shape)
        for i in np.ndindex(point.shape):
            up, down = point.astype(Real), point.astype(Real)
            up[i] += h
            down[i] -= h
            rise = (d.shares * (other(up) - other(down))).sum()
            result[i] = float(rise / (2 * Real(h)))
        return result

    b = np.broadcast_to(np.asarray(b, Real), d.shape[1:])
    by_x = difference(np.asarray(x), lambda v: sample_losses(d, margins(d, v, b)))
    by_b = difference(np.asarray(b), lambda v: sample_losses(d, margins(d, x, v)))
    return by_x, by_b


def residual(d: Data, u: Array) -> Array:
    """Derivative of each sample's loss by its margins."""
    if d.name == "LeastSquares":
        return u - d.y
    if d.name == "Logistic":
        return 1 / (1 + np.exp(-u)) - d.y
    e = np.exp(u - u.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True) - one_hot(d.y, d.classes).astype(np.float64)


Prox = Callable[[Array, float], Array]


def minimise(d: Data, prox: Prox, intercept: bool, steps: int = 20_000) -> tuple[Array, Array]:
    """Proximal gradient steps on x and b together, with the step of the Frobenius bound."""
    X = np.hstack([d.X.astype(np.float64), np.ones((len(d.X), 1))])
    shares = d.shares.astype(np.float64)
    weight = shares[:, None] if d.classes else shares
    bend = {"LeastSquares": 1.0, "Logistic": 0.25, "Softmax": 0.5}[d.name]
    s = 1.0 / (bend * float(np.linalg.eigvalsh(X.T @ (X * shares[:, None])).max()))
    z = np.zeros((X.shape[1], *d.shape[1:]))
    for _ in range(steps):
        before = z
        z = z - s * (X.T @ (weight * residual(d, X @ z)))
        z[:-1] = prox(z[:-1], s)
        z[-1] *= intercept
        if np.abs(z - before).max() <= 1e-15 * (1 + np.abs(z).max()):
            break
    return z[:-1], z[-1]


def soft(z: Array, t: Any) -> Array:
    return np.sign(z) * np.maximum(np.abs(z) - t, 0)


def shrink_groups(z: Array, t: Any, groups: list[Array]) -> Array:
    """Yuan and Lin (2006): each group shrinks towards 0 by t of its norm."""
    flat = np.array(z, np.float64).ravel()
    t = np.broadcast_to(t, len(groups))
    for g, index in enumerate(groups):
        norm = float(np.linalg.norm(flat[index]))
        flat[index] *= max(0.0, 1 - t[g] / norm) if norm > 0 else 0.0
    return flat.reshape(z.shape)
