"""Laws of the language model: its gradient, causality, symmetry, and what it leaves alone."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from lm_cases import make_model
from proxstep.lm import GPT, ModelConfig, Parameters, initialize
from proxstep.lm.parallel import Replicas
from proxstep.lm.parameters import weight_shapes


def numerical_gradient(model: GPT, view: Any, x: Any, y: Any) -> Any:
    flat, gradient, h = view.reshape(-1), np.empty(view.size), 1e-5
    for i, value in enumerate(flat.copy()):
        flat[i] = value + h
        above = model.loss(x, y)
        flat[i] = value - h
        gradient[i] = (above - model.loss(x, y)) / (2 * h)
        flat[i] = value
    return gradient.reshape(view.shape)


@pytest.mark.parametrize("tied", [True, False])
def test_gradient_of_every_weight_is_the_slope_of_the_loss(tied: bool) -> None:
    model, x, y = make_model(tied=tied)
    model.loss_and_gradient(x, y)
    for name, view in model.weights.items():
        gradient = model.gradients[name].copy()
        slope = numerical_gradient(model, view, x, y)
        np.testing.assert_allclose(gradient, slope, atol=1e-8, err_msg=name)


def test_logits_do_not_depend_on_the_future() -> None:
    model, x, _ = make_model()
    before = model.forward(x).reshape(3, 5, -1).copy()
    x[:, 3] = (x[:, 3] + 1) % model.config.vocabulary
    after = model.forward(x).reshape(3, 5, -1)
    np.testing.assert_array_equal(after[:, :3], before[:, :3])
    assert (np.abs(after - before)[:, 3:].max(axis=-1) > 1e-6).all()


def test_sequences_do_not_see_each_other() -> None:
    model, x, _ = make_model()
    together = model.forward(x).reshape(3, 5, -1).copy()
    for i in range(3):
        np.testing.assert_allclose(model.forward(x[i : i + 1]), together[i], atol=1e-12)


def test_a_forward_pass_leaves_the_weights_alone() -> None:
    model, x, y = make_model()
    before = model.weights.flat.copy()
    model.loss_and_gradient(x, y)
    np.testing.assert_array_equal(model.weights.flat, before)


def test_scale_multiplies_loss_and_gradient() -> None:
    model, x, y = make_model()
    loss = model.loss_and_gradient(x, y)
    gradient = model.gradients.flat.copy()
    assert model.loss_and_gradient(x, y, 0.3) == pytest.approx(0.3 * x.size * loss)
    np.testing.assert_allclose(model.gradients.flat, 0.3 * x.size * gradient, atol=1e-12)


def test_a_second_step_repeats_the_first_and_allocates_nothing_large() -> None:
    model, x, y = make_model(channels=32, dtype="float32")
    first, gradient = model.loss_and_gradient(x, y), model.gradients.flat.copy()
    tracemalloc.start()
    assert model.loss_and_gradient(x, y) == first
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(model.gradients.flat, gradient)
    assert peak < 30_000  # views and numbers; the activations alone take 200 000 bytes


def test_positions_beyond_the_batch_get_no_gradient() -> None:
    model, x, y = make_model()
    model.gradients.flat.fill(7)
    model.loss_and_gradient(x, y)
    assert (model.gradients["position_embedding"][5:] == 0).all()


def test_nan_reaches_the_loss() -> None:
    model, x, y = make_model()
    model.weights["blocks.0.up"][1, 2] = np.nan
    assert np.isnan(model.loss(x, y))


@pytest.mark.parametrize("count", [2, 3, 7])
def test_replicas_give_the_same_loss_and_gradient(count: int) -> None:
    model, x, y = make_model()
    loss = model.loss_and_gradient(x, y)
    replicas = Replicas(model.weights, count)
    for _ in range(2):
        assert replicas.loss_and_gradient(x, y) == pytest.approx(loss, rel=1e-12)
        np.testing.assert_allclose(replicas.gradients.flat, model.gradients.flat, atol=1e-13)
    assert replicas.loss(x, y) == pytest.approx(loss, rel=1e-12)


def test_replicas_repeat_their_bits() -> None:
    model, x, y = make_model(dtype="float32", channels=64)
    replicas = Replicas(model.weights, 2)
    results = set()
    for _ in range(10):
        loss = replicas.loss_and_gradient(x, y)
        results.add((loss, replicas.gradients.flat.tobytes()))
    assert len(results) == 1


def test_replicas_do_without_threadpoolctl(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, y = make_model(dtype="float32")
    expected = Replicas(model.weights, 2).loss_and_gradient(x, y)
    monkeypatch.setattr("proxstep.blas._controller", lambda: None)
    assert Replicas(model.weights, 2).loss_and_gradient(x, y) == pytest.approx(expected, rel=1e-6)


class StrictNamespace:
    """The functions that CuPy shares with NumPy and that the model may use, and no other."""

    names = (
        *("arange", "asarray", "divide", "dtype", "empty", "exp", "inf", "matmul", "max"),
        *("multiply", "ones", "reciprocal", "sqrt", "subtract", "sum", "take", "tanh", "where"),
        "zeros",
    )

    def __getattr__(self, name: str) -> Any:
        assert name in self.names, f"the model uses xp.{name}"
        return getattr(np, name)


def test_the_model_asks_its_namespace_for_little() -> None:
    model, x, y = make_model(xp=StrictNamespace())
    plain, _, _ = make_model()
    assert model.loss_and_gradient(x, y) == pytest.approx(plain.loss_and_gradient(x, y), rel=1e-13)
    np.testing.assert_allclose(model.gradients.flat, plain.gradients.flat, atol=1e-13)


def test_weights_and_gradients_are_views_of_one_buffer() -> None:
    weights = Parameters(ModelConfig(vocabulary=11, tied=False))
    assert sum(view.size for _, view in weights.items()) == weights.flat.size
    assert sum(view.size for _, view in weights.items() if view.ndim == 2) == weights.matrices.size
    for view in map(weights.__getitem__, weights):
        assert np.shares_memory(view, weights.flat)
        assert view.flags.c_contiguous


def test_the_start_has_the_stated_spread() -> None:
    weights = Parameters(ModelConfig(vocabulary=50, layers=3))
    initialize(weights, np.random.default_rng(5))
    for name, view in weights.items():
        if view.ndim == 1:
            assert (view == 1).all()
            continue
        expected = 0.02 / np.sqrt(6) if name.endswith((".projection", ".down")) else 0.02
        assert view.std() == pytest.approx(expected, rel=0.05), name


def test_a_tied_model_has_one_embedding() -> None:
    tied, untied = (weight_shapes(ModelConfig(vocabulary=9, tied=tied)) for tied in (True, False))
    assert set(untied) - set(tied) == {"head"}


def test_loading_checks_everything_before_it_writes() -> None:
    model, _, _ = make_model()
    before = model.weights.flat.copy()
    arrays = {name: np.ones_like(view) for name, view in model.weights.items()}
    with pytest.raises(ValueError, match=r"weight 'norm' has shape \(3,\), the model has \(8,\)"):
        model.weights.load({**arrays, "norm": np.ones(3)})
    with pytest.raises(ValueError, match="weight 'norm' is missing"):
        model.weights.load({k: v for k, v in arrays.items() if k != "norm"})
    np.testing.assert_array_equal(model.weights.flat, before)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("heads", 3, "channels=8 is not a multiple of heads=3"),
        ("layers", 0, "layers=0 is below 1"),
        ("context", 2.5, "context=2.5 is not a whole number"),
        ("channels", True, "channels=True is not a whole number"),
    ],
)
def test_bad_sizes_are_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_model(**{name: value})
