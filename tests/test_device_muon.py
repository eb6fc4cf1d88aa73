"""Muon on arrays in CUDA memory: the CPU's numbers, and directions left out of the clipping."""

from __future__ import annotations

from typing import Any

import device_library
import numpy as np
import proxstep as ps
import pytest
from cases import DTYPES, normal
from device import check_sentinels, on_device
from refusals import refused

pytestmark = pytest.mark.usefixtures("any_device")

SHAPES = [(12, 4), (4, 4), (5, 30), (30, 5), (7, 3), (40,)]
ADAM = ps.AdamW(0.11, eps=0.017, weight_decay=0.31)
MUON = ps.Muon(0.13, momentum=0.71, weight_decay=0.29, scale="rms")
FUSED = ps.Muon(0.17, momentum=0.83, nesterov=False, parts=3)
GLOBAL = ps.TopK(0.6, scope="global")
PENALTIES = {
    "elements": ([ps.L1(0.1)] * 6, {}),
    "groups": ([ps.Group(ps.L1(0.3), over="columns")] * 5 + [None], {}),
    "kept": ([GLOBAL] * 6, {}),
    "blocks": ([ps.NM(2, 4), ps.NM(1, 2), *[ps.Quantize(bits=2, rho=0.3)] * 3, None], {}),
    "masters": ([ps.L1(0.1)] * 6, {"master": True, "moments": "bfloat16"}),
}


def optimizer(arrays: Any, penalties: Any, options: Any) -> ps.Optimizer:
    rules = [FUSED, MUON, MUON, MUON, MUON, ADAM]
    groups = [
        {"params": [x], "rule": r, "penalty": h, "metric": "euclidean"}
        for x, r, h in zip(arrays, rules, penalties, strict=True)
    ]
    return ps.Optimizer(groups, ADAM, **options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", PENALTIES)
def test_steps_are_those_of_the_cpu(kind: str, dtype: str) -> None:
    """All kernels that step arrays, each with directions and, clipped, with gradients."""
    penalties, options = PENALTIES[kind]
    if "master" in options and dtype == "float64":
        options = {}
    params = [normal(s, dtype, seed=k) for k, s in enumerate(SHAPES)]
    there = [on_device(x) for x in params]
    cpu, gpu = optimizer(params, penalties, options), optimizer(there, penalties, options)
    for t in range(2):
        grads = [normal(s, dtype, seed=20 + 10 * t + k) for k, s in enumerate(SHAPES)]
        call = {"grad_scale": -0.7, "max_norm": 1.3, "stats": True}
        reads = device_library.Operators.reads
        got = gpu.step([on_device(g) for g in grads], **call)
        assert device_library.Operators.reads == reads
        want = cpu.step(grads, **call)
        np.testing.assert_allclose(got.grad_norm, 0.7 * ps.global_norm(grads[5:]), 1e-12)
        np.testing.assert_allclose(got.squared_change, want.squared_change, 1e-4)
    for a, b in zip(there, params, strict=True):
        scale = {"float64": 1e-12, "float32": 1e-5}.get(dtype, 0.02)
        np.testing.assert_allclose(a.host.astype(float), b.astype(float), scale, scale)
        check_sentinels(a.host)


def test_directions_do_not_make_a_graph() -> None:
    x = on_device(normal((4, 6), seed=1))
    with refused(ValueError, "capturable", "Muon"):
        ps.Optimizer([x], MUON, capturable=True)
