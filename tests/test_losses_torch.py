"""The losses on torch tensors, and beside torch's own."""

from __future__ import annotations

import numpy as np
import pytest
from loss_cases import Batch, logistic_batch, softmax_batch
from proxstep import _core

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")


def test_torch_tensors_are_taken_as_they_are():
    batch = softmax_batch(37, 65, "float32")
    loss, want = batch.run()
    tensors = [torch.from_numpy(a) for a in (batch.x, batch.targets, batch.weights)]
    grad = torch.full((37, 65), 5.0)
    assert _core.softmax_cross_entropy(tensors[0], tensors[1], grad, tensors[2], 0.37) == loss
    assert (grad.numpy() == want).all()


@pytest.mark.parametrize("classes", [10, 65, 3000])
def test_softmax_agrees_with_torch(classes):
    batch = softmax_batch(300, classes)
    batch.weights[:] = 1.0
    logits = torch.from_numpy(batch.x).requires_grad_()
    targets = torch.from_numpy(batch.targets)
    want = torch.nn.functional.cross_entropy(logits, targets, label_smoothing=0.13)
    want.backward()
    smooth = np.full(batch.x.shape, 0.13 / classes)
    smooth[np.arange(300), batch.targets] += 0.87
    loss, grad = Batch(batch.x, smooth, None).run(scale=1 / 300)
    assert loss == pytest.approx(want.item(), rel=1e-13)
    np.testing.assert_allclose(grad, logits.grad.numpy(), rtol=1e-11, atol=1e-16)


def test_the_logistic_loss_agrees_with_torch():
    batch = logistic_batch(3001)
    margin = torch.from_numpy(batch.x).requires_grad_()
    targets, weights = torch.from_numpy(batch.targets), torch.from_numpy(batch.weights)
    want = torch.nn.functional.binary_cross_entropy_with_logits(margin, targets, weights)
    want.backward()
    loss, grad = batch.run("logistic_loss", scale=1 / 3001)
    assert loss == pytest.approx(want.item(), rel=1e-13)
    np.testing.assert_allclose(grad, margin.grad.numpy(), rtol=1e-9, atol=1e-18)
