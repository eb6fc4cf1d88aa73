"""The oracle of the problems: losses in extended precision, minimised by plain gradient steps.

Written from the definitions. It shares nothing with the product: no fitted intercept, no centring,
no momentum, no duals; and its proxes are the textbook's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Real = np.longdouble


@dataclass(frozen=True)
class Data:
    """Samples X, y and weights w of a problem named by its class, and its number of outputs.

    offset is the known part of the margins, delta the bend of Huber's loss.
    """

    name: str
    X: Array
    y: Array
    w: Array | None = None
    outputs: int = 0
    offset: Array | None = None
    delta: float | None = None

    @property
    def shares(self) -> Array:
        w = np.ones(len(self.X)) if self.w is None else np.asarray(self.w)
        return w.astype(Real) / w.astype(Real).sum()

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.X.shape[1], self.outputs) if self.outputs else (self.X.shape[1],)

    @property
    def settings(self) -> dict[str, Any]:
        """What the problem is given beside X, y and w."""
        classes = self.outputs if self.name == "Softmax" else None
        given = {"classes": classes, "offset": self.offset, "delta": self.delta}
        return {name: value for name, value in given.items() if value is not None}

    def rows(self, index: Any, w: Array | None = None) -> Data:
        """Some samples, or repetitions of them, with these weights."""
        offset = None if self.offset is None else self.offset[index]
        return replace(self, X=self.X[index], y=self.y[index], w=w, offset=offset)


def one_hot(y: Array, classes: int) -> Array:
    return y.astype(Real) if y.ndim == 2 else np.eye(classes, dtype=Real)[y]


def _softplus(u: Array) -> Array:
    return np.maximum(u, 0) + np.log1p(np.exp(-np.abs(u)))


def sample_losses(d: Data, margins: Array) -> Array:
    """The loss of each sample: half a squared error, or minus a log-likelihood."""
    u = margins.astype(Real)
    if d.name == "LeastSquares":
        return ((u - d.y) ** 2 / 2).reshape(len(u), -1).sum(axis=1)
    if d.name == "Logistic":
        return d.y * _softplus(-u) + (1 - d.y) * _softplus(u)
    if d.name == "Huber":
        size = np.abs(u - d.y)
        return np.where(size <= d.delta, size**2 / 2, d.delta * (size - Real(d.delta) / 2))
    if d.name == "Poisson":
        y = d.y.astype(Real)
        return np.exp(u) - y * u - y + y * np.log(np.where(y > 0, y, 1))
    top = u.max(axis=1, keepdims=True)
    logs = u - top - np.log(np.exp(u - top).sum(axis=1, keepdims=True))
    return -(one_hot(d.y, d.outputs) * logs).sum(axis=1)


def margins(d: Data, x: Array, b: Any = 0.0) -> Array:
    known = 0 if d.offset is None else d.offset.astype(Real)
    return d.X.astype(Real) @ np.asarray(x, Real) + np.asarray(b, Real) + known


def loss(d: Data, x: Array, b: Any = 0.0) -> float:
    return float((d.shares * sample_losses(d, margins(d, x, b))).sum())


def gradient(d: Data, x: Array, b: Any = 0.0, h: float = 1e-4) -> tuple[Array, Array]:
    """Differences of fourth order of the loss in extended precision, by x and by b."""

    def difference(point: Array, other: Callable[[Array], Array]) -> Array:
        result = np.zeros(point.shape)
        for i in np.ndindex(point.shape):
            rise = Real(0)
            for steps, factor in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
                moved = point.astype(Real)
                moved[i] += steps * Real(h)
                rise += factor * (d.shares * other(moved)).sum()
            result[i] = float(rise / (12 * Real(h)))
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
    if d.name == "Huber":
        return np.clip(u - d.y, -d.delta, d.delta)
    if d.name == "Poisson":
        return np.exp(u) - d.y
    e = np.exp(u - u.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True) - one_hot(d.y, d.outputs).astype(np.float64)


Prox = Callable[[Array, float], Array]


BENDS = {"LeastSquares": 1.0, "Logistic": 0.25, "Softmax": 0.5, "Huber": 1.0}


def minimise(d: Data, prox: Prox, intercept: bool, steps: int = 20_000) -> tuple[Array, Array]:
    """Proximal gradient steps on x and b together, with the step of the Frobenius bound.

    For Poisson it is the bound where no mean is above three times the largest count.
    """
    X = np.hstack([d.X.astype(np.float64), np.ones((len(d.X), 1))])
    shares = d.shares.astype(np.float64)
    weight = shares[:, None] if d.outputs else shares
    bend = BENDS[d.name] if d.name in BENDS else 3 * float(d.y.max())
    s = 1.0 / (bend * float(np.linalg.eigvalsh(X.T @ (X * shares[:, None])).max()))
    known = 0.0 if d.offset is None else d.offset
    z = np.zeros((X.shape[1], *d.shape[1:]))
    for _ in range(steps):
        before = z
        z = z - s * (X.T @ (weight * residual(d, X @ z + known)))
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
