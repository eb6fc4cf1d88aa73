"""What the losses refuse: with the values, and before anything is written."""

from __future__ import annotations

import numpy as np
import pytest
from loss_cases import logistic_batch, softmax_batch
from proxstep import _core
from refusals import refused


def read_only(a):
    a.flags.writeable = False
    return a


def softmax(logits, targets, grad=None, row_weights=None, scale=0.37):
    _core.softmax_cross_entropy(logits, targets, grad, row_weights, scale)


@pytest.mark.parametrize("kind", ["int32", "int64"])
@pytest.mark.parametrize("label", [10, -1, 2**31 - 1, -(2**31)])
def test_a_label_out_of_range_is_named(label, kind):
    """The row, the label and the classes; even in a row of weight 0, and at the very end."""
    batch = softmax_batch(2003, 10, kind=kind)
    for row in (2, 2002):
        targets = batch.targets.copy()
        targets[row] = label
        with refused(
            ValueError, rf"targets\[{row}\] is {label};.* 10 classes are 0 to 9", keep=[batch.x]
        ):
            softmax(batch.x, targets, batch.x, batch.weights)


def test_the_widest_labels_are_named_too():
    batch = softmax_batch(5, 10)
    for label in (2**63 - 1, -(2**63)):
        batch.targets[3] = label
        with refused(ValueError, rf"targets\[3\] is {label}", keep=[batch.x]):
            softmax(batch.x, batch.targets, batch.x)


BAD_SOFTMAX = {
    "logits of one dimension": ({"logits": np.ones(6)}, ValueError, r"logits has shape \(6,\)"),
    "integer logits": ({"logits": np.ones((6, 4), int)}, TypeError, "logits has dtype int64"),
    "half-precision logits": (
        {"logits": np.ones((6, 4), np.float16)},
        TypeError,
        "logits has dtype float16",
    ),
    "logits in Fortran order": (
        {"logits": np.asfortranarray(np.ones((6, 4)))},
        ValueError,
        "logits is not in C order",
    ),
    "strided logits": ({"logits": np.ones((6, 8))[:, ::2]}, ValueError, "logits is not dense"),
    "no classes": ({"logits": np.ones((6, 0))}, ValueError, r"logits has shape \(6, 0\)"),
    "a list": ({"logits": [[1.0]]}, TypeError, "logits must be an array"),
    "too few labels": ({"targets": np.zeros(5, int)}, ValueError, r"targets has shape \(5,\)"),
    "labels in a column": (
        {"targets": np.zeros((6, 1), int)},
        ValueError,
        r"targets has shape \(6, 1\)",
    ),
    "16-bit labels": ({"targets": np.zeros(6, np.int16)}, TypeError, "targets has dtype"),
    "strided labels": ({"targets": np.zeros(12, int)[::2]}, ValueError, "targets is not"),
    "misaligned labels": (
        {"targets": np.zeros(49, np.uint8)[1:].view(np.int64)},
        ValueError,
        "not aligned",
    ),
    "probabilities of another dtype": (
        {"targets": np.ones((6, 4), np.float32)},
        TypeError,
        "targets has dtype float32",
    ),
    "probabilities of another shape": (
        {"targets": np.ones((6, 5))},
        ValueError,
        r"targets has shape \(6, 5\)",
    ),
    "a gradient of another shape": (
        {"grad": np.ones((4, 6))},
        ValueError,
        r"grad has shape \(4, 6\)",
    ),
    "a gradient of another dtype": (
        {"grad": np.ones((6, 4), np.float32)},
        TypeError,
        "grad has dtype float32",
    ),
    "a gradient of another layout": (
        {"grad": np.asfortranarray(np.ones((6, 4)))},
        ValueError,
        "grad has strides",
    ),
    "a read-only gradient": (
        {"grad": read_only(np.ones((6, 4)))},
        ValueError,
        "grad is read-only",
    ),
    "too few weights": (
        {"row_weights": np.ones(5)},
        ValueError,
        r"row_weights has shape \(5,\)",
    ),
    "weights of another dtype": (
        {"row_weights": np.ones(6, np.float32)},
        TypeError,
        "row_weights has dtype float32",
    ),
    "a scale that is NaN": ({"scale": np.nan}, ValueError, "scale is nan"),
    "an infinite scale": ({"scale": -np.inf}, ValueError, "scale is -inf"),
}


@pytest.mark.parametrize("case", BAD_SOFTMAX)
def test_softmax_refuses(case):
    changes, error, message = BAD_SOFTMAX[case]
    good = {
        "logits": np.ones((6, 4)),
        "targets": np.array([0, 1, 2, 3, 0, 1]),
        "grad": np.ones((6, 4)),
    }
    arguments = {**good, **changes}
    with refused(error, message, keep=[arguments["grad"]]):
        softmax(**arguments)


def test_a_gradient_over_half_of_an_input_is_refused():
    room = np.ones(60)
    logits, grad = room[:24].reshape(6, 4), room[4:28].reshape(6, 4)
    labels = np.zeros(6, int)
    with refused(ValueError, "grad and logits overlap", keep=[room]):
        softmax(logits, labels, grad)
    with refused(ValueError, "grad and targets overlap", keep=[room]):
        softmax(np.ones((6, 4)), logits, grad)
    with refused(ValueError, "grad and targets overlap", keep=[room]):
        softmax(np.ones((6, 4)), room[6:12].view(np.int64), grad)
    with refused(ValueError, "grad and row_weights overlap", keep=[room]):
        softmax(np.ones((6, 4)), labels, grad, room[:6])


BAD_LOGISTIC = {
    "margins in a column": ({"margin": np.ones((6, 1))}, ValueError, r"margin has shape \(6, 1\)"),
    "half-precision margins": (
        {"margin": np.ones(6, np.float16)},
        TypeError,
        "margin has dtype float16",
    ),
    "integer targets": ({"targets": np.ones(6, int)}, TypeError, "targets has dtype int64"),
    "too few targets": ({"targets": np.ones(5)}, ValueError, r"targets has shape \(5,\)"),
    "a short gradient": ({"grad": np.ones(5)}, ValueError, r"grad has shape \(5,\)"),
    "too many weights": ({"row_weights": np.ones(7)}, ValueError, r"row_weights has shape \(7,\)"),
    "a scale that is NaN": ({"scale": np.nan}, ValueError, "scale is nan"),
}


@pytest.mark.parametrize("case", BAD_LOGISTIC)
def test_logistic_refuses(case):
    changes, error, message = BAD_LOGISTIC[case]
    good = {"margin": np.ones(6), "targets": np.full(6, 0.3), "grad": np.ones(6)}
    arguments = {**good, **changes}
    with refused(error, message, keep=[arguments["grad"]]):
        _core.logistic_loss(**arguments)


def test_a_logistic_gradient_over_its_targets_is_refused():
    batch = logistic_batch(37)
    with refused(ValueError, "grad and targets overlap", keep=[batch.targets]):
        _core.logistic_loss(batch.x, batch.targets, batch.targets)
