"""The model against PyTorch: the gradient of every weight, and 20 steps of AdamW."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from lm_cases import make_model, make_trainer
from proxstep.lm.data import draw_batch

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """PyTorch's threads spin, which takes seconds on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)])
def test_loss_and_every_gradient(tied: bool, dtype: str, tolerance: float) -> None:
    from torch_gpt import TorchGPT

    model, x, y = make_model(dtype=dtype, tied=tied)
    twin = TorchGPT(model.config, dict(model.weights.items()))
    loss = twin.loss(x, y)
    loss.backward()
    assert model.loss_and_gradient(x, y) == pytest.approx(loss.item(), rel=tolerance)
    for name, gradient in model.gradients.items():
        expected = twin.weight(name).grad.numpy()
        scale = np.abs(expected).max()
        np.testing.assert_allclose(gradient, expected, atol=tolerance * scale, err_msg=name)


@pytest.mark.parametrize("tied", [True, False])
def test_twenty_steps_match_adamw(tied: bool) -> None:
    from torch_gpt import TorchGPT

    trainer = make_trainer(sizes={"tied": tied}, steps=20, eval_every=100, replicas=1)
    config, rng = trainer.config, np.random.default_rng()
    twin = TorchGPT(trainer.model, dict(trainer.weights.items()))
    optimizer = twin.optimizer(config)
    for step in range(20):
        rng.bit_generator.state = trainer.rng.bit_generator.state
        x, y = draw_batch(trainer.corpus.train, rng, config.batch, trainer.model.context)
        for group in optimizer.param_groups:
            group["lr"] = trainer.schedule(step)
        optimizer.zero_grad()
        loss = twin.loss(x, y)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(twin.parameters(), config.max_norm)
        optimizer.step()
        record = trainer.advance()
        assert record.train_loss == pytest.approx(loss.item(), rel=1e-4)
        assert record.grad_norm == pytest.approx(norm.item(), rel=1e-3)
    for name, view in trainer.weights.items():
        expected = twin.weight(name).detach().numpy()
        np.testing.assert_allclose(view, expected, atol=2e-4, err_msg=name)
