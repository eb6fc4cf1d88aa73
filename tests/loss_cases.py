"""Inputs of the losses that every test of them draws from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import proxstep as ps
from proxstep import _core

DTYPES = ("float64", "float32")
EPS = {"float64": 2.0**-52, "float32": 2.0**-23}
TARGETS = ("int64", "int32", "soft")
SCALE = 0.37


@dataclass
class Batch:
    """Logits or margins, their targets, and row weights with a zero among them."""

    x: Any
    targets: Any
    weights: Any

    def run(self, loss: str = "softmax_cross_entropy", **changes: Any) -> tuple[float, Any]:
        """The loss and the gradient, which comes from an array of its own."""
        grad = np.full_like(self.x, 123.0)
        settings = {"row_weights": self.weights, "scale": SCALE, **changes}
        return getattr(_core, loss)(self.x, self.targets, grad, **settings), grad


def softmax_batch(
    rows: int, classes: int, dtype: str = "float64", kind: str = "int64", spread: float = 3.1
) -> Batch:
    rng = np.random.default_rng(rows * 7919 + classes)
    x = rng.normal(0.03, spread, (rows, classes)).astype(dtype)
    if kind == "soft":
        t = rng.dirichlet(np.full(classes, 0.7), rows).astype(dtype)
    else:
        t = rng.integers(0, classes, rows).astype(kind)
    return Batch(x, t, row_weights(rng, rows, dtype))


def logistic_batch(rows: int, dtype: str = "float64", spread: float = 7.3) -> Batch:
    rng = np.random.default_rng(rows + 11)
    u = rng.normal(0.03, spread, rows).astype(dtype)
    t = rng.choice([0.0, 1.0, 0.13, 0.77], rows).astype(dtype)
    return Batch(u, t, row_weights(rng, rows, dtype))


@dataclass
class Margins:
    """A loss of one margin by its name and settings, with margins, targets and row weights."""

    name: str
    settings: list[float]
    x: Any
    targets: Any
    weights: Any

    def run(self, scale: float = SCALE) -> tuple[float, Any, Any]:
        """The loss, its gradient and its second derivatives."""
        grad, bend = np.full_like(self.x, 123.0), np.full_like(self.x, 456.0)
        arrays = self.x, self.targets, grad, bend, self.weights
        return _core.margin_loss(self.name, self.settings, *arrays, scale), grad, bend


#: Every loss of one margin with settings, and a range of margins and targets that shows its parts.
MARGIN_SETTINGS: dict[str, list[float]] = {
    "square": [], "logistic": [], "huber": [1.7], "poisson": []
}  # fmt: skip


def margins(name: str, rows: int, dtype: str = "float64") -> Margins:
    rng = np.random.default_rng(rows + 13)
    u = rng.normal(0.3, 2.4, rows)
    if name == "logistic":
        t = rng.choice([0.0, 1.0, 0.13, 0.77], rows)
    elif name == "poisson":
        t = rng.choice([0.0, 1.0, 7.0, 0.31], rows)
        u[::3] = np.log(np.maximum(t[::3], 0.31)) + rng.normal(0, 0.1, len(u[::3]))
    else:
        t = rng.normal(-0.4, 1.3, rows)
    data = [a.astype(dtype) for a in (u, t, row_weights(rng, rows, "float64"))]
    return Margins(name, MARGIN_SETTINGS[name], *data)


def row_weights(rng: np.random.Generator, rows: int, dtype: str) -> Any:
    w = rng.uniform(0.2, 2.3, rows)
    w[2:3] = 0.0
    return w.astype(dtype)


def on_every_path(run: Any) -> list[Any]:
    """What `run` gives on every instruction set of this processor and several thread counts."""
    isa, threads, results = _core.isa(), ps.get_num_threads(), []
    try:
        for name in _core.isas():
            for count in (1, 2, 5):
                _core.set_isa(name)
                ps.set_num_threads(count)
                results.append(run())
    finally:
        _core.set_isa(isa)
        ps.set_num_threads(threads)
    return results
