"""The fused losses, value and gradient, beside NumPy, SciPy and torch in one run.

Bytes that must move: the logits are read and the gradient is written, once each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import proxstep as ps
import pytest
from proxstep import _core

# Digits, a batch of the character model, bytes at length, and GPT-2's vocabulary.
SHAPES = [(60_000, 10), (768, 65), (6_144, 256), (256, 50_257)]
MARGINS = 1_000_000


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = ps.get_num_threads()
    ps.set_num_threads(request.param)
    yield request.param
    ps.set_num_threads(before)


@pytest.fixture(params=SHAPES, ids=lambda shape: f"{shape[0]}x{shape[1]}")
def batch(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    rows, classes = request.param
    rng = np.random.default_rng(7)
    logits = 3 * rng.standard_normal((rows, classes), dtype=np.float32)
    return logits, rng.integers(0, classes, rows)


@pytest.fixture
def margins() -> tuple[Any, Any]:
    rng = np.random.default_rng(7)
    u = 3 * rng.standard_normal(MARGINS, dtype=np.float32)
    return u, rng.integers(0, 2, MARGINS).astype(np.float32)


def measure(benchmark: Any, run: Callable[[], Any], x: Any, what: str) -> None:
    benchmark.group = f"{what} {'x'.join(map(str, x.shape))} float32"
    benchmark(run)
    seconds = benchmark.stats.stats.median if benchmark.stats else np.nan
    benchmark.extra_info["ns_per_row"] = 1e9 * seconds / len(x)
    benchmark.extra_info["gb_per_s"] = 2e-9 * x.nbytes / seconds


def test_softmax_proxstep(benchmark, batch, threads):
    logits, labels = batch
    grad = np.empty_like(logits)
    measure(
        benchmark,
        lambda: _core.softmax_cross_entropy(logits, labels, grad, None, 1 / len(labels)),
        logits,
        "softmax",
    )


def test_softmax_proxstep_in_place(benchmark, batch, threads):
    """The logits become the gradient, and the gradient the next call's logits."""
    logits, labels = batch
    measure(
        benchmark,
        lambda: _core.softmax_cross_entropy(logits, labels, logits, None, 1.0),
        logits,
        "softmax",
    )


def test_softmax_numpy(benchmark, batch):
    logits, labels = batch
    rows = np.arange(len(labels))

    def run() -> Any:
        shifted = logits - logits.max(axis=1, keepdims=True)
        e = np.exp(shifted)
        total = e.sum(axis=1, keepdims=True)
        loss = np.mean(np.log(total[:, 0]) - shifted[rows, labels])
        e /= total
        e[rows, labels] -= 1
        e /= len(labels)
        return loss, e

    measure(benchmark, run, logits, "softmax")


def test_softmax_scipy(benchmark, batch):
    special = pytest.importorskip("scipy.special")
    logits, labels = batch
    rows = np.arange(len(labels))

    def run() -> Any:
        log_p = special.log_softmax(logits, axis=1)
        gradient = np.exp(log_p)
        gradient[rows, labels] -= 1
        gradient /= len(labels)
        return -log_p[rows, labels].mean(), gradient

    measure(benchmark, run, logits, "softmax")


@pytest.fixture
def torch(threads: int) -> Iterator[Any]:
    library = pytest.importorskip("torch")
    before = library.get_num_threads()
    library.set_num_threads(threads)
    yield library
    library.set_num_threads(before)


def test_softmax_torch(benchmark, batch, torch):
    logits = torch.from_numpy(batch[0]).requires_grad_()
    labels = torch.from_numpy(batch[1])

    def run() -> Any:
        logits.grad = None
        loss = torch.nn.functional.cross_entropy(logits, labels)
        loss.backward()
        return loss

    measure(benchmark, run, batch[0], "softmax")


def test_logistic_proxstep(benchmark, margins, threads):
    u, t = margins
    grad = np.empty_like(u)
    measure(benchmark, lambda: _core.logistic_loss(u, t, grad, None, 1 / MARGINS), u, "logistic")


def test_logistic_numpy(benchmark, margins):
    u, t = margins

    def run() -> Any:
        return np.mean(np.logaddexp(0, u) - t * u), (1 / (1 + np.exp(-u)) - t) / MARGINS

    measure(benchmark, run, u, "logistic")


def test_logistic_torch(benchmark, margins, torch):
    u = torch.from_numpy(margins[0]).requires_grad_()
    t = torch.from_numpy(margins[1])

    def run() -> Any:
        u.grad = None
        loss = torch.nn.functional.binary_cross_entropy_with_logits(u, t)
        loss.backward()
        return loss

    measure(benchmark, run, margins[0], "logistic")
