"""Mixed precision of arrays in CUDA memory: the bits of the CPU, without a device."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import device
import numpy as np
import proxstep as ps
import pytest
import reference_rounding as rounding
from cases import (
    PENALTY_CASES,
    RULE_CASES,
    assert_same_bits,
    normal,
    numpy_dtype,
    penalty,
    rule,
    weights_for,
)
from device import DeviceArray, check_sentinels, on_device, placed
from device_groups import TEAMS, Pair, assert_same_statistics, group_weights, odd_place
from nm_cases import PATTERNS, SHAPES
from precision_cases import SEED
from proxstep.precision import Precision
from quantize_cases import NF4
from top_k_cases import hard

pytestmark = pytest.mark.usefixtures("any_device")

STOCHASTIC = {"rounding": "stochastic"}
MOMENTS = {"moments": "bfloat16"}
MASTER = {"master": True}
OPTIONS = {
    "moments": ("float32", MOMENTS),
    "bfloat16": ("bfloat16", STOCHASTIC),
    "float16": ("float16", STOCHASTIC),
    "nearest bfloat16, moments": ("bfloat16", MOMENTS),
    "bfloat16, moments": ("bfloat16", STOCHASTIC | MOMENTS),
    "float16, moments": ("float16", STOCHASTIC | MOMENTS),
    "bfloat16 master": ("bfloat16", MASTER),
    "float16 master": ("float16", MASTER),
    "bfloat16 master, moments": ("bfloat16", MASTER | MOMENTS),
    "float16 master, moments": ("float16", MASTER | MOMENTS),
}
each_option = pytest.mark.parametrize(("dtype", "options"), OPTIONS.values(), ids=OPTIONS)
each_metric = pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
each_rule = pytest.mark.parametrize(("rule_name", "r"), RULE_CASES)
some_rules = pytest.mark.parametrize(
    ("rule_name", "r"),
    [case for case in RULE_CASES if case[0] in ("AdamW", "Momentum", "FISTA", "RDA")],
)
each_move = pytest.mark.parametrize("move", [on_device, odd_place])


def grouped(arrays: list[Any], penalties: list[Any], **settings: Any) -> list[dict[str, Any]]:
    """A parameter group for each array."""
    return [
        {"params": [x], "penalty": h, **settings} for x, h in zip(arrays, penalties, strict=True)
    ]


def check_two_steps(groups: list[dict[str, Any]], options: dict[str, Any]) -> tuple[Any, Any]:
    """What device and CPU tell of the second: both have the same bits."""
    pair = Pair(groups, seed=SEED, **options)
    for seed, stats in ((83, False), (84, True)):
        got, want = pair.step(seed, stats=stats)
        pair.check_bits()
    assert_same_statistics(got, want, "float32")
    return got, want


@each_rule
@each_metric
@each_option
def test_a_step_has_the_bits_of_the_cpu(rule_name, r, metric, dtype, options):
    """Every rule and penalty, with and without weights, and what the pass can tell."""
    sizes = [290 + 7 * k for k in range(len(PENALTY_CASES))]
    penalties = [
        penalty(name, p, weights_for(n, dtype) if k % 2 else None)
        for k, (n, (name, p)) in enumerate(zip(sizes, PENALTY_CASES, strict=True))
    ]
    arrays = [normal(n, dtype, seed=k) for k, n in enumerate(sizes)]
    groups = grouped(arrays, penalties, rule=rule(rule_name, r), metric=metric)
    check_two_steps(groups, options)


@pytest.mark.parametrize("odd", ["", "x", "g", "exp_avg", "exp_avg_sq", "master", "all"])
@each_option
def test_every_element_is_stepped_once(monkeypatch, dtype, options, odd):
    """Lengths around a pack, a team and a block; one array or all out of line."""
    begin = Precision.state

    def state(self: Precision, r: ps.Rule, x: Any, given: Any) -> dict[str, Any]:
        kept = begin(self, r, x, given)
        if isinstance(x, DeviceArray):
            for key, array in kept.items():
                kept[key] = DeviceArray(placed(array.host, odd in (key, "all")))
        return kept

    monkeypatch.setattr(Precision, "state", state)
    bounds = [4, 256 * 4, 1024 * 4]
    for n in [0, 1, *(bound + k for bound in bounds for k in (-1, 0, 1)), 3000 * 4]:
        x, grads = normal(n, dtype, seed=n), [normal(n, dtype, seed=n + t) for t in (1, 2)]
        there = DeviceArray(placed(x, odd in ("x", "all")))
        made = [
            ps.Optimizer([a], ps.AdamW(0.11), ps.L1(0.37), seed=SEED, **options) for a in (x, there)
        ]
        for g in grads:
            made[0].step([g])
            made[1].step([DeviceArray(placed(g, odd in ("g", "all")))])
        assert_same_bits(there.host, x, f"{n} elements")
        check_sentinels(there.host)
        for key, want in made[0].state_dict().items():
            if key != "steps":
                got = made[1].state_dict()[key].host
                assert_same_bits(got.view(want.dtype), want, f"{key}, {n} elements")
                check_sentinels(got)


@each_option
@pytest.mark.parametrize("count", [1, 4, 5, 400])
def test_an_optimizer_steps_many_arrays_in_one_launch(launching, dtype, options, count):
    """Each draws numbers of its own; rules and metrics differ from array to array."""
    sizes = [(37 * k) % 301 for k in range(count)]
    arrays = [normal(n, dtype, seed=k) for k, n in enumerate(sizes)]
    rules = [ps.AdamW(0.13), ps.Adagrad(0.2), ps.RDA(0.07)]
    groups = [
        {"params": arrays[k::5], "rule": rules[k % 3], "penalty": ps.MCP(0.1 * k, 3.0)}
        | {"metric": ("diagonal", "euclidean")[k % 2]}
        for k in range(5)
    ]
    pair = Pair(groups, seed=SEED, **options)
    with launching(2 if count > 360 else sum(sizes) > 0):
        pair.step()
    pair.check_bits()


@some_rules
@each_metric
@each_option
def test_n_m_sparsity(rule_name, r, metric, dtype, options):
    arrays = [normal(SHAPES[k % len(SHAPES)], dtype, seed=k) for k in range(len(PATTERNS))]
    penalties = [ps.NM(n, m) for n, m in PATTERNS]
    groups = grouped(arrays, penalties, rule=rule(rule_name, r), metric=metric)
    pair = Pair(groups, seed=SEED, **options)
    got, want = pair.step(stats=True)
    pair.check_bits()
    assert got.penalty == want.penalty
    assert_same_statistics(got, want, "float32")


@each_metric
@each_move
@each_option
@some_rules
def test_groups(rule_name, r, metric, move, dtype, options):
    """Moments have the CPU's bits; the rest agrees to what a sum in another order leaves."""
    groups = []
    for k, (shape, over) in enumerate(TEAMS):
        w, elements = group_weights(shape, over, dtype), weights_for(shape, dtype)
        h = ps.SparseGroup(0.11, 1.3, over=over, weights=elements, group_weights=w)
        groups += grouped(
            [normal(shape, dtype, seed=k)], [h], rule=rule(rule_name, r), metric=metric
        )
    pair = Pair(groups, move, seed=SEED, **options)
    got, want = pair.step(stats=True)
    pair.check()
    assert_same_statistics(got, want, dtype if "master" not in options else "float32")


@each_metric
@each_move
@each_option
def test_groups_that_do_not_shrink_have_the_bits_of_the_cpu(metric, move, dtype, options):
    """Wherever a group's elements lie, each is rounded by its own random bits."""
    groups = []
    for k, (shape, over) in enumerate(TEAMS):
        h = ps.SparseGroup(0.21, 0.0, over=over, weights=weights_for(shape, dtype))
        r = rule(*RULE_CASES[k % len(RULE_CASES)])
        groups += grouped([normal(shape, dtype, seed=k)], [h], rule=r, metric=metric)
    pair = Pair(groups, move, seed=SEED, **options)
    pair.step()
    pair.check_bits()


def ranked(dtype: str) -> list[Any]:
    """Less and more than a block, an empty array among them; some have many ties."""
    sizes = [700, 0, 9000, 1, 8193]
    return [
        hard("constant" if k % 2 else "normal", n, dtype, seed=600 + k) for k, n in enumerate(sizes)
    ]


@some_rules
@each_metric
@each_option
def test_selections(rule_name, r, metric, dtype, options):
    """Alone and together, ranked before anything is rounded; what is dropped is zero in both."""
    shared = ps.TopK(0.3, scope="global")
    penalties = [shared, shared, shared, ps.TopK(1), ps.TopK(0.9)]
    groups = grouped(ranked(dtype), penalties, rule=rule(rule_name, r), metric=metric)
    got, want = check_two_steps(groups, options)
    assert got.penalty == want.penalty == 0.0


def check_ties(x: list[Any], move: Any, **options: Any) -> None:
    """Of points at rest, equal in size and rounded to what they were, the first stay."""
    there = [move(a) for a in x]
    for arrays, like in ((x, np.array), (there, on_device)):
        h = ps.TopK(0.37, scope="global")
        opt = ps.Optimizer(arrays, ps.AdamW(0.1), h, seed=SEED, **options)
        opt.step([like(np.zeros_like(a)) for a in x])
    for got, want in zip(there, x, strict=True):
        assert_same_bits(got.host, want)
        check_sentinels(got.host)


@each_move
@each_option
def test_ties_of_a_selection(dtype, options, move):
    check_ties(ranked(dtype), move, **options)


@each_move
@pytest.mark.parametrize("options", [MOMENTS, STOCHASTIC, MASTER, MASTER | MOMENTS])
def test_a_selection_over_several_layouts(move, options):
    """In the order of the arrays, whatever launches these are of."""
    dtypes = ("bfloat16", "float32", "float16", "float32", "bfloat16")
    x = [hard("constant", 900, dtype, seed=620 + k) for k, dtype in enumerate(dtypes)]
    check_ties(x, move, **options)


# Groups of a lane, of some lanes, of a block and of several; integers and tables.
DRAWN: list[tuple[tuple[int, ...], Any]] = [
    ((301,), ps.Quantize(1, over=1, rho=0.2)),
    ((37, 97), ps.Quantize(3, over="rows", rho=0.3)),
    ((0,), ps.Quantize(2)),
    ((3, 1301), ps.Quantize(levels=(-1.5, 0.0, 0.4), over="rows", scale=(0.7, 0.0, 1.1))),
    ((7, 43), ps.Quantize(levels=NF4, over=7, rho=0.6)),
    ((700,), ps.Quantize(2, rho=1.0)),
    ((2, 16_400), ps.Quantize(4, over="rows", rho=0.1)),
]


@some_rules
@each_metric
@each_option
def test_levels(rule_name, r, metric, dtype, options):
    """A scale is rounded as x is stored: to nearest, and not at all in a master."""
    arrays = [normal(shape, dtype, seed=610 + k) for k, (shape, _) in enumerate(DRAWN)]
    penalties = [h for _, h in DRAWN]
    groups = grouped(arrays, penalties, rule=rule(rule_name, r), metric=metric)
    check_two_steps(groups, options)


@each_option
def test_levels_of_a_mean(dtype, options):
    """Its sum has another order: what is stored agrees but where a tie tips over."""
    n = 20_000
    pair = Pair(grouped([normal(n, dtype)], [ps.Quantize(2, scale="mean", rho=0.5)]), **options)
    pair.step()
    got, want = (a[0].astype(float) for a in ([pair.there[0].host], pair.here))
    assert np.mean(np.abs(got - want) > 0.01 * np.abs(want)) < 0.001


@each_rule
@each_option
def test_a_captured_step_draws_by_the_count_on_the_device(rule_name, r, dtype, options):
    """Nothing of a call tells the step, as in a graph that is replayed."""
    stepper, shapes = rule(rule_name, r), ((300,), (7,), (8, 32), (5, 16), (90,), (6, 21))
    params = [normal(shape, dtype, seed=k) for k, shape in enumerate(shapes)]
    there = [on_device(p) for p in params]
    penalties = [ps.L1(0.1), ps.MCP(0.3, 3.0), ps.NM(2, 4), ps.Group(ps.L1(0.0), over="rows")]
    penalties += [ps.TopK(0.4), ps.Quantize(2, over="rows", rho=0.3)]

    def optimizer(arrays: list[Any], **more: Any) -> ps.Optimizer:
        groups = grouped(arrays, penalties)
        return ps.Optimizer(groups, stepper, seed=SEED, **options, **more)

    cpu, gpu = optimizer(params), optimizer(there, capturable=True)
    for t, lr in enumerate((0.04, 0.09, 0.03)):
        grads = [normal(p.shape, dtype, seed=90 + t) for p in params]
        gpu.rates[...] = np.full(6, lr)
        cpu.step(grads, lr=lr)
        gpu.step([on_device(g) for g in grads])
        for got, want in zip(there, params, strict=True):
            if DeviceArray.on_gpu:  # powers of the rates are CUDA's own there
                np.testing.assert_allclose(got.host.astype(float), want.astype(float), 1e-2, 1e-3)
            else:
                assert_same_bits(got.host, want, f"step {t + 1}")
    assert gpu.steps == 3


@pytest.mark.parametrize("max_norm", [0.5, 1e9])
@each_option
def test_clipping(dtype, options, max_norm):
    """The norm is that of the 16-bit gradients beside masters."""
    arrays = [normal(n, dtype, seed=n) for n in (3, 5000, 0, 17)]
    pair = Pair(grouped(arrays, [ps.L1(0.1)] * 4, rule=ps.SGD(0.1)), **options)
    got, want = pair.step(stats=True, max_norm=max_norm)
    np.testing.assert_allclose(got.grad_norm, want.grad_norm, 1e-13)
    np.testing.assert_allclose(got.squared_change, want.squared_change, 1e-5)


@pytest.mark.parametrize("h", [ps.L1(0.01), ps.TopK(4), ps.Quantize(2, scale=1.0, rho=1.0)])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_statistics_of_a_master(dtype, h):
    """Penalty and change are the master's; zeros and overflow those of the parameter."""
    tiny = 2.0**-30  # zero in float16
    x = on_device(np.array([1.0, -2.0, 0.0, 3.0], numpy_dtype(dtype)))
    zero = on_device(np.zeros_like(x.host))
    opt = ps.Optimizer([x], ps.SGD(1.0), h, master=True)
    opt.step([zero])
    opt.state_dict()["0.master"][...] = np.array([tiny, -2.0, 0.0, 65_530.0], np.float32)
    info = opt.step([zero], lr=0.0, stats=True)
    penalty = 0.01 * (2.0 + 65_530.0 + tiny) if isinstance(h, ps.L1) else 0.0
    assert info.penalty == pytest.approx(penalty, rel=1e-6)
    assert info.squared_change == 0.0
    assert (info.nonzeros, info.finite) == ((2, False) if dtype == "float16" else (3, True))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_what_16_bits_hold_stays(dtype):
    """Zeros of both signs, infinities, NaN and numbers that are exact."""
    held = np.array([np.nan, 1.0, np.inf, -np.inf, -0.0, 0.0, -1.5], numpy_dtype(dtype))
    x = on_device(held)
    opt = ps.Optimizer([x], ps.SGD(1.0), rounding="stochastic", seed=SEED)
    opt.step([on_device(np.zeros_like(held))])
    assert_same_bits(x.host, held)


def test_one_array_alone_has_the_bits_of_the_cpu():
    """A state of bfloat16 moments serves ps.step as well."""
    x, g, r = normal(999), normal(999, seed=1), ps.AdamW(0.11)
    x, g = x.astype(np.float32), g.astype(np.float32)
    there, state = on_device(x), r.init(x, moments="bfloat16")
    moved = r.init(there, moments="bfloat16")
    for _ in range(2):
        ps.step(x, g, r, ps.L1(0.37), state)
        ps.step(there, on_device(g), r, ps.L1(0.37), moved)
    assert_same_bits(there.host, x)
    for key, want in state.moments.items():
        assert_same_bits(moved.moments[key].host, want, key)


@device.needs_compiler
def test_words_of_elements_far_from_the_first(tmp_path):
    """Keys are found anew where the upper half of the index is another."""
    library = device.build(tmp_path, Path(__file__).parent / "emulation/noise.cpp")
    library.word_of.restype = ctypes.c_uint
    seed, step, array = 2**64 - 3, 5, 2**33 + 1
    stream = (ctypes.c_uint64 * 3)(seed, step, array)
    for first in (0, 2**32 - 4, 3 * 2**32):
        for i in (first, first + 3, first + 4, 2**32 - 1, 2**32, 2**34 + 17):
            for purpose, name in enumerate(rounding.PURPOSES):
                word = library.word_of(
                    stream, purpose, ctypes.c_longlong(first), ctypes.c_longlong(i)
                )
                lower, upper = [i % 2**32], i >> 32
                assert word == rounding.random_bits(lower, seed, step, array, name, upper)
