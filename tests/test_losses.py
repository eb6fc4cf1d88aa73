"""The fused losses: right beside an extended-precision oracle, and the same bits on every path."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import reference_losses as ref
from cases import assert_same_bits
from loss_cases import (
    DTYPES,
    EPS,
    SCALE,
    TARGETS,
    Batch,
    logistic_batch,
    on_every_path,
    softmax_batch,
)
from proxstep import _core

# Below, at and above 16 lanes, and on both sides of the change from transposed rows to long ones.
CLASSES = (1, 2, 10, 16, 31, 32, 33, 48, 65, 1000, 1025, 5000)


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("classes", [*CLASSES, 50257])
@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_matches_the_oracle(dtype, classes, kind):
    batch = softmax_batch(37 if classes < 5000 else 4, classes, dtype, kind)
    loss, grad = batch.run()
    want, slope = ref.softmax_cross_entropy(batch.x, batch.targets, batch.weights, SCALE)
    assert loss == pytest.approx(float(want), rel=4 * EPS[dtype], abs=4 * EPS[dtype])
    t = batch.targets if kind == "soft" else ref.one_hot(batch.targets, classes)
    shares = slope + 2 * SCALE * batch.weights[:, None] * t  # w (p + t): what the difference is of
    rounded = 8 + batch.x.max(axis=1, keepdims=True) - batch.x  # x - m loses its own last digits
    assert (np.abs(grad - slope) <= EPS[dtype] * rounded * shares).all()


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 40_001])
@pytest.mark.parametrize("dtype", DTYPES)
def test_logistic_matches_the_oracle(dtype, rows):
    batch = logistic_batch(rows, dtype)
    loss, grad = batch.run("logistic_loss")
    want, slope = ref.logistic_loss(batch.x, batch.targets, batch.weights, SCALE)
    assert loss == pytest.approx(float(want), rel=2 * EPS[dtype])
    assert (np.abs(grad - slope) <= 2 * EPS[dtype] * (np.abs(slope) + SCALE * batch.weights)).all()


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize(("rows", "classes"), [(5003, 10), (1201, 65), (37, 1500), (3, 50257)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_has_the_same_bits_on_every_path(dtype, rows, classes, kind):
    batch = softmax_batch(rows, classes, dtype, kind)
    first, *others = on_every_path(batch.run)
    for loss, grad in others:
        assert loss == first[0]
        assert_same_bits(grad, first[1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_logistic_has_the_same_bits_on_every_path(dtype):
    batch = logistic_batch(70_003, dtype)
    first, *others = on_every_path(lambda: batch.run("logistic_loss"))
    for loss, grad in others:
        assert loss == first[0]
        assert_same_bits(grad, first[1])


def test_four_python_threads_at_once_get_the_same_bits():
    batch = softmax_batch(1201, 65)
    loss, grad = batch.run()
    with ThreadPoolExecutor(4) as callers:
        for other, other_grad in callers.map(lambda _: batch.run(), range(40)):
            assert other == loss
            assert_same_bits(other_grad, grad)


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_grad_may_be_the_logits(dtype, classes, kind, isa):
    batch = softmax_batch(37, classes, dtype, kind)
    loss, grad = batch.run()
    x = batch.x.copy()
    settings = {"row_weights": batch.weights, "scale": SCALE}
    assert _core.softmax_cross_entropy(x, batch.targets, x, **settings) == loss
    assert_same_bits(x, grad)
    assert _core.softmax_cross_entropy(batch.x, batch.targets, **settings) == loss


def test_grad_may_be_the_margin(isa):
    batch = logistic_batch(1003)
    loss, grad = batch.run("logistic_loss")
    u = batch.x.copy()
    settings = {"row_weights": batch.weights, "scale": SCALE}
    assert _core.logistic_loss(u, batch.targets, u, **settings) == loss
    assert_same_bits(u, grad)
    assert _core.logistic_loss(batch.x, batch.targets, **settings) == loss


@pytest.mark.parametrize("classes", [3, 32, 41])
@pytest.mark.parametrize("kind", ["int64", "masses"])
def test_the_softmax_gradient_is_the_derivative(classes, kind):
    """Also for targets that do not sum to 1."""
    batch = softmax_batch(5, classes, kind="int64" if kind == "int64" else "soft", spread=0.9)
    if kind == "masses":
        batch.targets *= np.random.default_rng(1).uniform(0.3, 1.9, batch.targets.shape)
    assert_derivative(batch, "softmax_cross_entropy")


def test_the_logistic_gradient_is_the_derivative():
    assert_derivative(logistic_batch(23, spread=2.1), "logistic_loss")


def assert_derivative(batch: Batch, loss: str) -> None:
    _, grad = batch.run(loss)
    step = 1e-6
    for index in np.ndindex(batch.x.shape):
        ends = []
        for sign in (1, -1):
            x = batch.x.copy()
            x[index] += sign * step
            ends.append(Batch(x, batch.targets, batch.weights).run(loss)[0])
        assert grad[index] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6, abs=2e-8)


@pytest.mark.parametrize("classes", [2, 10, 65])
def test_labels_are_probabilities_with_one_1(classes):
    batch = softmax_batch(37, classes)
    soft = Batch(batch.x, np.eye(classes)[batch.targets], batch.weights)
    (loss, grad), (soft_loss, soft_grad) = batch.run(), soft.run()
    assert soft_loss == pytest.approx(loss, rel=1e-15)
    np.testing.assert_allclose(soft_grad, grad, rtol=0, atol=1e-15)


def test_two_classes_are_the_logistic_loss():
    batch = logistic_batch(200)
    batch.targets = (batch.targets > 0.5).astype(float)
    logits = np.stack([np.zeros_like(batch.x), batch.x], axis=1)
    pair = Batch(logits, batch.targets.astype(np.int64), batch.weights)
    (loss, grad), (want, slope) = pair.run(), batch.run("logistic_loss")
    assert loss == pytest.approx(want, rel=1e-14)
    np.testing.assert_allclose(grad[:, 1], slope, rtol=0, atol=1e-15)
    np.testing.assert_allclose(grad[:, 0], -slope, rtol=0, atol=1e-15)


@pytest.mark.parametrize("classes", [7, 70])
def test_permuting_rows_and_classes_commutes(classes):
    batch, rng = softmax_batch(37, classes), np.random.default_rng(3)
    rows, order = rng.permutation(37), rng.permutation(classes)
    labels = np.argsort(order)[batch.targets]
    shuffled = Batch(batch.x[rows][:, order].copy(), labels[rows], batch.weights[rows])
    (loss, grad), (other, other_grad) = batch.run(), shuffled.run()
    assert other == pytest.approx(loss, rel=1e-14)
    np.testing.assert_allclose(other_grad, grad[rows][:, order], rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("classes", [9, 90])
def test_a_row_of_weight_0_is_as_good_as_absent(classes):
    """Even if it holds NaN: its gradient is exact zeros and its loss is nothing."""
    batch = softmax_batch(37, classes)
    batch.weights[[5, 36]] = 0.0
    batch.x[5], batch.x[36, 3] = np.nan, np.inf
    kept = batch.weights != 0
    loss, grad = batch.run()
    want, slope = Batch(batch.x[kept], batch.targets[kept], batch.weights[kept]).run()
    assert loss == pytest.approx(want, rel=1e-14)
    assert_same_bits(grad[kept], slope)
    assert_same_bits(grad[~kept], np.zeros_like(grad[~kept]))
