"""A batch in parts, one model and one thread each; gradients are added in a fixed order.

Threads run whole passes with single-threaded BLAS: nothing spins, nothing waits but at the end.
Without threadpoolctl BLAS keeps its own threads: slower, the sums the same.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ..blas import one_thread
from .model import GPT
from .parameters import Parameters


class Replicas:
    """Models that share their weights and split each batch.

    The result depends on `count` in the last bits, never on timing.

    Parameters
    ----------
    weights : Parameters
        Shared by all.
    count : int
        Parts of a batch, and threads; a smaller batch uses fewer.

    Examples
    --------
    >>> import numpy as np
    >>> from proxstep.lm import ModelConfig, initialize
    >>> weights = Parameters(ModelConfig(vocabulary=7, layers=1, heads=1, channels=4, context=3))
    >>> initialize(weights, np.random.default_rng(0))
    >>> tokens = np.array([[1, 2, 3], [4, 5, 6]])
    >>> one, two = Replicas(weights, 1), Replicas(weights, 2)
    >>> abs(one.loss(tokens, tokens) - two.loss(tokens, tokens)) < 1e-6
    True
    """

    def __init__(self, weights: Parameters, count: int = 1) -> None:
        self.models = [GPT(weights) for _ in range(count)]
        self.gradients = self.models[0].gradients
        self._pool = ThreadPoolExecutor(count) if count > 1 else None

    def loss(self, tokens: Any, targets: Any) -> float:
        """Return the mean cross-entropy of the batch."""
        return float(sum(self._map(GPT.loss, tokens, targets)))

    def loss_and_gradient(self, tokens: Any, targets: Any) -> float:
        """Return the mean cross-entropy and write its gradient to `gradients`."""
        return float(sum(self._add_gradients(GPT.loss_and_gradient, tokens, targets)))

    def gradient(self, tokens: Any, targets: Any) -> None:
        """Write the gradient without the loss; nothing waits for a device."""
        self._add_gradients(GPT.gradient, tokens, targets)

    def _add_gradients(self, call: Any, tokens: Any, targets: Any) -> list[Any]:
        losses = self._map(call, tokens, targets)
        for model in self.models[1 : len(losses)]:
            self.gradients.flat += model.gradients.flat
        return losses

    def _map(self, call: Any, tokens: Any, targets: Any) -> list[Any]:
        """Run one part of the batch on each model; part losses add up to the batch's mean."""
        scale = 1 / targets.size
        if self._pool is None or len(tokens) == 1:
            return [_quietly(call, self.models[0], tokens, targets, scale)]
        parts = min(len(self.models), len(tokens))
        ends = [len(tokens) * i // parts for i in range(parts + 1)]
        with one_thread():
            jobs = [
                self._pool.submit(_quietly, call, model, tokens[a:b], targets[a:b], scale)
                for model, a, b in zip(self.models, ends, ends[1:], strict=False)
            ]
            return [job.result() for job in jobs]


def _quietly(call: Any, *arguments: Any) -> Any:
    """Call without NumPy's warnings: a loss that is not finite is for the caller to see."""
    with np.errstate(all="ignore"):
        return call(*arguments)
