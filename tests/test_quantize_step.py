"""Quantising in steps: rule then prox, schedules, values, refusals."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import proxstep as ps
import pytest
import reference_quantize as ref
from cases import (
    DTYPES,
    NARROW,
    RULE_CASES,
    assert_same_bits,
    compute_dtype,
    normal,
    numpy_dtype,
    rule,
)
from refusals import refused

NAN, INF = float("nan"), float("inf")
TABLE = (-1.5, -0.25, 0.0, 0.75)
PENALTIES = (
    ps.Quantize(2, over="rows"),
    ps.Quantize(4, over=32, rho=0.3),
    ps.Quantize(1, scale="mean"),
    ps.Quantize(3, scale="mean", over="rows", rho=0.05),
    ps.Quantize(levels=TABLE, over="rows", scale=np.arange(6) * 0.3, rho=0.6),
    ps.Quantize(levels=TABLE, scale=0.7),
)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_penalty = pytest.mark.parametrize("h", PENALTIES, ids=range(len(PENALTIES)))


@each_dtype
@each_penalty
@pytest.mark.parametrize(("rule_name", "r"), RULE_CASES)
def test_step_is_rule_then_levels(rule_name: str, r: Any, h: Any, dtype: str) -> None:
    """The prox is that of the unrounded point: 16-bit storage rounds its scales and levels once."""
    wide, first = compute_dtype(dtype), rule(rule_name, r)
    x, g = (normal((6, 160), dtype, seed=k) for k in (320, 321))
    z, got = x.astype(wide), x.copy()
    states = [first.init(a) for a in (z, got)]
    ps.step(z, g.astype(wide), first, None, states[0], grad_scale=0.83)
    ps.step(got, g, first, h, states[1], grad_scale=0.83)
    for key in set(states[0].moments) - {"y"}:
        assert_same_bits(states[1].moments[key], states[0].moments[key], key)
    if dtype not in NARROW:
        assert_same_bits(got, ps.prox(z, h))
        return
    own = h if not isinstance(h.scale, str) else dataclasses.replace(h, **as_given(z, h, dtype))
    wanted = ps.prox(z, own).astype(got.dtype).astype(float)
    np.testing.assert_allclose(got.astype(float), wanted, rtol=2.0**-7, atol=1e-6 / (h.rho or 1))


def as_given(z: Any, h: Any, dtype: str) -> Any:
    """Levels and scales of unrounded points as an array of this dtype has them."""
    rows = ref.groups_of(z.astype(float), h.over)
    a = ref.scales_of(rows, h.bits, h.scale).astype(z.dtype).astype(numpy_dtype(dtype))
    r = np.array(h.levels) if h.bits is None else ref.integer_levels(h.bits)
    scale = float(a[0]) if h.over is None else a.astype(float)
    return {"bits": None, "levels": tuple(r / np.abs(r).max()), "scale": scale}


@each_dtype
@each_penalty
def test_same_bits_everywhere(isa: str, threads: None, h: Any, dtype: str) -> None:
    before = ps.get_num_threads()
    shape = (6, 20000)
    x, g = normal(shape, dtype, seed=322), normal(shape, dtype, seed=323)
    x[3, 5] = NAN
    r, results = ps.AdamW(0.21, eps=0.013), []
    for number in (1, 2, 3):
        ps.set_num_threads(number)
        results.append(x.copy())
        info = ps.step(results[-1], g, r, h, r.init(x), stats=number == 2)
        assert_same_bits(results[-1], results[0])
        assert info is None or not info.finite
    ps.set_num_threads(before)
    KEPT.setdefault((id(h), dtype), results[0])
    assert_same_bits(results[0], KEPT[id(h), dtype], "another instruction set")


KEPT: dict[Any, Any] = {}  # of the first instruction set


@each_dtype
@pytest.mark.parametrize("rho", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("scale", ["absmax", "mean", 0.31])
def test_the_value(scale: Any, rho: float, dtype: str) -> None:
    """The regulariser with a step of 1, the indicator where rho is 0; in float64."""
    over = None if scale == 0.31 else "rows"
    h = ps.Quantize(3, over=over, scale=scale, rho=rho)
    z = normal((5, 700), dtype, seed=324)
    z = np.clip(np.abs(z), z.dtype.type(0.4), z.dtype.type(0.9)) * np.sign(z)  # in the range
    if rho == 0.0:
        z = ps.prox(z, h)
        assert h.value(z) == 0.0
        z[2, 33] *= z.dtype.type(0.9)
        assert h.value(z) == INF
    else:
        a = 0.31 * np.ones(1) if scale == 0.31 else ref.scales_of(z.astype(float), 3, scale) / 3
        wanted = ref.value(ref.groups_of(z.astype(float), over), ref.integer_levels(3), a, rho)
        assert h.value(z) == pytest.approx(wanted, rel=1e-3 if dtype in NARROW else 1e-6)
    beyond = h.value(z * z.dtype.type(2))
    assert beyond == (INF if scale == 0.31 and rho < 1 else beyond)
    z[2, 34] = NAN
    assert np.isnan(h.value(z))


@each_dtype
@each_penalty
def test_statistics(h: Any, dtype: str) -> None:
    """The penalty is that of the levels which the step has drawn to."""
    x, g = normal((6, 640), dtype, seed=325), normal((6, 640), dtype, seed=326)
    before, r = x.copy(), ps.AdamW(0.21, eps=0.013)
    info = ps.step(x, g, r, h, r.init(x), stats=True)
    change = np.sum(np.square(x.astype(float) - before.astype(float)))
    assert (info.nonzeros, info.finite) == (np.count_nonzero(x), True)
    assert info.squared_change == pytest.approx(change, rel=1e-12)
    if h.rho == 0.0:
        assert info.penalty == 0.0
    elif h.scale != "mean" if isinstance(h.scale, str) else True:
        assert info.penalty == pytest.approx(h.value(x), rel=1e-12)


def test_a_schedule_is_asked_once_a_step_for_its_update() -> None:
    asked = []

    def rho(update: int) -> float:
        asked.append(update)
        return 1.0 / (1 + update)

    h, r = ps.Quantize(3, over="rows", rho=rho), ps.AdamW(0.11, eps=0.017)
    alone = [normal((4, 16), seed=k) for k in (327, 328)]
    together, plain = [x.copy() for x in alone], normal(9, seed=329)
    states = [r.init(x) for x in alone]
    opt = ps.Optimizer([{"params": together, "penalty": h}, {"params": [plain]}], r)
    asked.clear()
    for t in range(4):
        grads = [normal(x.shape, seed=330 + t) for x in (*alone, plain)]
        opt.step(grads)
        for x, g, state in zip(alone, grads, states, strict=False):
            ps.step(x, g, r, h.at(t), state)
    assert asked == [k // 3 for k in range(12)]
    for got, want in zip(together, alone, strict=True):
        assert_same_bits(got, want)
    opt.steps = 0
    opt.step(grads)
    assert asked[-1] == 0
    other = [x.copy() for x in alone]
    ps.step(other[0], grads[0], r, h, states[0])
    ps.step(other[1], grads[1], r, h.at(4), states[1])
    again = r.init(alone[0])
    assert asked[-2:] == [4, 4]
    ps.step(alone[0], grads[0], r, h, again)
    assert asked[-1] == 0


def test_sums_of_gradients_leave_a_level_where_steps_do_not() -> None:
    """Least squares to binary weights: SGD rounds its small steps away, RDA adds them up."""
    X = normal((200, 24), seed=340)
    truth = np.sign(normal(24, seed=341))
    y, h = X @ truth, ps.Quantize(1, scale=1.0)
    results = []
    for r in (ps.SGD(0.1), ps.RDA(2.0)):
        x = -np.ones(24)
        state = r.init(x)
        for _ in range(60):
            ps.step(x, X.T @ (X @ x - y) / 200, r, h, state)
        results.append(x)
    assert np.all(results[0] == -1)
    np.testing.assert_array_equal(results[1], truth)


def test_an_annealed_slope_ends_at_levels() -> None:
    X, r = normal((300, 20), seed=342), ps.SGD(0.05)
    truth = np.tile([1.0, 0.0, -1.0, 0.0], 5) * 0.4
    x, h = np.zeros(20), ps.Quantize(2, rho=ps.schedules.Anneal(20, 200))
    opt = ps.Optimizer([x], r, h)
    for _ in range(201):
        opt.step([X.T @ (X @ x - X @ truth) / 300])
    assert np.array_equal(np.sign(x), np.sign(truth))
    assert len(np.unique(x)) == 3


def test_it_is_frozen_and_can_be_sent_to_another_process() -> None:
    z = normal((6, 64), seed=343)
    for h in PENALTIES:
        assert_same_bits(ps.prox(z, pickle.loads(pickle.dumps(h))), ps.prox(z, h))
    with pytest.raises(dataclasses.FrozenInstanceError):
        PENALTIES[0].rho = 0.5  # type: ignore[misc]
    given = np.ones(6)
    h = ps.Quantize(2, over="rows", scale=given)
    given[:] = 9.0
    np.testing.assert_array_equal(h.scale, np.ones(6))


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({}, ValueError, "bits is None, levels is None; exactly one"),
        ({"bits": 2, "levels": (0, 1)}, ValueError, "bits is 2, .*exactly one"),
        ({"bits": 0}, ValueError, "bits is 0; it must lie between 1 and 8"),
        ({"bits": 9}, ValueError, "bits is 9"),
        ({"bits": 2.0}, TypeError, "bits is 2.0; an integer"),
        ({"levels": (1,)}, ValueError, "there are 1 levels; 2 to 256"),
        ({"levels": range(257)}, ValueError, "there are 257 levels"),
        ({"levels": (0, 2, 1)}, ValueError, r"levels\[2\] is 1.0, after 2.0; they must increase"),
        ({"levels": (0, 0)}, ValueError, r"levels\[1\] is 0.0, after 0.0"),
        ({"levels": (0, INF)}, ValueError, r"levels\[1\] is inf"),
        ({"bits": 2, "over": "row"}, ValueError, "over is 'row'; did you mean 'rows'"),
        ({"bits": 2, "over": 0}, ValueError, "over is 0; it must be at least 1"),
        ({"bits": 2, "over": 2.5}, TypeError, "over is 2.5; an integer"),
        ({"bits": 2, "scale": "max"}, ValueError, "scale is 'max'; did you mean 'absmax'"),
        ({"levels": (0, 1), "scale": "mean"}, ValueError, "'mean', which counts bits"),
        ({"bits": 2, "scale": -0.5}, ValueError, "scale is -0.5; it must be finite"),
        ({"bits": 2, "scale": [1, NAN]}, ValueError, "scale is nan"),
        ({"bits": 2, "scale": []}, ValueError, "scale has no elements"),
        ({"bits": 2, "rho": 1.1}, ValueError, "rho is 1.1; it must lie between 0 and 1"),
        ({"bits": 2, "rho": NAN}, ValueError, "rho is nan"),
        ({"bits": 2, "rho": "0.5"}, TypeError, "rho is '0.5'; a number"),
        ({"levels": "12"}, TypeError, r"levels\[0\] is '1'; a number"),
        ({"bits": 2, "scale": None}, TypeError, "scale is None; a number"),
        ({"bits": 2, "scale": True}, TypeError, "scale is True; a number"),
        ({"bits": 2, "rho": "steep"}, TypeError, "rho is 'steep'; a number"),
    ],
)
def test_settings_out_of_their_range(settings: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        ps.Quantize(**settings)


@pytest.mark.parametrize(
    ("h", "x", "words"),
    [
        (ps.Quantize(2, over=5), np.ones(12), "blocks of 5 do not divide .* of 12"),
        (
            ps.Quantize(2, over="rows"),
            np.ones(12),
            r"need 2 dimensions or more, .* has shape \(12,",
        ),
        (ps.Quantize(2, over="rows"), np.ones((4, 3)).T, r"\(3, 4\) must be in C order"),
        (ps.Quantize(2, over=2), np.ones((4, 3)).T, r"\(3, 4\) must be in C order"),
        (ps.Quantize(2, scale=[1, 2]), np.ones(12), r"there are 2 scales for 1 groups of .*"),
        (
            ps.Quantize(2, over="rows", scale=2.0),
            np.ones((3, 4)),
            r"there are 1 scales for 3 groups of .* of shape \(3, 4\)",
        ),
        (ps.Quantize(2, rho=lambda t: 0.5), np.ones(12), r"rho is a schedule; say .* at\(update\)"),
    ],
)
def test_arrays_that_do_not_fit(h: Any, x: Any, words: str) -> None:
    for call in (h.value, h.prox, lambda x: ps.step(x, x.copy(order="K"), ps.SGD(0.1), h)):
        with refused(ValueError, words, keep=[x]):
            call(x)


@pytest.mark.parametrize("rho", [0.5, lambda t: 0.0])
def test_solve_takes_what_is_one_function_for_all_steps(rho: Any) -> None:
    X = normal((40, 6), seed=77)
    problem = ps.LeastSquares(X, X @ np.array([0.9, -0.4, 0.0, 0.0, 0.1, 0.0]))
    with refused(ValueError, r"Quantize\(.*no objective.* rho=0"):
        ps.solve(problem, ps.Quantize(2, scale=0.5, rho=rho))
    found = ps.solve(problem, ps.Quantize(2, scale=0.5))
    assert found.converged
    assert set(found.x) <= {-0.5, 0.0, 0.5}
    free = ps.solve(problem, ps.Quantize(2, scale=0.5, rho=1.0))
    assert free.objective == pytest.approx(ps.solve(problem, None).objective, abs=1e-6)


def test_a_schedule_that_gives_no_share() -> None:
    x, h = np.ones(8), ps.Quantize(2, rho=lambda t: 0.5 + t)
    opt = ps.Optimizer([x], ps.SGD(0.1), h)
    opt.step([x.copy()])
    with refused(ValueError, r"rho\(1\) is 1.5; it must lie between 0 and 1", keep=[x]):
        opt.step([x.copy()])
    assert opt.steps == 1
    with refused(TypeError, "update is 0.5; an integer is needed"):
        h.at(0.5)  # type: ignore[arg-type]


def test_groups_refuse_it() -> None:
    with refused(TypeError, "elementwise penalty is needed"):
        ps.Group(ps.Quantize(2), "rows")  # type: ignore[arg-type]
