"""The direction of a step of a single array."""

from __future__ import annotations

from dataclasses import dataclass

from .. import _core
from ..arrays import Array
from ..rules import Muon
from .directions import Directions

__all__ = ["SingleStep", "direction"]


@dataclass(frozen=True)
class SingleStep:
    """What `step` is called with, in the core's terms."""

    x: Array
    g: Array
    penalty: _core.PenaltySpec | None
    t: int
    lr: float
    grad_scale: float
    dtype: str | None


def direction(call: SingleStep, rule: Muon, velocity: Array) -> Array:
    """Return the direction of a step of one array, and change its velocity.

    Raises
    ------
    TypeError, ValueError
        What the step itself would raise; nothing has changed then.
    """
    plan = _core.Plan(call.dtype)
    plan.add_group(rule.look_ahead(), False)
    plan.add(0, call.x, (velocity,), call.penalty)
    plan.check_overlaps()
    plan.check([call.g], call.grad_scale, [], [call.lr])
    directions = Directions(call.dtype)
    directions.add(0, call.x, rule, velocity)
    return directions.replace([call.g], call.t, call.grad_scale)[0]
