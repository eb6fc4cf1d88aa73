"""Gradient accumulation: a step on the mean gradient of several batches, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .parameters import Parameters


class Accumulation:
    """Leaves the mean gradient of `count` batches where each batch's gradient is written.

    Parameters
    ----------
    gradients : Parameters
        Written by each call, and by this.
    count : int
        Batches; 1 costs nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from proxstep.lm import ModelConfig
    >>> g = Parameters(ModelConfig(vocabulary=2, layers=1, heads=1, channels=2, context=2))
    >>> batches = iter([(1.0,), (4.0,)])
    >>> def gradient(value):
    ...     g.flat[...] = value
    ...     return value
    >>> Accumulation(g, 2)(gradient, lambda: next(batches)), float(g.flat[0])
    (2.5, 2.5)
    """

    def __init__(self, gradients: Parameters, count: int) -> None:
        self.flat, self.count = gradients.flat, count
        self.sum: Any = gradients.xp.zeros_like(self.flat) if count > 1 else None

    def __call__(self, call: Callable[..., Any], draw: Callable[[], tuple[Any, ...]]) -> Any:
        """Call once for each batch that is drawn; return the mean of what the calls return."""
        if self.sum is None:
            return call(*draw())
        results = []
        self.sum.fill(0)
        for _ in range(self.count):
            results.append(call(*draw()))
            self.sum += self.flat
        self.flat[...] = self.sum
        self.flat *= 1 / self.count
        return None if results[0] is None else sum(results) / self.count
