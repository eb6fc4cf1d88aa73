"""Quantising of arrays in CUDA memory: the bits of the CPU, without a device.

A scale by the mean is a sum in another order: what is stored agrees within a few units of rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
from cases import EPS, RULE_CASES, assert_same_bits, normal, numpy_dtype, rule
from device import check_sentinels, on_device
from device_groups import Pair, assert_close, assert_same_statistics, each_dtype, odd_place
from nm_cases import steps_like
from quantize_cases import LEVELS, NF4, scales_given
from refusals import refused

pytestmark = pytest.mark.usefixtures("any_device")

NAN, INF = float("nan"), float("inf")
WHOLE = np.random.default_rng(400).uniform(-2, 2, 256)
WHOLE.sort()
# Groups of a lane, of some lanes, of a warp and of a block; of one element; that no pack divides.
CUTS: list[tuple[tuple[int, ...], Any]] = [
    ((13,), None),
    ((700,), None),
    ((5, 1031), None),
    ((301,), 1),
    ((9, 1), "rows"),
    ((7, 43), 7),
    ((260, 2, 5), "rows"),
    ((37, 97), "rows"),
    ((3, 1301), "rows"),
    ((8, 512), 32),
]
each_cut = pytest.mark.parametrize(("shape", "over"), CUTS, ids=str)
each_rho = pytest.mark.parametrize("rho", [0.0, 0.3, 0.999, 1.0])
each_place = pytest.mark.parametrize("move", [on_device, odd_place])


def groups(shape: tuple[int, ...], over: Any) -> int:
    n = int(np.prod(shape))
    return 1 if over is None else shape[0] if over == "rows" else n // over


def penalties(shape: tuple[int, ...], over: Any, rho: float) -> list[Any]:
    """Integers and tables, scales of every kind."""
    given = scales_given(over, groups(shape, over))
    return [
        ps.Quantize(2, over=over, rho=rho),
        ps.Quantize(1, over=over, scale="mean", rho=rho),
        ps.Quantize(5, over=over, scale=given, rho=rho),
        ps.Quantize(levels=NF4, over=over, rho=rho),
        ps.Quantize(levels=(-1.5, 0.0, 0.4), over=over, scale=given, rho=rho),
    ]


def check_same(got: Any, want: Any, h: Any, what: str = "") -> None:
    if isinstance(h.scale, str) and h.scale == "mean":
        assert_close(got, want, what, units=16)  # a mean of many, whose terms Lion makes alike
    else:
        assert_same_bits(got, want, what)


def check_pair(pair: Pair, hs: list[Any]) -> None:
    for k, (got, want, h) in enumerate(zip(pair.there, pair.here, hs, strict=True)):
        check_same(got.host, want, h, f"array {k} of shape {want.shape} by {h}")
        check_sentinels(got.host)
    for key, want in pair.cpu.state_dict().items():
        if key.endswith(".y"):  # holds the new x
            check_same(pair.gpu.state_dict()[key].host, want, hs[int(key.split(".")[0])], key)
        elif key != "steps":
            assert_same_bits(pair.gpu.state_dict()[key].host, want, key)


@each_dtype
@pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
@pytest.mark.parametrize(("rule_name", "r"), RULE_CASES)
def test_every_rule(rule_name: str, r: Any, metric: Any, dtype: str) -> None:
    """Settings and cuts differ from array to array; the launch is one."""
    hs = [
        penalties(shape, over, (0.0, 0.3)[k % 2])[k % 5] for k, (shape, over) in enumerate(CUTS[1:])
    ]
    members = [
        {
            "params": [normal(shape, dtype, seed=401 + k)],
            "penalty": h,
            "rule": rule(rule_name, r),
            "metric": metric,
        }
        for k, (h, (shape, _)) in enumerate(zip(hs, CUTS[1:], strict=True))
    ]
    pair = Pair(members)
    got, want = pair.step(stats=True)
    check_pair(pair, hs)
    assert_same_statistics(got, want, dtype)


@each_dtype
@each_place
@each_rho
@each_cut
def test_a_prox_alone(shape: Any, over: Any, rho: float, move: Any, dtype: str) -> None:
    """Into an array that is not read; in place; steps do not enter."""
    z = normal(shape, dtype, seed=410)
    for h in penalties(shape, over, rho):
        there, out = move(z), move(np.full_like(z, np.nan))
        ps.prox(there, h, move(steps_like(z, 411)), out=out)
        check_same(out.host, ps.prox(z, h), h)
        assert_same_bits(there.host, z, "the input stays")
        check_sentinels(out.host)
        ps.prox(there, h, 0.83, out=there)
        assert_same_bits(there.host, out.host, "in place")
        check_sentinels(there.host)


@each_dtype
@pytest.mark.parametrize("rho", [0.0, 0.01, 0.5])
@pytest.mark.parametrize("levels", [*LEVELS, {"levels": tuple(WHOLE)}], ids=range(len(LEVELS) + 1))
def test_all_levels(levels: Any, rho: float, dtype: str) -> None:
    z = normal((11, 120), dtype, seed=412)
    z.reshape(-1)[::7] = np.round(z.reshape(-1)[::7].astype(float), 1)  # ties
    for over, scale in (("rows", "absmax"), (None, 0.25), (8, "absmax")):
        h = ps.Quantize(**levels, over=over, scale=scale, rho=rho)
        assert_same_bits(ps.prox(on_device(z), h).host, ps.prox(z, h))


LONG = {"float64": 4096, "float32": 16384, "bfloat16": 16384, "float16": 16384}


@each_dtype
@each_place
@pytest.mark.parametrize("beyond", [0, 1, 4095, 4103])
def test_a_group_that_several_blocks_share(beyond: int, move: Any, dtype: str) -> None:
    n = LONG[dtype] + beyond
    for shape, over in (((n,), None), ((2, n), "rows")):
        z = normal(shape, dtype, seed=413)
        z.reshape(-1)[-1] = -9.0  # the largest is the last element
        for h in penalties(shape, over, 0.2):
            out = move(np.full_like(z, np.nan))
            ps.prox(move(z), h, out=out)
            check_same(out.host, ps.prox(z, h), h, str(h))
            check_sentinels(out.host)


@each_dtype
def test_launches(emulation: Any, dtype: str) -> None:
    """A scale that several blocks find takes a launch of its own, and none where it is given."""
    for beyond, rho in ((0, 0.3), (1, 0.3), (1, 1.0)):
        z = on_device(normal(LONG[dtype] + beyond, dtype, seed=443))
        for scale in ("absmax", "mean", 0.3):
            before = emulation.launches()
            ps.prox(z, ps.Quantize(3, scale=scale, rho=rho))
            found = isinstance(scale, str) and beyond > 0 and rho < 1
            assert emulation.launches() - before == 1 + found


@pytest.mark.parametrize("scale", ["absmax", "mean"])
def test_a_group_of_more_than_all_pieces(scale: Any) -> None:
    """Beyond 1024 pieces these become longer."""
    z = normal(1024 * 1024 + 7, seed=414)
    z[-3] = 11.0
    h = ps.Quantize(4, scale=scale, rho=0.3)
    there = on_device(z)
    ps.prox(there, h, out=there)
    check_same(there.host, ps.prox(z, h), h)
    check_sentinels(there.host)


@each_dtype
@pytest.mark.parametrize(("rule_name", "r"), RULE_CASES[::3])
def test_steps_of_long_groups(rule_name: str, r: Any, dtype: str) -> None:
    """Beside short ones; both passes clip (in float64 the norm's last bit would show)."""
    n = LONG[dtype] + 1003
    shapes = [(n,), (40, 33), (2, n), (n + 1,)]
    hs = [
        ps.Quantize(4),
        ps.Quantize(3, over="rows", rho=0.1),
        ps.Quantize(levels=NF4, over="rows", rho=0.4),
        ps.Quantize(1, scale="mean"),
    ]
    members = [
        {
            "params": [normal(shape, dtype, seed=415 + k)],
            "penalty": h,
            "rule": rule(rule_name, r),
        }
        for k, (h, shape) in enumerate(zip(hs, shapes, strict=True))
    ]
    pair = Pair(members)
    got, want = pair.step(stats=True, max_norm=None if dtype == "float64" else 40.0)
    check_pair(pair, hs)
    assert_same_statistics(got, want, dtype)


@each_dtype
@pytest.mark.parametrize("shape", [(6, 40), (3, 700), (1, 17001)], ids=str)
def test_what_is_not_finite(shape: Any, dtype: str) -> None:
    """A group without a scale is NaN, one of zeros stays; given scales of zero."""
    z = normal(shape, dtype, seed=416)
    odd = (NAN, INF, -INF, 0.0)
    for k, value in enumerate(odd[: len(z)]):
        z[k, (7 * k + 3) % shape[1]] = value
    z[-1] = 0.0 if len(z) > 1 else z[-1]
    for over in ("rows", None):
        for rho in (0.0, 0.3, 1.0):
            for h in penalties(shape, over, rho):
                check_same(ps.prox(on_device(z), h).host, ps.prox(z, h), h, str(h))


@each_dtype
def test_tiny_numbers(any_device: str, dtype: str) -> None:
    """Below the smallest normal ones of float32, which CuPy's compiler takes for zeros."""
    if any_device == "cupy":
        pytest.skip("CuPy's compiler takes them for zeros: docs/cuda.md says so")
    z = normal((5, 40), "float64", seed=444) * (6e-8 if dtype == "float16" else 1e-38)
    for over in ("rows", None):
        for rho in (0.0, 0.2):
            h, tiny = ps.Quantize(3, over=over, rho=rho), z.astype(numpy_dtype(dtype))
            assert_same_bits(ps.prox(on_device(tiny), h).host, ps.prox(tiny, h))


@each_dtype
@each_rho
@pytest.mark.parametrize(
    ("shape", "over"), [*CUTS[::2], ((2, 17001), "rows"), ((17001,), None)], ids=str
)
def test_the_value(shape: Any, over: Any, rho: float, dtype: str) -> None:
    """Of x as it is, which nothing is written to."""
    z = normal(shape, dtype, seed=417)
    for h in penalties(shape, over, rho):
        # On levels of a mean the last bit of a sum would decide between 0 and infinity.
        by_mean = isinstance(h.scale, str) and h.scale == "mean"
        for x in (z,) if by_mean else (z, ps.prox(z, h)):
            there, want = odd_place(x), h.value(x)
            there.writable = False
            assert h.value(there) == pytest.approx(want, rel=max(1e-13, EPS[dtype] / 100)), h
            assert_same_bits(there.host, x)
            check_sentinels(there.host)
    z.reshape(-1)[-1] = np.nan
    assert np.isnan(h.value(on_device(z)))


@each_dtype
def test_the_indicator_sees_one_element(dtype: str) -> None:
    for shape, over in ((6, 640), "rows"), ((17001,), None):
        h = ps.Quantize(4, over=over)
        x = ps.prox(normal(shape, dtype, seed=418), h)
        assert h.value(on_device(x)) == 0.0
        x.reshape(-1)[-5] = np.max(x) * numpy_dtype(dtype).type(0.47)
        assert h.value(on_device(x)) == h.value(x) == INF


@each_dtype
def test_a_diverged_run_stays_visible(dtype: str) -> None:
    x, g = normal((3, 96), dtype, seed=419), normal((3, 96), dtype, seed=420)
    g[1, 50] = np.nan
    there, first, h = on_device(x), ps.SGD(0.1), ps.Quantize(3, over="rows", rho=0.2)
    info = ps.step(there, on_device(g), first, h, stats=True)
    want = ps.step(x, g, first, h, stats=True)
    assert_same_bits(there.host, x)
    assert info is not None
    assert want is not None
    assert (info.nonzeros, info.finite) == (want.nonzeros, False)
    assert np.isnan(info.penalty)
    assert np.isnan(want.penalty)


@each_dtype
@pytest.mark.parametrize("r", [ps.Adagrad(0.1, eps=0.0), ps.FTRL(0.1, beta=0.0)], ids=["g", "f"])
def test_what_lies_beyond_a_group_does_not_count(r: Any, dtype: str) -> None:
    """A pack's empty places have no gradient, and their step would be infinite."""
    hs = [h for shape, over in CUTS[1::2] for h in penalties(shape, over, 0.3)]
    shapes = [shape for shape, _ in CUTS[1::2] for _ in range(5)]
    members = [
        {"params": [normal(shape, dtype, seed=450 + k)], "penalty": h, "rule": r}
        for k, (h, shape) in enumerate(zip(hs, shapes, strict=True))
    ]
    pair = Pair(members)
    pair.step()
    check_pair(pair, hs)
    finite = [np.isfinite(p.astype(float)).all() for p in pair.here]
    assert all(finite)


@each_dtype
def test_beside_other_penalties(launching: Any, dtype: str) -> None:
    """One launch for each kind of kernel; rho = 1 is the rule alone."""
    hs = [
        ps.Quantize(2, over="rows"),
        ps.Box(-1.1, 0.9),
        ps.Quantize(3, rho=0.2),
        ps.NM(1, 2),
        ps.Quantize(4, scale=0.3),
        None,
        ps.Quantize(4, rho=1.0),
    ]
    members = [
        {"params": [normal((k + 1, 64), dtype, seed=421 + k)], "penalty": h}
        for k, h in enumerate(hs)
    ]
    pair = Pair(members)
    with launching(3):
        pair.step(stats=False)
    for got, want in zip(pair.there, pair.here, strict=True):
        assert_same_bits(got.host, want)


def test_more_arrays_and_settings_than_a_table_holds(launching: Any) -> None:
    """Arrays beyond 180 and settings beyond 16 make further launches."""
    hs = [ps.Quantize(2 + k % 3, over="rows", rho=0.02 * k) for k in range(18)]
    members = [
        {"params": [normal((3, 8), "float32", seed=40 * k + j) for j in range(11)], "penalty": h}
        for k, h in enumerate(hs)
    ]
    pair = Pair(members)
    with launching(2):
        pair.step()
    check_pair(pair, [h for h in hs for _ in range(11)])


@each_dtype
def test_a_schedule(dtype: str) -> None:
    """rho of every step, 1 at first and 0 in the end; the copies of tables and scales stay."""
    x = [normal((4, 33), dtype, seed=430), normal((5, 17), dtype, seed=431)]
    there = [on_device(a) for a in x]
    rho = lambda t: (1.0, 0.7, 0.1, 0.0)[t]  # noqa: E731
    hs = [
        ps.Quantize(levels=NF4, over="rows", rho=rho),
        ps.Quantize(4, over="rows", scale=np.arange(5) * 0.2, rho=rho),
    ]
    here, gpu = (
        ps.Optimizer(
            [{"params": [p], "penalty": h} for p, h in zip(arrays, hs, strict=True)], ps.SGD(0.1)
        )
        for arrays in (x, there)
    )
    for k in range(4):
        grads = [normal(a.shape, dtype, seed=432 + k) for a in x]
        here.step(grads)
        gpu.step([on_device(g) for g in grads])
        for got, want in zip(there, x, strict=True):
            assert_same_bits(got.host, want)


@each_dtype
def test_rates_in_the_devices_memory(dtype: str) -> None:
    """As a captured graph has them."""
    h, r = ps.Quantize(3, rho=0.2), ps.AdamW(0.07, eps=0.017)
    x = [normal(shape, dtype, seed=k) for k, shape in enumerate([(4, 50), (LONG[dtype] + 9,)])]
    there = [on_device(a) for a in x]
    plain, captured = ps.Optimizer(x, r, h), ps.Optimizer(there, r, h, capturable=True)
    for k in range(3):
        grads = [normal(a.shape, dtype, seed=440 + k) for a in x]
        captured.rates[...] = 0.05 * (k + 1)
        captured.step([on_device(g) for g in grads])
        plain.step(grads, lr=0.05 * (k + 1))
    for got, want in zip(there, x, strict=True):
        assert_same_bits(got.host, want)


def test_only_the_first_call_copies_and_waits(emulation: Any) -> None:
    z = on_device(normal((4, 50), seed=441))
    h = ps.Quantize(levels=NF4, over="rows", scale=np.arange(4) * 0.3)
    start = emulation.waits()
    ps.prox(z, h, out=z)
    first = emulation.waits()
    ps.prox(z, h, out=z)
    assert (first - start, emulation.waits() - first) == (2, 0)


def test_refusals() -> None:
    z = on_device(normal((4, 6), seed=442))
    for h, words in (
        (ps.Quantize(2, over=5), "blocks of 5 do not divide"),
        (ps.Quantize(2, over="rows", scale=2.0), "there are 1 scales for 4 groups"),
        (ps.Quantize(2, rho=lambda t: 0.5), r"rho is a schedule; say for which update by at"),
    ):
        with refused(ValueError, words):
            h.prox(z)
        with refused(ValueError, words):
            h.value(z)
