"""Every kernel, launched by small arrays and held to the CPU: what a GPU's checkers of memory and
races run, and what compiles all of CuPy's kernels, each once.

The laws are in the other files; here nothing may be left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import device
import numpy as np
import proxstep as ps
import pytest
from cases import DTYPES, EPS, RULE_CASES, compute_dtype, normal, rule
from device import check_sentinels, on_device
from device_groups import Pair
from proxstep import _core

pytestmark = pytest.mark.usefixtures("any_device")

FEW, MANY = 1, 5  # arrays, for the smaller and the larger table of a kernel
BLOCK, LABELS = 32769, 5000  # more than a block projects, more than one checks
COMPUTE = DTYPES[:2]
LONG = {"float64": 4097, "float32": 16385, "bfloat16": 16385, "float16": 16385}  # to quantize
ADAM = ps.AdamW(0.11, eps=0.017, weight_decay=0.31)
# By the layout of the arrays: x, gradient, moments.
LAYOUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "narrow moments": ("float32", {"moments": "bfloat16"}),
    "bfloat16": ("bfloat16", {"rounding": "stochastic"}),
    "float16": ("float16", {"rounding": "stochastic"}),
    "bfloat16 master": ("bfloat16", {"master": True}),
    "float16 master": ("float16", {"master": True}),
}
PENALTIES = {
    "groups": ps.Group(ps.L1(0.3), over="rows"),
    "2:4": ps.NM(2, 4),
    "levels": ps.Quantize(3, rho=0.2),
    "kept": ps.TopK(0.6, scope="global"),
}
Case = Callable[[], None]


def stepped(shapes: Any, dtype: str, h: Any, r: ps.Rule = ADAM, **options: Any) -> None:
    """Two steps of an optimizer over arrays of these shapes."""
    arrays = [normal(shape, dtype, seed=k) for k, shape in enumerate(shapes)]
    pair = Pair([{"params": arrays, "penalty": h, "rule": r}], **options)
    pair.step()
    pair.step(seed=84, stats=True)
    pair.check()


def steps(name: str, dtype: str, count: int) -> None:
    stepped([30 + k for k in range(count)], dtype, ps.L1(0.1), rule(name, dict(RULE_CASES)[name]))


def penalised(name: str, dtype: str, count: int, **options: Any) -> None:
    shapes: list[Any] = [(3, 8)] * count
    shapes[0] = (1, LONG[dtype] + 3) if name == "levels" else shapes[0]  # whole groups of 4
    stepped(shapes, dtype, PENALTIES[name], **options)


def captured(h: Any, dtype: str) -> None:
    """Rates, the step count and the norm on the device."""
    x, g = normal(50, dtype, seed=1), normal(50, dtype, seed=2)
    there = on_device(x)
    gpu = ps.Optimizer([there], ADAM, h, capturable=True)
    gpu.step([on_device(g)], max_norm=0.7)
    ps.Optimizer([x], ADAM, h).step([g], max_norm=0.7)
    size = 8 * max(EPS[dtype], 1e-6)
    np.testing.assert_allclose(there.host.astype(float), x.astype(float), size, size)
    check_sentinels(there.host)


def prox(h: Any, dtype: str, shape: Any) -> None:
    """By one step and, where elements have their own, by those."""
    z = normal(shape, dtype, seed=3)
    steps = [0.7, normal(shape, str(compute_dtype(dtype)), seed=4) ** 2]
    for step in steps[: 1 + isinstance(h, ps.L1)]:
        out = on_device(np.zeros_like(z))
        ps.prox(on_device(z), h, step if step is steps[0] else on_device(step), out=out)
        want, size = ps.prox(z, h, step).astype(float), EPS[dtype] + 1e-12
        np.testing.assert_allclose(out.host.astype(float), want, size, size)
        check_sentinels(out.host)
        np.testing.assert_allclose(h.value(out), h.value(out.host), 1e-5)


def same(run: Callable[[Any], tuple[Any, ...]]) -> None:
    """What `run` makes of arrays that a function places, there and here."""
    for got, want in zip(run(on_device), run(np.copy), strict=True):
        size = 100 * EPS[str(want.dtype)]
        np.testing.assert_allclose(got.host, want, size, size)
        check_sentinels(got.host)


def norms(dtype: str) -> None:
    def run(place: Any) -> tuple[Any, ...]:
        x, dy, dx = (place(normal((7, 33), dtype, seed=k)) for k in range(3))
        gain, dgain = place(normal(33, dtype, seed=9)), place(np.zeros(33, dtype))
        unit, y, scale = (place(np.zeros(s, dtype)) for s in ((7, 33), (7, 33), 7))
        _core.norm_forward(x, gain, unit, scale, y, place(normal((7, 33), dtype, seed=4)))
        _core.norm_backward(dy, gain, unit, scale, dgain, dx)
        return x, y, dx, dgain

    same(run)


def gelu(dtype: str) -> None:
    def run(place: Any) -> tuple[Any, ...]:
        x, y, dy = (place(normal((7, 33), dtype, seed=k)) for k in range(3))
        _core.gelu_forward(x, y)
        _core.gelu_backward(x, dy)
        return y, dy

    same(run)


def attention(dtype: str) -> None:
    def run(place: Any) -> tuple[Any, ...]:
        qkv = place(normal((2 * 35, 3 * 2 * 20), dtype, seed=1))
        d_o, o = place(normal((70, 40), dtype, seed=2)), place(np.zeros((70, 40), dtype))
        d_qkv, kept = place(np.zeros((70, 120), dtype)), place(np.zeros(2 * 2 * 70, dtype))
        scratch = place(np.zeros(_core.attention_scratch(qkv, 2, 2), dtype))
        _core.attention_forward(qkv, o, kept, scratch, 2, 2)
        _core.attention_backward(d_o, o, qkv, kept, d_qkv, scratch, 2, 2)
        return o, d_qkv

    same(run)


def losses(dtype: str, rows: int, classes: int) -> None:
    labels = np.arange(rows) % max(classes, 2)
    targets = labels if classes > 1 else labels.astype(dtype)

    def run(place: Any) -> tuple[Any, ...]:
        x = place(normal((rows, classes) if classes > 1 else rows, dtype, seed=1))
        grad = place(np.zeros(x.shape, dtype))
        loss = _core.softmax_cross_entropy if classes > 1 else _core.logistic_loss
        value = loss(x, place(targets), grad)
        return place(np.array([value], dtype)), grad

    same(run)


def cases() -> dict[str, Case]:
    """All, by what they launch."""
    found: dict[str, Case] = {}
    for dtype in DTYPES:
        for count in (FEW, MANY):
            for name in dict(RULE_CASES):
                found[f"{name}, {dtype}, {count}"] = partial(steps, name, dtype, count)
            for name in PENALTIES:
                found[f"{name}, {dtype}, {count}"] = partial(penalised, name, dtype, count)
        for h in (ps.L1(0.1), ps.TopK(0.6)):
            found[f"captured {type(h).__name__}, {dtype}"] = partial(captured, h, dtype)
        for h in (ps.L1(0.4), PENALTIES["groups"], ps.NM(2, 4)):
            found[f"prox of {type(h).__name__}, {dtype}"] = partial(prox, h, dtype, (5, 32))
        for h in (ps.L1Ball(0.9, "rows"), ps.TopK(7, "rows")):
            for shape in ((9, 33), (3, 700), (1, BLOCK)):
                key = f"{type(h).__name__}, {dtype}, {shape}"
                found[key] = partial(prox, h, dtype, shape)
    for name, (dtype, options) in LAYOUTS.items():
        for count in (FEW, MANY):
            shapes = [30 + k for k in range(count)]
            key = f"{name}, {count}"
            found[key] = partial(stepped, shapes, dtype, ps.L1(0.1), seed=7, **options)
        for kind in PENALTIES:
            found[f"{name}, {kind}"] = partial(penalised, kind, dtype, MANY, seed=7, **options)
    for dtype in COMPUTE:
        for layer in (norms, gelu, attention):
            found[f"{layer.__name__}, {dtype}"] = partial(layer, dtype)
        for shape in ((37, 1), (37, 10), (5, 1500), (LABELS, 2)):
            found[f"loss, {dtype}, {shape}"] = partial(losses, dtype, *shape)
    return found


CASES = cases()


@pytest.mark.parametrize("name", CASES)
def test_it_agrees_with_the_cpu(name: str) -> None:
    CASES[name]()


def test_together_they_launch_every_kernel(emulation: Any) -> None:
    device.launched_kernels(emulation)  # those before
    for case in CASES.values():
        case()
    assert device.launched_kernels(emulation) == set(device.kernel_names(emulation))
