"""The model against PyTorch: the gradient of every weight, and 20 steps of AdamW."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from lm_cases import make_model, make_trainer
from proxstep import _core
from proxstep.lm.buffers import Buffers
from proxstep.lm.data import draw_batch
from proxstep.lm.gelu import ErfGelu

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

    sizes = {"tied": tied}
    trainer = make_trainer(sizes=sizes, optimizer="adamw", steps=20, eval_every=100, replicas=1)
    config, rng = trainer.config, np.random.default_rng()
    twin = TorchGPT(trainer.model, dict(trainer.weights.items()))
    optimizer = twin.optimizer(config)
    for step in range(20):
        rng.bit_generator.state = trainer.rng.bit_generator.state
        x, y = draw_batch(trainer.corpus.train, rng, config.batch, trainer.model.context)
        for group in optimizer.param_groups:
            group["lr"] = config.lr * trainer.schedule(step)
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


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-13), ("float32", 2e-7)])
def test_the_normal_distribution_function(dtype: str, tolerance: float, isa: str) -> None:
    x = np.array([*np.linspace(-6, 6, 2003), -40, 40, np.inf, -np.inf, np.nan], dtype)
    out = np.empty_like(x)
    _core.normal_cdf(x, out)
    expected = np.array([math.erfc(-float(v) / math.sqrt(2)) / 2 for v in x])
    np.testing.assert_allclose(out, expected, atol=tolerance)
    assert np.abs(out[:900] / expected[:900] - 1).max() < 60 * np.finfo(dtype).eps


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-6)])
def test_the_exact_gelu(dtype: str, tolerance: float) -> None:
    x = np.random.default_rng(2).normal(0, 2, (7, 33)).astype(dtype)
    layer = ErfGelu(Buffers(np, dtype), "gelu")
    twin = torch.tensor(x, requires_grad=True)
    y = torch.nn.functional.gelu(twin)
    y.backward(torch.tensor(x**2))
    np.testing.assert_allclose(layer.forward(x), y.detach().numpy(), atol=tolerance)
    np.testing.assert_allclose(layer.backward(x**2), twin.grad.numpy(), atol=10 * tolerance)
