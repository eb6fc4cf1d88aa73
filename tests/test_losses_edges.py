"""The losses at the ends of the number range, and that they write nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
import reference_losses as ref
from cases import assert_same_bits
from loss_cases import DTYPES, EPS, SCALE, TARGETS, Batch, logistic_batch, softmax_batch
from proxstep import _core

NARROW_AND_WIDE = (3, 20, 65)


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("classes", [2, *NARROW_AND_WIDE, 2000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_is_right_at_huge_logits(dtype, classes, kind, isa):
    """At ±1e4 the largest loss is 2e4 and the gradient is all or nothing."""
    batch = softmax_batch(19, classes, dtype, kind)
    batch.x[:] = np.random.default_rng(classes).choice([-1e4, 1e4, 9999.5], batch.x.shape)
    loss, grad = batch.run()
    want, slope = ref.softmax_cross_entropy(batch.x, batch.targets, batch.weights, SCALE)
    assert loss == pytest.approx(float(want), rel=4 * EPS[dtype])
    np.testing.assert_allclose(grad, slope.astype(float), rtol=0, atol=8 * EPS[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_saturated_logistic_keeps_its_digits(dtype, isa):
    """Where 1 / (1 + exp(-u)) - 1 would round to 0, and where exp overflows."""
    u = np.array([17.3, 40.0, 80.0, 1e4, 1e30, 0.0, -0.0], dtype)
    u = np.concatenate([u, -u])
    for t in (0.0, 1.0, 0.3):
        for i in range(len(u)):
            row = Batch(u[i : i + 1], np.full(1, t, dtype), None)
            loss, grad = row.run("logistic_loss")
            want, slope = ref.logistic_loss(row.x, row.targets, 1.0, SCALE)
            assert loss == pytest.approx(float(want), rel=4 * EPS[dtype], abs=1e-37)
            assert grad[0] == pytest.approx(float(slope[0]), rel=4 * EPS[dtype], abs=1e-37)


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_is_within_2_units_in_the_last_place(dtype, isa):
    """Beyond u = -37 (float64) the gradient of the logistic loss at target 0 is exp(u) itself."""
    low, high = {"float32": (-87.3, -17.4), "float64": (-708.3, -37.5)}[dtype]
    u = np.random.default_rng(8).uniform(low, high, 400_001).astype(dtype)
    grad = np.empty_like(u)
    _core.logistic_loss(u, np.zeros_like(u), grad)
    want = np.exp(u.astype(np.longdouble))
    units = np.abs(grad - want) / np.spacing(want.astype(dtype))
    assert units.max() <= 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_below_the_normal_numbers_is_exactly_zero(dtype, isa):
    """Subnormal gradients would slow whatever comes next, and mean nothing."""
    u = np.array([-87.4, -100.0, -104.0, -1e4, -np.inf], dtype)
    u *= 1 if dtype == "float32" else 8.2
    grad = np.empty_like(u)
    assert _core.logistic_loss(u, np.zeros_like(u), grad) == 0
    assert_same_bits(grad, np.zeros_like(u))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("classes", NARROW_AND_WIDE)
@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_stays_nan_and_in_its_row(dtype, classes, kind, bad, isa):
    batch = softmax_batch(19, classes, dtype, kind)
    clean, want = batch.run()
    batch.x[7, 1] = bad
    loss, grad = batch.run()
    assert np.isfinite(clean)
    assert np.isnan(loss)
    assert np.isnan(grad[7]).all()
    rest = np.arange(19) != 7
    assert_same_bits(grad[rest], want[rest])


@pytest.mark.parametrize("where", ["x", "targets", "weights"])
def test_a_logistic_nan_stays_nan_and_in_its_place(where, isa):
    batch = logistic_batch(37)
    _, want = batch.run("logistic_loss")
    getattr(batch, where)[7] = np.nan
    loss, grad = batch.run("logistic_loss")
    assert np.isnan(loss)
    assert np.isnan(grad[7])
    rest = np.arange(37) != 7
    assert_same_bits(grad[rest], want[rest])


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("classes", [*NARROW_AND_WIDE, 3000])
def test_masked_classes_have_no_share(classes, kind, isa):
    """Logits of -infinity, whole vectors of them, where the target is elsewhere."""
    batch = softmax_batch(19, classes, "float32", kind)
    kept = np.arange(classes) % 3 == 0
    kept[classes // 2 :] = False
    kept[0] = True
    batch.x[:, ~kept] = -np.inf
    if kind == "soft":
        batch.targets[:, ~kept] = 0
        short = batch.targets[:, kept].copy()
    else:
        batch.targets[:] = 0
        short = batch.targets
    loss, grad = batch.run()
    want, slope = Batch(batch.x[:, kept].copy(), short, batch.weights).run()
    assert loss == pytest.approx(want, rel=1e-6)
    np.testing.assert_allclose(grad[:, kept], slope, rtol=1e-5, atol=1e-7)
    assert_same_bits(grad[:, ~kept], np.zeros_like(grad[:, ~kept]))


def test_a_target_that_is_masked_costs_infinity():
    x = np.array([[1.5, -np.inf], [0.3, 0.2]])
    grad = np.empty_like(x)
    assert _core.softmax_cross_entropy(x, np.array([1, 0]), grad) == np.inf
    assert grad[0].tolist() == [1.0, -1.0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_class_costs_exactly_nothing(dtype, isa):
    batch = softmax_batch(37, 1, dtype, spread=1e4)
    loss, grad = batch.run()
    assert loss == 0
    assert_same_bits(grad, np.zeros_like(grad))


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_rows_cost_nothing(dtype):
    for classes in (0, 1, 10, 65):
        x = np.empty((0, classes), dtype)
        assert _core.softmax_cross_entropy(x, np.empty(0, np.int64), x) == 0
        assert _core.softmax_cross_entropy(x, np.empty((0, classes), dtype)) == 0
    u = np.empty(0, dtype)
    assert _core.logistic_loss(u, u.copy(), u) == 0


@pytest.mark.parametrize("kind", ["int32", "soft"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_is_written_beside_the_gradient(dtype, kind, isa):
    """Every count of classes × every misalignment, sentinels at both ends."""
    for classes in range(1, 71):
        for rows in (1, 2 + classes % 17):
            batch = softmax_batch(rows, classes, dtype, kind)
            _, want = batch.run()
            room = np.full(rows * classes + 24, 77.0, dtype)
            offset = 8 + classes % 8
            grad = room[offset : offset + rows * classes].reshape(rows, classes)
            settings = {"row_weights": batch.weights, "scale": SCALE}
            _core.softmax_cross_entropy(batch.x, batch.targets, grad, **settings)
            assert_same_bits(grad.copy(), want)
            assert (room[:offset] == 77).all()
            assert (room[offset + grad.size :] == 77).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_logistic_loss_writes_nothing_beside_the_gradient(dtype, isa):
    for rows in range(71):
        batch = logistic_batch(rows, dtype)
        _, want = batch.run("logistic_loss")
        room = np.full(rows + 24, 77.0, dtype)
        grad = room[8 + rows % 8 :][:rows]
        _core.logistic_loss(batch.x, batch.targets, grad, batch.weights, SCALE)
        assert_same_bits(grad.copy(), want)
        assert (room == 77).sum() == 24
