"""Settings of the model and of a run: frozen dataclasses that check their own values.

The command line is made from the fields, so a setting is described once, here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from .device import DEVICES
from .names import check_name
from .penalty import PENALTIES, SCOPES


def setting(default: Any, text: str, *, known: tuple[str, ...] = (), least: float = 0.0) -> Any:
    """Return a field with its help text and either the names it may take or its least value."""
    return field(default=default, metadata={"help": text, "known": known, "least": least})


@dataclass(frozen=True)
class ModelConfig:
    """Shape of a GPT.

    Raises
    ------
    ValueError
        If a size is not a positive integer or `heads` does not divide `channels`.

    Examples
    --------
    >>> ModelConfig(vocabulary=65).layers
    4
    >>> ModelConfig(vocabulary=65, channels=100, heads=3)
    Traceback (most recent call last):
    ValueError: channels=100 is not a multiple of heads=3
    """

    vocabulary: int = setting(256, "number of different tokens", least=1)
    layers: int = setting(4, "transformer blocks", least=1)
    heads: int = setting(4, "attention heads a block", least=1)
    channels: int = setting(128, "width of the residual stream, a multiple of heads", least=1)
    context: int = setting(64, "tokens that the model sees at once", least=1)
    tied: bool = setting(True, "the output head shares the token embedding")

    def __post_init__(self) -> None:
        check_fields(self)
        if self.channels % self.heads:
            raise ValueError(f"channels={self.channels} is not a multiple of heads={self.heads}")


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a run: data, schedule, rule, penalty.

    Raises
    ------
    ValueError
        If a value is out of its range or a name is unknown.

    Examples
    --------
    >>> TrainConfig(penalty="l1", lam=1e-4).steps
    2000
    >>> TrainConfig(penalty="l11")
    Traceback (most recent call last):
    ValueError: unknown penalty 'l11': did you mean 'l1'?
    """

    steps: int = setting(2000, "optimizer steps; the learning rate falls over all of them")
    batch: int = setting(12, "sequences a step", least=1)
    lr: float = setting(6e-3, "peak learning rate")
    lr_floor: float = setting(0.1, "last learning rate, as a share of the peak")
    warmup: int = setting(100, "steps of rising learning rate")
    beta1: float = setting(0.9, "AdamW: share of the mean gradient kept each step")
    beta2: float = setting(0.99, "AdamW: share of the mean squared gradient kept each step")
    weight_decay: float = setting(0.1, "decay of 2-D weights, times the learning rate each step")
    max_norm: float = setting(1.0, "clip the gradient to this Euclidean norm; 0: never")
    penalty: str = setting("l0", "penalty on the weights", known=tuple(PENALTIES))
    lam: float = setting(
        1e-3, "strength of the penalty; l0 wants about 1e-3, l1 and group-rows about 3e-2"
    )
    metric: str = setting("euclidean", "step seen by the prox", known=("diagonal", "euclidean"))
    penalize: str = setting(
        "matrices", "its scope: all 2-D weights, or those of blocks", known=SCOPES
    )
    tokenizer: str = setting("characters", "what a token is", known=("characters", "bytes"))
    validation: float = setting(0.1, "last share of the text, held out")
    eval_every: int = setting(250, "steps between losses over the whole validation split", least=1)
    save_every: int = setting(250, "steps between checkpoints", least=1)
    patience: int = setting(0, "stop after this many validations without a better loss; 0: never")
    seed: int = setting(1, "seed of the weights and of the batches")
    replicas: int = setting(
        2, "parts of a batch computed side by side, a thread each; on cuda there is one", least=1
    )
    device: str = setting("cpu", "where the model is trained", known=DEVICES)
    log_every: int = setting(
        0, "steps between lines of numbers, for which a device is waited; 0: 1 on cpu, 10 on cuda"
    )

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("beta1", "beta2", "validation"):
            value = getattr(self, name)
            if value >= 1:
                raise ValueError(f"{name}={value} is not below 1")
        if self.lr_floor > 1:
            raise ValueError(f"lr_floor={self.lr_floor} is above 1")

    def reads_numbers(self, step: int) -> bool:
        """Tell whether the numbers of a step, counted from 1, are read: a device is waited for.

        They are before whatever is looked at or saved, so that no checkpoint holds a diverged run.

        Examples
        --------
        >>> config = TrainConfig(steps=35, device="cuda", eval_every=25, save_every=100)
        >>> [step for step in range(1, 36) if config.reads_numbers(step)]
        [10, 20, 25, 30, 35]
        """
        log_every = self.log_every or (1 if self.device == "cpu" else 10)
        periods = (log_every, self.eval_every, self.save_every)
        return step == self.steps or any(step % period == 0 for period in periods)


def check_fields(config: Any) -> None:
    """Check type, range and name of every field against its metadata."""
    for item in fields(config):
        value, known = getattr(config, item.name), item.metadata["known"]
        if known:
            check_name(item.name, value, known)
        elif item.type != "bool":
            _check_number(item.name, value, whole=item.type == "int", least=item.metadata["least"])


def _check_number(name: str, value: Any, *, whole: bool, least: float) -> None:
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
        raise ValueError(f"{name}={value!r} is not a {'whole' if whole else 'finite'} number")
    if value < least:
        raise ValueError(f"{name}={value} is below {least:g}")
