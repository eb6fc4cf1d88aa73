"""A run that is no longer finite stops before anything is lost, and says where it broke."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lm_cases import make_model, make_trainer
from proxstep.lm.diverged import DivergedError
from proxstep.lm.trainer import Trainer

BLOCK = ("norm1", "qkv", "attention", "projection", "norm2", "up", "gelu", "down")
STAGES = [
    *("token_embedding", "position_embedding"),
    *(f"blocks.{i}.{part}" for i in (0, 1) for part in BLOCK),
    *("norm", "head"),
]


def message_of(trainer: Trainer) -> str:
    with pytest.raises(DivergedError) as caught, np.errstate(all="ignore"):
        list(trainer.records())
    return str(caught.value)


def test_every_layer_has_its_stage_and_the_last_one_are_the_logits() -> None:
    model, x, _ = make_model()
    stages = [(name, output.copy()) for name, output in model.stages(x)]
    assert [name for name, _ in stages] == STAGES
    np.testing.assert_array_equal(stages[-1][1], model.forward(x))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("name", ["position_embedding", "blocks.1.down", "blocks.0.norm2", "norm"])
def test_a_weight_is_named(name: str, value: float) -> None:
    """Before the step: nothing is updated by it."""
    trainer = make_trainer(lr=0.02)
    trainer.advance()
    trainer.weights[name].flat[:3] = value
    before = trainer.weights.flat.copy()
    message = message_of(trainer)
    assert message.startswith("step 2: the training loss is nan: ")
    assert f"the weight '{name}' is not finite; begin a new run with --lr below 0.02" in message
    np.testing.assert_array_equal(trainer.weights.flat, before)
    assert trainer.step == 1


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("name", [name for name in STAGES if name.endswith((".qkv", ".up"))])
def test_a_layer_is_named(name: str, replicas: int) -> None:
    """Finite weights whose output is not."""
    trainer = make_trainer(replicas=replicas, accumulate=2)
    trainer.weights[name][:] = 3e38
    assert f"the output of the layer '{name}' is not finite" in message_of(trainer)


def test_a_gradient_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss is finite, and yet the step would break the weights."""
    trainer = make_trainer(max_norm=0.0)
    compute = trainer.replicas.loss_and_gradient

    def broken(*batch: Any) -> float:
        loss = compute(*batch)
        trainer.replicas.gradients["blocks.1.projection"][0, 1] = np.inf
        return loss

    monkeypatch.setattr(trainer.replicas, "loss_and_gradient", broken)
    before = trainer.weights.flat.copy()
    message = message_of(trainer)
    assert "step 1: the gradient's norm is inf: the gradient of 'blocks.1.projection'" in message
    assert "or with --max-norm 1; --resume would" in message
    np.testing.assert_array_equal(trainer.weights.flat, before)


def test_an_update_that_breaks_a_weight_names_it() -> None:
    trainer = make_trainer(optimizer="adamw", lr=1e19, warmup=0, weight_decay=1e19)
    trainer.weights["token_embedding"][:] = 30
    assert "step 1: the update has failed: the weight 'token_embedding'" in message_of(trainer)


def test_a_validation_that_is_not_finite_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer()
    monkeypatch.setattr(trainer, "validate", lambda: np.inf)
    message = message_of(trainer)
    assert "step 4: the validation loss is inf: all weights, outputs and gradients are" in message
    assert trainer.best == np.inf
