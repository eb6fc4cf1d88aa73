"""Losses of one margin a sample that have no kernel on devices: the core's loop on the host."""

from __future__ import annotations

from abc import abstractmethod

from .. import _core
from ..arrays import Array
from .base import Problem


class OneMargin(Problem):
    """Takes value and slope from the core on the host, from the library of X on a device."""

    def _pointwise(self, margins: Array, rows: Array | None = None) -> tuple[float, Array]:
        t = self.targets if rows is None else self.targets[rows]
        margins = self.with_known(margins, rows)
        weights, factor = self.weights.kernel(rows)
        if not self.xp.is_on_host:
            return self._on_device(margins, t, weights, factor)
        name, settings = self.loss_spec
        residual = self.xp.empty_like(margins)
        loss = _core.margin_loss(name, settings, margins, t, residual, None, weights, factor)
        return loss, residual

    def _on_device(
        self, margins: Array, t: Array, weights: Array | None, factor: float
    ) -> tuple[float, Array]:
        value, slope = self._value_and_slope(margins, t)
        if weights is not None:  # what is infinite without weight is absent
            value = self.xp.where(weights > 0, value * weights, 0)
            slope = self.xp.where(weights > 0, slope * weights, 0)
        return factor * self.xp.read(self.xp.sum(value, dtype=self.xp.float64))[0], slope * factor

    @property
    @abstractmethod
    def loss_spec(self) -> tuple[str, list[float]]:
        """Name in the core's list of losses of one margin, and its settings."""

    @abstractmethod
    def _value_and_slope(self, margins: Array, t: Array) -> tuple[Array, Array]:
        """Return loss and derivative of each sample."""
