"""Muon on single arrays: the oracle, torch, the laws of its direction, refusals."""

from __future__ import annotations

import re

import numpy as np
import proxstep as ps
import pytest
import reference as ref
import reference_muon as muon
from cases import DTYPES, EPS, NARROW, assert_same_bits, normal
from refusals import refused

SHAPES = [(7, 7), (5, 40), (40, 5), (12, 9), (1, 6), (6, 1)]
VARIANTS = [
    {},
    {"nesterov": False, "scale": "rms"},
    {"parts": 3, "scale": "rms"},
    {"iterations": 7, "momentum": 0.0},
    {"iterations": 1, "eps": 30.0},
]


def settings(change, shape, order):
    """Parts are blocks of rows in C order."""
    p = {**muon.SETTINGS, **change}
    return {**p, "parts": p["parts"] if order == "C" and shape[0] % p["parts"] == 0 else 1}


@pytest.mark.parametrize("change", VARIANTS, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_steps_follow_the_oracle(shape, order, dtype, change):
    """Elastic net after it; scaled gradients; tall, wide and square blocks, of every storage."""
    p = settings(change, shape, order)
    x = np.asarray(normal(shape, dtype, seed=1), order=order)
    r, h = ps.Muon(**p), {"l1": 0.11, "l2": 0.23}
    state, theirs, v = r.init(x), x.astype(float), np.zeros(shape)
    for t in range(1, 6):
        g = np.asarray(normal(shape, dtype, seed=10 + t), order=order)
        ps.step(x, g, r, ps.ElasticNet(**h), state, grad_scale=0.37)
        z, v = muon.point(theirs, 0.37 * g.astype(float), v, p)
        theirs = ref.prox("ElasticNet", h, z, p["lr"])
        assert state.step == t
        tolerance = {"float64": 1e-10, "float32": 2e-4}.get(dtype, 4 * EPS[dtype])
        np.testing.assert_allclose(x.astype(float), theirs, rtol=0, atol=tolerance)
        np.testing.assert_allclose(state.moments["velocity"], v, rtol=1e-5, atol=1e-5)
        theirs = x.astype(float)  # so that roundings of 16 bits do not add up


@pytest.mark.torch
@pytest.mark.parametrize("shape", [(24, 24), (12, 40), (40, 12)])
@pytest.mark.parametrize(
    ("scale", "adjust"), [("spectral", "original"), ("rms", "match_rms_adamw")]
)
def test_thirty_steps_follow_torch(shape, scale, adjust):
    """Whose products are bfloat16: an error of its last digits, times as many steps."""
    torch = pytest.importorskip("torch")
    common = {"lr": 0.013, "momentum": 0.71, "weight_decay": 0.29}
    start = normal(shape, "float32", seed=3)
    theirs = torch.from_numpy(start.copy()).requires_grad_()
    peer = torch.optim.Muon([theirs], adjust_lr_fn=adjust, **common)
    mine, r = start.copy(), ps.Muon(scale=scale, **common)
    state = r.init(mine)
    for t in range(30):
        g = normal(shape, "float32", seed=20 + t)
        theirs.grad = torch.from_numpy(g)
        peer.step()
        ps.step(mine, g, r, None, state)
    moved = np.abs(mine - start * (1 - 0.013 * 0.29) ** 30).max()
    assert np.abs(mine - theirs.detach().numpy()).max() < 0.02 * moved


def direction(g, **change):
    """What a first step of lr = 1 without decay moves by."""
    x = np.zeros_like(g)
    r = ps.Muon(1.0, **change)
    ps.step(x, g, r, None, r.init(x))
    return -x


@pytest.mark.parametrize("shape", [(60, 60), (33, 200), (200, 33)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_singular_values_lie_in_the_band_and_the_factor_is_orthogonal(shape, dtype):
    """What Jordan's coefficients promise after five iterations, for values from 0.01 on."""
    g = normal(shape, dtype, seed=4)
    left, s, right = np.linalg.svd(g.astype(float), full_matrices=False)
    s = np.geomspace(0.02, 1.0, s.size)
    found = direction(((left * s) @ right).astype(dtype)).astype(float)
    found = left.T @ found @ right.T / np.sqrt(max(1, shape[0] / shape[1]))
    np.testing.assert_allclose(
        found, np.diag(np.diag(found)), atol=1e-10 if dtype == "float64" else 2e-3
    )
    assert np.all((np.diag(found) > 0.67) & (np.diag(found) < 1.21))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_direction_has_no_scale_and_turns_with_its_gradient(shape):
    g = normal(shape, seed=5)
    want = direction(g)
    np.testing.assert_allclose(direction(3.7e4 * g), want, atol=1e-12)
    np.testing.assert_allclose(direction(-g), -want, atol=1e-12)
    spread = direction(g.T)
    ratio = np.sqrt(max(1, shape[1] / shape[0]) / max(1, shape[0] / shape[1]))
    np.testing.assert_allclose(spread.T, want * ratio, atol=1e-12)
    turn = np.linalg.qr(normal((shape[0], shape[0]), seed=6))[0]
    np.testing.assert_allclose(direction(turn @ g), turn @ want, atol=1e-11)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(6, 6), (3, 8), (8, 3)])
def test_a_zero_gradient_moves_nothing(dtype, shape):
    g = np.zeros(shape, normal(1, dtype).dtype)
    assert np.all(direction(g) == 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("shape", [(6, 6), (6, 16), (24, 5)])
def test_what_is_not_finite_shows_in_its_block_and_in_no_other(dtype, bad, shape):
    g, x = normal(shape, dtype, seed=7), normal(shape, dtype, seed=8)
    spoiled, dirty, rows = g.copy(), x.copy(), shape[0] // 3
    spoiled[rows, 2] = bad
    r = ps.Muon(0.11, parts=3)
    info = ps.step(dirty, spoiled, r, ps.L1(0.3), r.init(x), stats=True)
    ps.step(x, g, r, ps.L1(0.3), r.init(x))
    assert info.finite is False
    assert np.all(np.isnan(dirty[rows : 2 * rows].astype(float)))
    dirty[rows : 2 * rows] = x[rows : 2 * rows]
    assert_same_bits(dirty, x)


@pytest.mark.parametrize("dtype", NARROW)
def test_bits_are_as_good_as_their_numbers(dtype):
    """16-bit integers with a dtype, for NumPy without such a type."""
    x, g, r = normal((6, 4), dtype, seed=9), normal((6, 4), dtype, seed=10), ps.Muon(0.11)
    bits = x.view(np.uint16).copy()
    state = r.init(bits, dtype=dtype, moments="bfloat16")
    ps.step(bits, g.view(np.uint16), r, ps.L1(0.2), state, dtype=dtype)
    ps.step(x, g, r, ps.L1(0.2), r.init(x, moments="bfloat16"))
    assert_same_bits(bits.view(x.dtype), x)


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4), ()])
def test_what_is_no_matrix_is_refused(shape):
    with refused(ValueError, re.escape(str(shape)), "matrices"):
        ps.Muon(0.1).init(np.ones(shape))


def test_what_does_not_fit_is_refused_and_changes_nothing():
    x, g, r = normal((6, 4), seed=11), normal((6, 4), seed=12), ps.Muon(0.1)
    state = r.init(x)
    ps.step(x, g, r, None, state)
    v = state.moments["velocity"]
    for bad, error in ((g[:3], ValueError), (g.astype(np.float32), TypeError), (x, ValueError)):
        with refused(error, keep=[x, v]):
            ps.step(x, bad, r, None, state)
    with refused(ValueError, "blocks of 8", keep=[x, v]):
        ps.step(x, g, r, ps.NM(1, 8), state)
    with refused(ValueError, "lr", keep=[x, v]):
        ps.step(x, g, r, None, state, lr=-0.1)
    with refused(ValueError, "grad_scale", keep=[x, v]):
        ps.step(x, g, r, None, state, grad_scale=np.nan)
    with refused(ValueError, "state"):
        ps.step(x, g, r)
    with refused(ValueError, "4 parts", r"\(6, 4\)"):
        ps.Muon(0.1, parts=4).init(x)
    with refused(ValueError, "C order", "2 parts", keep=[x]):
        cut = ps.Muon(0.1, parts=2)
        ps.step(np.asfortranarray(x), np.asfortranarray(g), cut, None, cut.init(x.copy("F")))
    with refused(TypeError, "nesterov is 1"):
        ps.Muon(0.1, nesterov=1)
