"""What is no longer finite in a run, by name, and what can be done about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .config import TrainConfig
from .model import GPT
from .parameters import Parameters


class DivergedError(ArithmeticError):
    """The loss, the gradient or a weight is not finite; the last checkpoint is the last good state.

    Its message names the step, the place and the cure.
    """


def find_cause(model: GPT, gradients: Parameters, batches: Sequence[Any]) -> str:
    """Return where numbers first stop being finite: a weight, else a layer, else a gradient.

    Parameters
    ----------
    model : GPT
        Weights to look through; its forward pass is repeated.
    gradients : Parameters
        Those of the step.
    batches : sequence of array of int, shape (B, T)
        Inputs of the step.

    Examples
    --------
    >>> from proxstep.lm import ModelConfig
    >>> sizes = ModelConfig(vocabulary=3, layers=1, heads=1, channels=2, context=2)
    >>> model = GPT(Parameters(sizes))
    >>> model.weights["blocks.0.up"][1, 0] = float("inf")
    >>> find_cause(model, model.gradients, [])
    "the weight 'blocks.0.up' is not finite"
    """
    if (name := _first(model.weights.xp, model.weights.items())) is not None:
        return f"the weight '{name}' is not finite"
    for tokens in batches:
        if (name := _first(model.weights.xp, model.stages(tokens))) is not None:
            return f"the output of the layer '{name}' is not finite"
    if (name := _first(gradients.xp, gradients.items())) is not None:
        return f"the gradient of '{name}' is not finite"
    return "all weights, outputs and gradients are finite"


def _first(xp: Any, arrays: Iterable[tuple[str, Any]]) -> str | None:
    return next((name for name, array in arrays if not bool(xp.isfinite(array).all())), None)


def describe_cure(config: TrainConfig) -> str:
    """Return what to do: a resumed run does the same again, to the bit.

    Examples
    --------
    >>> describe_cure(TrainConfig(optimizer="adamw", lr=9.0))
    'begin a new run with --lr below 9; --resume would only repeat these steps'
    """
    rates = f"--lr below {config.lr:g}"
    if config.optimizer == "muon":
        rates += f" and --muon-lr below {config.muon_lr:g}"
    clip = "" if config.max_norm else ", or with --max-norm 1"
    return f"begin a new run with {rates}{clip}; --resume would only repeat these steps"
