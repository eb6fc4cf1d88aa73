"""The losses of arrays in CUDA memory, held to the CPU's and to the oracle without a device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reference_losses as ref
from cases import assert_same_bits
from device import DeviceArray, check_sentinels, on_device, placed
from loss_cases import DTYPES, EPS, SCALE, TARGETS, Batch, logistic_batch, softmax_batch
from proxstep import _core

pytestmark = pytest.mark.usefixtures("any_device")

# One lane a row, several, all of a warp and a block; whole packs of 16 bytes and parts of one.
CLASSES = (1, 2, 3, 4, 31, 32, 33, 257, 1024, 1025, 5000)


def run_there(
    batch: Batch, loss: str = "softmax_cross_entropy", how: str = "", **changes: Any
) -> tuple[float, Any]:
    """What `Batch.run` gives, from a device; `how` has "odd" memory or is "in place"."""
    x = DeviceArray(placed(batch.x, "odd" in how))
    fresh = placed(np.full_like(batch.x, 123.0), "odd" in how)
    grad = x if "in place" in how else DeviceArray(fresh)
    weights = None if batch.weights is None else DeviceArray(placed(batch.weights, "odd" in how))
    settings = {"row_weights": weights, "scale": SCALE, **changes}
    targets = DeviceArray(placed(batch.targets, "odd" in how))
    value = getattr(_core, loss)(x, targets, grad, **settings)
    check_sentinels(grad.host)
    return value, grad.host.copy()


def assert_close(got: Any, want: Any, batch: Batch) -> None:
    """Some roundings apart: of the loss, and of each class's share of it."""
    eps, classes = EPS[str(batch.x.dtype)], batch.x.shape[1]
    assert got[0] == pytest.approx(float(want[0]), rel=4 * eps, abs=4 * eps)
    t = batch.targets if batch.targets.ndim == 2 else ref.one_hot(batch.targets, classes)
    weights = 1.0 if batch.weights is None else batch.weights[:, None]
    shares = np.abs(want[1] + 2 * SCALE * weights * t)  # w (p + t): what the difference is of
    rounded = 10 + np.max(batch.x, axis=1, keepdims=True) - batch.x  # x - m loses its own digits
    assert (np.abs(got[1] - want[1]) <= eps * rounded * shares).all()


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_is_the_cpus_and_the_oracles(dtype: str, classes: int, kind: str) -> None:
    batch = softmax_batch(37 if classes < 1000 else 4, classes, dtype, kind)
    got = run_there(batch)
    assert_close(got, batch.run(), batch)
    assert_close(
        got, ref.softmax_cross_entropy(batch.x, batch.targets, batch.weights, SCALE), batch
    )


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_where_memory_lies_changes_no_bit(dtype: str, classes: int, kind: str) -> None:
    """In place, out of line, without a gradient or without the value."""
    batch = softmax_batch(19 if classes < 1000 else 3, classes, dtype, kind)
    loss, grad = run_there(batch)
    for how in ("in place", "odd", "odd, in place"):
        other, other_grad = run_there(batch, how=how)
        assert other == loss
        assert_same_bits(other_grad, grad, how)
    none, alone = run_there(batch, how="in place", value=False)
    assert none is None
    assert_same_bits(alone, grad)
    x, weights = on_device(batch.x), on_device(batch.weights)
    settings = {"row_weights": weights, "scale": SCALE}
    assert _core.softmax_cross_entropy(x, on_device(batch.targets), **settings) == loss
    assert_same_bits(x.host, batch.x)


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 8, 9, 63, 65, 255, 257, 1031])
@pytest.mark.parametrize("classes", [1, 5, 11, 40])
def test_every_row_counts_once(rows: int, classes: int) -> None:
    """Around what teams, warps and blocks take."""
    batch = softmax_batch(rows, classes, "float32", "int32")
    assert_close(run_there(batch), batch.run(), batch)
    batch.weights = None
    assert_close(run_there(batch), batch.run(), batch)


def test_so_many_rows_that_teams_take_them_in_turn() -> None:
    batch = softmax_batch(262_144 + 37, 10, "float32", "int64")
    assert_close(run_there(batch), batch.run(), batch)


@pytest.mark.parametrize("how", ["", "in place", "odd"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_logistic_gradient_has_the_bits_of_the_cpu(dtype: str, how: str) -> None:
    for rows in (0, 1, 3, 4, 5, 1023, 2048, 4097, 10_001):
        batch = logistic_batch(rows, dtype)
        loss, grad = run_there(batch, "logistic_loss", how)
        want, slope = batch.run("logistic_loss")
        assert loss == pytest.approx(want, rel=1e-13)
        assert_same_bits(grad, slope, f"{rows} rows")
        oracle = ref.logistic_loss(batch.x, batch.targets, batch.weights, SCALE)[0]
        assert loss == pytest.approx(float(oracle), rel=2 * EPS[dtype])
        none, alone = run_there(batch, "logistic_loss", how, value=False)
        assert none is None
        assert_same_bits(alone, slope, f"{rows} rows")


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_logistic_loss_without_weights_or_gradient(dtype: str) -> None:
    batch = logistic_batch(1003, dtype)
    batch.weights = None
    want, slope = batch.run("logistic_loss")
    assert_same_bits(run_there(batch, "logistic_loss")[1], slope)
    loss = _core.logistic_loss(on_device(batch.x), on_device(batch.targets), scale=SCALE)
    assert loss == pytest.approx(want, rel=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
def test_logistic_extremes_are_the_cpus(dtype: str) -> None:
    u = np.array([1e30, -1e30, np.inf, -np.inf, np.nan, 0.0, -0.0, 88.0, -745.0], dtype)
    for target in (0.0, 1.0, 0.3, np.nan):
        batch = Batch(u, np.full_like(u, target), np.linspace(0, 2.3, 9).astype(dtype))
        loss, grad = run_there(batch, "logistic_loss")
        want, slope = batch.run("logistic_loss")
        np.testing.assert_allclose(loss, want, 1e-13)
        assert_same_bits(grad, slope)


EXTREMES = {
    "huge": lambda x: np.choose(np.arange(x.size).reshape(x.shape) % 3, [-1e30, 1e30, 9.9e29]),
    "one huge": lambda x: np.where(np.arange(x.shape[1]) == 1, 1e30, x),
    "masked": lambda x: np.where(np.arange(x.shape[1]) % 3 > 0, -np.inf, x),
    "all masked": lambda x: np.full_like(x, -np.inf),
    "infinite": lambda x: np.where(np.arange(x.shape[1]) == x.shape[1] - 1, np.inf, x),
    "NaN first": lambda x: np.where(np.arange(x.shape[1]) == 0, np.nan, x),
    "NaN last": lambda x: np.where(np.arange(x.shape[1]) == x.shape[1] - 1, np.nan, x),
    "equal": lambda x: np.full_like(x, -3.7),
}


@pytest.mark.parametrize("extreme", EXTREMES)
@pytest.mark.parametrize("kind", ["int64", "soft"])
@pytest.mark.parametrize("classes", [2, 33, 1500])
@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_extremes_are_the_cpus(dtype: str, classes: int, kind: str, extreme: str) -> None:
    """In one row among others, whose bits stay."""
    batch = softmax_batch(5, classes, dtype, kind)
    _, clean = run_there(batch)
    batch.x[1] = EXTREMES[extreme](batch.x[1:2])[0]
    if extreme == "masked" and kind == "soft":
        batch.targets[1, np.isinf(batch.x[1])] = 0
    loss, grad = run_there(batch)
    want, slope = batch.run()
    np.testing.assert_allclose(loss, want, 8 * EPS[dtype])
    np.testing.assert_allclose(grad[1], slope[1], 1e2 * EPS[dtype], 8 * EPS[dtype])
    assert_same_bits(np.delete(grad, 1, 0), np.delete(clean, 1, 0))


@pytest.mark.parametrize("classes", [3, 40, 1500])
def test_a_row_of_weight_0_is_as_good_as_absent(classes: int) -> None:
    """Even if it holds NaN: its gradient is exact zeros and its loss is nothing."""
    batch = softmax_batch(7, classes)
    batch.weights[[0, 6]] = 0.0
    clean, _ = run_there(batch)
    batch.x[0], batch.x[6, 1], batch.x[2] = np.nan, np.inf, -np.inf
    loss, grad = run_there(batch)
    assert loss == clean
    assert_same_bits(grad[[0, 2, 6]], np.zeros((3, classes)))


@pytest.mark.parametrize("kind", ["int32", "int64"])
@pytest.mark.parametrize("classes", [3, 1025])
def test_the_first_bad_label_is_named_and_nothing_written(classes: int, kind: str) -> None:
    """Even in a row of weight 0, and wherever a thread or a block begins."""
    rows = 9001 if classes == 3 else 5
    batch = softmax_batch(rows, classes, "float32", kind)
    for row in {0, 2, 255, 256, 4095, 4096, 8300, rows - 1} & set(range(rows)):
        for label in (classes, -1, 2**31 - 1, -(2**31)):
            targets = batch.targets.copy()
            targets[[row, -1]] = label, classes + 7 if row < rows - 1 else label
            x = on_device(batch.x)
            with pytest.raises(
                ValueError, match=rf"targets\[{row}\] is {label};.* 0 to {classes - 1}"
            ):
                _core.softmax_cross_entropy(x, on_device(targets), x, on_device(batch.weights))
            assert_same_bits(x.host, batch.x)


@pytest.mark.parametrize("classes", [3, 1025])
def test_without_the_value_a_bad_label_is_no_class(classes: int) -> None:
    batch = softmax_batch(5, classes)
    soft = Batch(batch.x, np.eye(classes)[batch.targets], batch.weights)
    batch.targets[[1, 3]] = -1, 2**62
    soft.targets[[1, 3]] = 0
    _, grad = run_there(batch, value=False)
    good = [0, 2, 4]
    assert_same_bits(grad[good], run_there(soft)[1][good])
    sums = SCALE * batch.weights[[1, 3]]
    np.testing.assert_allclose(grad[[1, 3]].sum(axis=1), sums, 1e-12)


def test_what_is_launched_and_waited_for(emulation: Any) -> None:
    """Labels, rows and their sum, and one read; one launch alone without the value."""
    batch, margins = softmax_batch(5, 40), logistic_batch(40)

    def counts() -> Any:
        return np.array([emulation.launches(), emulation.waits(), emulation.blocks_of_memory()])

    def spent(*arguments: Any, **changes: Any) -> list[int]:
        before = counts()
        run_there(*arguments, **changes)
        return (counts() - before).tolist()

    assert spent(batch) == [3, 1, 0]
    assert spent(softmax_batch(5000, 2)) == [4, 1, 0]
    assert spent(softmax_batch(5, 40, kind="soft")) == [2, 1, 0]
    assert spent(margins, "logistic_loss") == [2, 1, 0]
    assert spent(batch, value=False) == [1, 0, 0]
    assert spent(margins, "logistic_loss", value=False) == [1, 0, 0]
    assert spent(softmax_batch(0, 40)) == [0, 0, 0]
    batch.targets[1] = -1
    before = counts()
    with pytest.raises(ValueError, match=r"targets\[1\] is -1"):
        run_there(batch)
    assert (counts() - before).tolist() == [3, 1, 0]


def test_on_the_cpu_the_value_can_be_left_out_too() -> None:
    batch, margins = softmax_batch(5, 40), logistic_batch(40)
    for loss, rows in (("softmax_cross_entropy", batch), ("logistic_loss", margins)):
        _, want = rows.run(loss)
        none, grad = rows.run(loss, value=False)
        assert none is None
        assert_same_bits(grad, want)
    batch.targets[1] = 40
    with pytest.raises(ValueError, match=r"targets\[1\] is 40"):
        batch.run(value=False)


def one_apart(a: Any) -> DeviceArray:
    return DeviceArray(a, device=1)


REFUSALS = {
    "half precision": ({"logits": np.ones((6, 4), "f2")}, TypeError, "logits has dtype float16"),
    "one dimension": ({"logits": np.ones(6)}, ValueError, r"logits has shape \(6,\)"),
    "no classes": ({"logits": np.ones((6, 0)), "grad": None}, ValueError, "a class is needed"),
    "too few labels": ({"targets": np.zeros(5, int)}, ValueError, r"targets has shape \(5,\)"),
    "too few weights": ({"row_weights": np.ones(5)}, ValueError, r"row_weights has shape \(5,\)"),
    "another dtype": ({"grad": np.ones((6, 4), "f4")}, TypeError, "grad has dtype float32"),
    "a scale that is NaN": ({"scale": np.nan}, ValueError, "scale is nan"),
    "nothing wanted": ({"grad": None, "value": False}, ValueError, "value is False and grad is"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_softmax_refuses(case: str) -> None:
    changes, error, message = REFUSALS[case]
    good = {"logits": np.ones((6, 4)), "targets": np.arange(6) % 4, "grad": np.ones((6, 4))}
    arguments = {
        key: on_device(a) if isinstance(a, np.ndarray) else a
        for key, a in {**good, **changes}.items()
    }
    with pytest.raises(error, match=message):
        _core.softmax_cross_entropy(**arguments)
    if isinstance(arguments["grad"], DeviceArray):
        assert (arguments["grad"].host == 1).all()


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "logistic_loss"])
@pytest.mark.parametrize("name", ["targets", "grad", "row_weights"])
def test_arrays_in_two_places_are_refused(loss: str, name: str) -> None:
    batch = softmax_batch(6, 4, kind="soft") if "soft" in loss else logistic_batch(6)
    first = "logits" if "soft" in loss else "margin"
    host = {"targets": batch.targets, "grad": np.ones_like(batch.x), "row_weights": batch.weights}
    there = {key: on_device(a) for key, a in host.items()}
    run = getattr(_core, loss)
    with pytest.raises(ValueError, match=f"{name} is in CPU memory, {first} in CUDA memory"):
        run(on_device(batch.x), **{**there, name: host[name]})
    with pytest.raises(ValueError, match=f"{name} is in CUDA memory of device 1, {first} in CUDA"):
        run(on_device(batch.x), **{**there, name: one_apart(host[name])})
    with pytest.raises(ValueError, match=f"{name} is in CUDA memory of device 0, {first} in CPU"):
        run(batch.x, **{**host, name: there[name]})
    assert (there["grad"].host == 1).all()


def test_a_gradient_over_half_of_an_input_is_refused(emulation: Any) -> None:
    """Views of a GPU's memory would each be a copy in these tests."""
    room = np.ones(60)
    logits, grad = DeviceArray(room[:24].reshape(6, 4)), DeviceArray(room[4:28].reshape(6, 4))
    with pytest.raises(ValueError, match="grad and logits overlap"):
        _core.softmax_cross_entropy(logits, on_device(np.zeros(6, int)), grad)
    assert (room == 1).all()


def test_work_goes_to_the_stream_of_the_input() -> None:
    batch = softmax_batch(5, 4)
    x, targets, grad = on_device(batch.x), on_device(batch.targets), on_device(batch.x)
    _core.softmax_cross_entropy(x, targets, grad, value=False)
    assert (x.stream, targets.stream, grad.stream) == (1, 1, 1)
