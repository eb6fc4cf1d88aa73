"""What a run's settings mean for the core: the schedule, and rule and penalty of each weight."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import proxstep as ps
from proxstep.schedules import Cosine, Schedule, WarmUp

from .config import TrainConfig
from .parameters import Parameters
from .penalty import is_penalized, make_penalty


def make_schedule(config: TrainConfig) -> Schedule:
    """Return warm-up to lr, then half a cosine down to lr_floor · lr at the last step.

    Examples
    --------
    >>> rate = make_schedule(TrainConfig(lr=0.5, lr_floor=0.1, warmup=2, steps=12))
    >>> [round(rate(step), 4) for step in (0, 1, 2, 12)]
    [0.25, 0.5, 0.5, 0.05]
    """
    falling = max(1, config.steps - config.warmup)
    return WarmUp(Cosine(config.lr, falling, floor=config.lr_floor * config.lr), config.warmup)


def make_groups(weights: Parameters, config: TrainConfig) -> list[dict[str, Any]]:
    """Return the optimizer's groups, one a weight, in the order of the buffer.

    Decay falls on 2-D weights, the penalty on those in scope; a tied head is one weight.
    """
    decayed = ps.AdamW(
        config.lr, betas=(config.beta1, config.beta2), weight_decay=config.weight_decay
    )
    free = replace(decayed, weight_decay=0.0)
    groups: list[dict[str, Any]] = []
    for name, view in weights.items():
        penalized = is_penalized(name, view.ndim, config.penalize)
        penalty = make_penalty(config.penalty, config.lam, view.shape) if penalized else None
        rule = decayed if view.ndim == 2 else free
        groups.append({"params": [view], "rule": rule, "penalty": penalty, "metric": config.metric})
    return groups
