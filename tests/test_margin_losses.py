"""Losses of one margin a row, with two derivatives: right, consistent, the same on every path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reference_losses as ref
from cases import assert_same_bits
from loss_cases import DTYPES, EPS, MARGIN_SETTINGS, SCALE, Margins, margins, on_every_path
from proxstep import _core
from refusals import refused

names = pytest.mark.parametrize("name", sorted(_core.loss_names()))
dtypes = pytest.mark.parametrize("dtype", DTYPES)


def rounding(m: Margins, u: Any, t: Any) -> Any:
    """What one unit of rounding in the margin, the target and the slope's terms may change."""
    _, slope, bend = (np.abs(v) for v in ref.margin_loss(m.name, m.settings, u, t))
    return slope + np.abs(t) + bend * (np.abs(u) + np.abs(t))


def test_every_loss_has_an_oracle_line_and_settings():
    assert set(_core.loss_names()) == set(ref.MARGIN_LOSSES) == set(MARGIN_SETTINGS)


@names
@dtypes
@pytest.mark.parametrize("rows", [1, 15, 16, 17, 40_001])
def test_value_slope_and_bend_match_the_oracle(name, dtype, rows, isa):
    m = margins(name, rows, dtype)
    loss, grad, bend = m.run()
    value, slope, second = ref.margin_loss(name, m.settings, m.x, m.targets)
    w, eps = SCALE * m.weights.astype(ref.Extended), EPS[dtype]
    allowed = eps * w * rounding(m, m.x, m.targets)
    assert abs(loss - (w * value).sum()) <= 4 * eps * (w * value).sum() + allowed.sum() / rows
    assert (np.abs(grad - w * slope) <= 3 * allowed).all()
    assert (np.abs(bend - w * second) <= 6 * eps * w * second).all()


@names
@dtypes
def test_the_bits_are_the_same_on_every_path(name, dtype):
    m = margins(name, 70_003, dtype)
    first, *others = on_every_path(m.run)
    for loss, grad, bend in others:
        assert loss == first[0]
        assert_same_bits(grad, first[1])
        assert_same_bits(bend, first[2])


@names
def test_what_is_not_wanted_changes_nothing(name, isa):
    m = margins(name, 1003)
    loss, grad, _ = m.run()
    arrays = {"row_weights": m.weights, "scale": SCALE}
    assert _core.margin_loss(name, m.settings, m.x, m.targets, **arrays) == loss
    u = m.x.copy()
    assert _core.margin_loss(name, m.settings, u, m.targets, u, **arrays) == loss
    assert_same_bits(u, grad)
    ones = Margins(name, m.settings, m.x, m.targets, np.ones_like(m.x)).run()
    plain = Margins(name, m.settings, m.x, m.targets, None).run()
    assert ones[0] == plain[0]
    assert_same_bits(ones[2], plain[2])


def test_the_logistic_loss_is_one_of_them():
    m = margins("logistic", 1003)
    assert _core.logistic_loss(m.x, m.targets, None, m.weights, SCALE) == m.run()[0]


@names
def test_slopes_and_bends_are_derivatives(name):
    """Central differences, away from the kinks of Huber's slope."""
    m, h = margins(name, 200), 1e-5
    smooth = np.abs(np.abs(m.x - m.targets) - 1.7) > 2 * h
    up, down = (
        [Margins(name, m.settings, m.x[i : i + 1] + s, m.targets[i : i + 1], None).run() for i in
         range(200)] for s in (h, -h)
    )  # fmt: skip
    _, grad, bend = Margins(name, m.settings, m.x, m.targets, None).run(1.0)
    slopes = np.array([(a[0] - b[0]) / (2 * h * SCALE) for a, b in zip(up, down, strict=True)])
    bends = np.array([(a[1][0] - b[1][0]) / (2 * h * SCALE) for a, b in zip(up, down, strict=True)])
    np.testing.assert_allclose(grad, slopes, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(bend[smooth], bends[smooth], rtol=1e-7, atol=1e-7)


@names
@dtypes
@pytest.mark.parametrize("size", [40.0, 85.0, 1e4, 1e30, np.inf])
@pytest.mark.parametrize(("sign", "target"), [(1, 1.0), (-1, 0.0), (1, 0.0), (-1, 1.0)])
def test_far_margins_have_right_limits_and_no_nan(name, dtype, size, sign, target):
    """Overflow is infinity, and the bend is never negative."""
    u, t = np.array([sign * size], dtype), np.array([target], dtype)
    loss, grad, bend = Margins(name, MARGIN_SETTINGS[name], u, t, None).run(1.0)
    assert not np.isnan([loss, grad[0], bend[0]]).any()
    assert bend[0] >= 0
    if np.isfinite(size):
        with np.errstate(over="ignore", invalid="ignore"):
            want = np.array(ref.margin_loss(name, MARGIN_SETTINGS[name], u, t)).astype(dtype)
        want[0] = np.inf if np.isnan(want[0]) else want[0]  # the oracle's own inf - inf
        near = {"rtol": 100 * EPS[dtype], "atol": 2 * float(np.finfo(dtype).tiny)}
        np.testing.assert_allclose([[loss], grad, bend], want, **near)


@names
@dtypes
def test_nan_stays_and_a_row_of_weight_0_is_absent(name, dtype):
    m = margins(name, 37, dtype)
    loss, _, _ = m.run()
    m.x[2] = np.nan  # of weight 0
    again, grad, bend = m.run()
    assert (again, grad[2], bend[2]) == (loss, 0, 0)
    m.x[5] = np.nan
    loss, grad, _ = m.run()
    assert np.isnan(loss)
    assert np.isnan(grad[5])
    assert np.isfinite(np.delete(grad, 5)).all()


@dtypes
def test_exp_is_right_to_the_last_digit(dtype, isa):
    """The bend of Poisson's loss is e^u: over its whole range, below it 0 and above it infinity."""
    info = np.finfo(dtype)
    low, high = np.log(ref.Extended(info.tiny)), np.log(ref.Extended(info.max))
    u = np.concatenate([np.linspace(low, high, 200_003)[1:-1], np.linspace(-2, 2, 100_003)])
    u = u.astype(dtype)
    u = u[(u > low) & (u < high)]
    want = np.exp(u.astype(ref.Extended))
    zeros = np.zeros_like(u)
    _, _, found = Margins("poisson", [], u, zeros, None).run(1.0)
    units = np.abs(found - want) / np.spacing(want.astype(dtype)).astype(ref.Extended)
    assert units.max() <= 1.5
    beyond = np.array([high * 1.0001, low * 1.01, 0.0, -0.0], dtype)
    _, _, found = Margins("poisson", [], beyond, zeros[:4], None).run(1.0)
    np.testing.assert_array_equal(found, [np.inf, 0, 1, 1])


@dtypes
def test_the_poisson_loss_keeps_its_digits_at_the_best_margin(dtype):
    """It is t d^2 / 2 for a margin d from log t, however small d is; and never negative."""
    d = (10.0 ** -np.arange(3, 18)).astype(dtype)
    for u in (d, -d):
        rows = [slice(k, k + 1) for k in range(len(d))]
        found = [Margins("poisson", [], u[r], np.ones(1, dtype), None).run(1.0)[0] for r in rows]
        series = u.astype(float) ** 2 / 2 * (1 + u / 3 * (1 + u / 4 * (1 + u / 5 * (1 + u / 6))))
        np.testing.assert_allclose(found, series, rtol=16 * EPS[dtype])


BAD = {
    "an unknown loss": ({"name": "hinge"}, ValueError, "no loss 'hinge'"),
    "a missing setting": ({"name": "huber"}, ValueError, "huber takes 1 settings, got 0"),
    "margins in a column": ({"margin": np.ones((6, 1))}, ValueError, r"shape \(6, 1\)"),
    "half precision": ({"margin": np.ones(6, np.float16)}, TypeError, "dtype float16"),
    "integer targets": ({"targets": np.ones(6, int)}, TypeError, "targets has dtype int64"),
    "too few targets": ({"targets": np.ones(5)}, ValueError, r"targets has shape \(5,\)"),
    "a short gradient": ({"grad": np.ones(5)}, ValueError, r"grad has shape \(5,\)"),
    "bend alone": ({"grad": None, "bend": np.ones(6)}, ValueError, "grad is None"),
    "a short bend": ({"bend": np.ones(5)}, ValueError, r"bend has shape \(5,\)"),
    "a float32 bend": ({"bend": np.ones(6, np.float32)}, TypeError, "bend has dtype float32"),
    "too many weights": ({"row_weights": np.ones(7)}, ValueError, r"weights has shape \(7,\)"),
    "a scale that is NaN": ({"scale": np.nan}, ValueError, "scale is nan"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_refused(case):
    changes, error, message = BAD[case]
    good = {"name": "square", "settings": [], "margin": np.ones(6), "targets": np.full(6, 0.3)}
    with refused(error, message):
        _core.margin_loss(**{**good, "grad": np.ones(6), **changes})


@pytest.mark.parametrize("other", ["margin", "targets", "grad", "row_weights"])
def test_bends_over_another_array_are_refused(other):
    arrays = {k: np.full(6, 0.3) for k in ("margin", "targets", "grad", "row_weights")}
    with refused(ValueError, f"bend and {other} overlap", keep=list(arrays.values())):
        _core.margin_loss("square", [], **arrays, bend=arrays[other])
