"""Quantising beside torchao's PARQ, where both define the same; skipped where that is absent."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
from cases import normal

torch = pytest.importorskip("torch")
optim = pytest.importorskip("torchao.prototype.parq.optim")
quant = pytest.importorskip("torchao.prototype.parq.quant")
schedules = pytest.importorskip("torchao.prototype.parq.optim.parq")

START, END = 10, 90
anneal = ps.schedules.Anneal(START, END, steepness=10.0)
each_rows = pytest.mark.parametrize("over", [None, "rows"])
EPS = 2.0**-52


def theirs(z: Any, quantizer: Any, bits: int, over: Any, update: int) -> Any:
    p = torch.tensor(z)
    dim = -1 if over else None
    q, levels = quantizer.quantize(p, bits, dim=dim)
    optim.ProxPARQ(START, END).apply_(p, q, levels, update, dim=dim)
    return p.numpy()


@pytest.mark.parametrize("update", [11, 37, 50, 71, 89])
def test_the_schedule(update: int) -> None:
    wanted = schedules.normalized_mirror_sigmoid(update, START, END, 10.0, 0.5)
    assert anneal(update) == pytest.approx(wanted, rel=1e-13)


@each_rows
@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("scale", ["max", "mean"])
@pytest.mark.parametrize("update", [3, 37, 60, 89, 90])
def test_uniform_levels(update: int, scale: str, bits: int, over: Any) -> None:
    """Integers without the lowest. Their levels are a bound of so many units apart, ours exact."""
    z = normal((7, 96), seed=350)
    h = ps.Quantize(bits, over=over, scale="absmax" if scale == "max" else scale, rho=anneal)
    wanted = theirs(z, quant.MaxUnifQuantizer(scale_method=scale), bits, over, update)
    slack = 64 * EPS * 2**bits / max(anneal(update), 1e-9 if update < END else 1)
    np.testing.assert_allclose(ps.prox(z, h.at(update)), wanted, rtol=0, atol=max(slack, 1e-14))


@each_rows
@pytest.mark.parametrize("update", [3, 37, 60, 89, 90])
def test_one_bit_is_the_least_squares_fit(update: int, over: Any) -> None:
    z = normal((7, 96), seed=351)
    h = ps.Quantize(1, over=over, scale="mean", rho=anneal)
    wanted = theirs(z, quant.LSBQuantizer(), 1, over, update)
    np.testing.assert_allclose(ps.prox(z, h.at(update)), wanted, rtol=1e-13)


@pytest.mark.parametrize("update", [37, 60, 89, 90])
def test_any_levels(update: int) -> None:
    z, r = normal(300, seed=352), np.array([-1.5, -0.25, 0.0, 0.75, 2.5])
    p = torch.tensor(z)
    optim.ProxPARQ(START, END).apply_(p, None, torch.tensor(0.7 * r), update)
    h = ps.Quantize(levels=r, scale=0.7, rho=anneal)
    np.testing.assert_allclose(ps.prox(z, h.at(update)), p.numpy(), rtol=0, atol=1e-13)
