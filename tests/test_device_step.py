"""Steps of arrays in CUDA memory, held to the bits of the CPU without a device."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import proxstep as ps
import pytest
from cases import (
    DTYPES,
    PENALTY_CASES,
    RULE_CASES,
    assert_same_bits,
    normal,
    numpy_dtype,
    penalty,
    rule,
    weights_for,
)
from device import DeviceArray, capsule, check_sentinels, on_device, placed
from proxstep import _core

SCALE = 0.83  # of the gradient
pytestmark = pytest.mark.usefixtures("any_device")


def stepped_state(x: Any, g: Any, stepper: Any) -> ps.State:
    """The state after one step, so that no moment is neutral."""
    state = stepper.init(x)
    ps.step(x, g[::-1].copy(), stepper, None, state)
    return state


def move(state: ps.State, odd: str = "") -> ps.State:
    moments = {key: DeviceArray(placed(m, odd in (key, "all"))) for key, m in state.moments.items()}
    return ps.State(state.step, moments)


def assert_same_state(got: ps.State, want: ps.State, what: str) -> None:
    assert got.step == want.step
    for key, moment in want.moments.items():
        assert_same_bits(got.moments[key].host, moment, f"{key}: {what}")
        check_sentinels(got.moments[key].host)


@pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rule_name", "r"), RULE_CASES)
def test_a_step_has_the_bits_of_the_cpu(rule_name: str, r: Any, dtype: str, metric: Any) -> None:
    """Every rule and penalty, with and without weights, and what the pass can tell."""
    stepper = rule(rule_name, r)
    for k, (name, p) in enumerate(PENALTY_CASES):
        n = 290 + 7 * k
        x, g = normal(n, dtype, seed=k), normal(n, dtype, seed=k + 100)
        h = penalty(name, p, weights_for(n, dtype) if k % 2 else None)
        state = stepped_state(x, g, stepper)
        device_x, device_state = on_device(x), move(state)
        call = {"grad_scale": SCALE, "metric": metric, "stats": True}
        want = ps.step(x, g, stepper, h, state, **call)
        got = ps.step(device_x, on_device(g), stepper, h, device_state, **call)
        assert_same_bits(device_x.host, x, f"{stepper}, {h}")
        check_sentinels(device_x.host)
        assert_same_state(device_state, state, f"{stepper}, {h}")
        assert (got.nonzeros, got.finite) == (want.nonzeros, want.finite)
        np.testing.assert_allclose(
            [got.penalty, got.squared_change],
            [want.penalty, want.squared_change],
            1e-12 if dtype == "float64" else 1e-5,
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("odd", ["", "x", "g", "exp_avg", "exp_avg_sq", "all"])
def test_every_element_is_stepped_once(dtype: str, odd: str) -> None:
    """Lengths around a pack, a team and a block; one array or all out of line."""
    stepper, h = ps.AdamW(**dict(RULE_CASES)["AdamW"]), ps.L1(0.37)
    pack = 16 // numpy_dtype(dtype).itemsize
    bounds = [pack, 256 * pack, 1024 * pack, 2048 * pack]
    for n in [0, 1, *(bound + k for bound in bounds for k in (-1, 0, 1)), 3000 * pack]:
        x, g = normal(n, dtype, seed=n), normal(n, dtype, seed=n + 1)
        state = stepped_state(x, g, stepper)
        device_x = DeviceArray(placed(x, odd in ("x", "all")))
        device_g = DeviceArray(placed(g, odd in ("g", "all")))
        device_state = move(state, odd)
        ps.step(x, g, stepper, h, state)
        ps.step(device_x, device_g, stepper, h, device_state)
        assert_same_bits(device_x.host, x, f"{n} elements")
        check_sentinels(device_x.host)
        assert_same_state(device_state, state, f"{n} elements")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "p"), PENALTY_CASES)
def test_a_prox_has_the_bits_of_the_cpu(name: str, p: Any, dtype: str) -> None:
    z, s = normal(1031, dtype), np.abs(normal(1031)).astype(dtype if dtype == "float64" else "f4")
    for h in (penalty(name, p), penalty(name, p, weights_for(1031, dtype))):
        for step in (0.7, s):
            there = step if isinstance(step, float) else on_device(step)
            device_z, want = on_device(z), ps.prox(z, h, step)
            out = on_device(np.full_like(z, np.nan))
            assert ps.prox(device_z, h, there, out=out) is out
            assert_same_bits(out.host, want, f"{h}")
            assert_same_bits(device_z.host, z, "the input stays")
            check_sentinels(out.host)
            assert ps.prox(device_z, h, there, out=device_z) is device_z
            assert_same_bits(device_z.host, want, f"in place: {h}")
        np.testing.assert_allclose(h.value(out), h.value(want), 1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_soft_threshold_and_its_new_array(dtype: str) -> None:
    x = normal(777, dtype)
    got = ps.soft_threshold(on_device(x), 0.4)
    assert_same_bits(got.host, ps.soft_threshold(x, 0.4))


def test_nan_stays_nan() -> None:
    x = on_device(np.array([np.nan, 1.0, np.inf, -np.inf]))
    info = ps.step(x, on_device(np.zeros(4)), ps.SGD(lr=1.0), ps.L1(0.5), stats=True)
    assert info is not None
    assert not info.finite
    assert_same_bits(x.host, np.array([np.nan, 0.5, np.inf, -np.inf]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 4, 5, 700])
def test_an_optimizer_steps_many_arrays_in_one_launch(
    launching: Any, dtype: str, count: int
) -> None:
    sizes = [(37 * k) % 301 for k in range(count)]
    params = [normal(n, dtype, seed=k) for k, n in enumerate(sizes)]
    grads = [normal(n, dtype, seed=k + 1000) for k, n in enumerate(sizes)]
    there, there_grads = [on_device(p) for p in params], [on_device(g) for g in grads]
    cut = count // 3

    def optimizer(arrays: list[Any]) -> ps.Optimizer:
        groups = [
            {"params": arrays[:cut], "penalty": ps.L1(0.1)},
            {"params": arrays[cut:], "penalty": ps.MCP(0.3, 3.0)},
        ]
        return ps.Optimizer(groups, ps.AdamW(lr=0.05, weight_decay=0.3))

    cpu, gpu = optimizer(params), optimizer(there)
    for _ in range(3):
        with launching(2 if count > 480 else 1 if sum(sizes) else 0):
            cpu.step(grads, lr=[0.04, 0.09])
            gpu.step(there_grads, lr=[0.04, 0.09])
        for got, want in zip(there, params, strict=True):
            assert_same_bits(got.host, want)
            check_sentinels(got.host)
    for key, want in cpu.state_dict().items():
        if key != "steps":
            assert_same_bits(gpu.state_dict()[key].host, want, key)


def test_more_settings_than_a_table_holds() -> None:
    params = [normal(40 + k, seed=k) for k in range(40)]
    there = [on_device(p) for p in params]
    grads = [normal(p.size, seed=1) for p in params]
    for arrays, g in ((params, grads), (there, [on_device(g) for g in grads])):
        groups = [{"params": [a], "penalty": ps.L1(0.01 * k)} for k, a in enumerate(arrays)]
        ps.Optimizer(groups, ps.SGD(lr=0.5)).step(g)
    for got, want in zip(there, params, strict=True):
        assert_same_bits(got.host, want)


@pytest.mark.parametrize("max_norm", [0.5, 1e9])
@pytest.mark.parametrize("dtype", DTYPES)
def test_clipping(dtype: str, max_norm: float) -> None:
    sizes = [3, 5000, 0, 17]
    params = [normal(n, dtype, seed=n) for n in sizes]
    grads = [normal(n, dtype, seed=n + 1) for n in sizes]
    there, there_grads = [on_device(p) for p in params], [on_device(g) for g in grads]
    rule = ps.AdamW(lr=0.1)
    cpu, gpu = ps.Optimizer(params, rule, ps.L1(0.1)), ps.Optimizer(there, rule, ps.L1(0.1))
    call = {"grad_scale": -0.7, "max_norm": max_norm, "stats": True}
    want, got = cpu.step(grads, **call), gpu.step(there_grads, **call)
    np.testing.assert_allclose(got.grad_norm, want.grad_norm, 1e-13)
    np.testing.assert_allclose(got.squared_change, want.squared_change, 1e-5)
    for a, b in zip(there, params, strict=True):
        tolerance = 1e-12 if dtype == "float64" else 1e-6
        difference = np.abs(a.host.astype(float) - b.astype(float))
        assert np.all(difference <= tolerance * (1 + np.abs(b.astype(float))))
    norm = ps.global_norm(there_grads)
    np.testing.assert_allclose(norm, ps.global_norm(grads), 1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rule_name", "r"), RULE_CASES)
def test_a_capturable_optimizer_reads_rates_and_steps_on_the_device(
    rule_name: str, r: Any, dtype: str
) -> None:
    """Nothing of a call tells the step or the rate, as in a graph that is replayed."""
    stepper, params = rule(rule_name, r), [normal(n, dtype, seed=n) for n in (300, 7, 40)]
    there = [on_device(p) for p in params]

    def optimizer(arrays: list[Any], **options: Any) -> ps.Optimizer:
        groups = [
            {"params": arrays[:1], "penalty": ps.L1(0.1)},
            {"params": arrays[1:], "penalty": ps.MCP(0.3, 3.0), "metric": "euclidean"},
        ]
        return ps.Optimizer(groups, stepper, **options)

    cpu, gpu = optimizer(params), optimizer(there, capturable=True)
    for rates in ([0.04, 0.09], [0.03, 0.2], [0.5, 0.01]):
        grads = [normal(p.size, dtype, seed=int(1000 * rates[0])) for p in params]
        gpu.rates[...] = np.array(rates)
        cpu.step(grads, lr=rates, grad_scale=SCALE)
        gpu.step([on_device(g) for g in grads], grad_scale=SCALE)
        for got, want in zip(there, params, strict=True):
            if DeviceArray.on_gpu:  # powers of the rates are CUDA's own there
                np.testing.assert_allclose(got.host.astype(float), want.astype(float), 1e-5, 1e-6)
            else:
                assert_same_bits(got.host, want)
    assert gpu.steps == cpu.steps == 3
    gpu.load_state_dict({**gpu.state_dict(), "steps": 7})
    assert gpu.steps == 7


def test_capturable_is_for_devices() -> None:
    with pytest.raises(ValueError, match="capturable is for arrays in CUDA memory"):
        ps.Optimizer([normal(3)], ps.SGD(lr=0.1), capturable=True)
    opt = ps.Optimizer([on_device(normal(3))], ps.SGD(lr=0.1), capturable=True)
    with pytest.raises(ValueError, match="write into rates"):
        opt.step([on_device(normal(3))], lr=0.2)


def test_nothing_is_held_after_a_call(emulation: Any) -> None:
    before = emulation.blocks_of_memory()
    x = on_device(normal(5000))
    h = ps.L1(0.1, weights=weights_for(5000))
    ps.step(x, on_device(normal(5000)), ps.SGD(lr=0.1), h, stats=True)
    assert emulation.blocks_of_memory() == before + 1  # the weights
    del h
    assert emulation.blocks_of_memory() == before


class TestRefusals:
    def test_arrays_in_two_places(self) -> None:
        x = on_device(normal(5))
        clean = x.host.copy()
        with pytest.raises(ValueError, match="g is in CPU memory, x in CUDA memory of device 0"):
            ps.step(x, normal(5), ps.SGD(lr=0.1))
        with pytest.raises(ValueError, match="g is in CUDA memory of device 1, x in CUDA memory"):
            ps.step(x, DeviceArray(normal(5), device=1), ps.SGD(lr=0.1))
        with pytest.raises(ValueError, match=r"params\[1\]: x is in CPU memory"):
            ps.Optimizer([x, normal(3)], ps.SGD(lr=0.1))
        assert_same_bits(x.host, clean)

    def test_a_read_only_array(self) -> None:
        x = on_device(normal(5))
        x.writable = False
        with pytest.raises(ValueError, match="x is read-only"):
            ps.step(x, on_device(normal(5)), ps.SGD(lr=0.1))


def test_a_forked_process_is_told_to_spawn(emulation: Any) -> None:
    reader, writer = os.pipe()
    ps.soft_threshold(on_device(normal(5)), 0.1)
    child = os.fork()
    if child == 0:
        said = ""
        try:
            ps.soft_threshold(on_device(normal(5)), 0.1)
        except RuntimeError as error:
            said = str(error)
        os.write(writer, said.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert "forked" in os.read(reader, 500).decode()


def test_functions_of_another_version_are_refused(emulation: Any) -> None:
    with pytest.raises(ImportError, match="another version"):
        _core.set_cuda_backend(capsule(emulation, b"proxstep.cuda 0.0"))
    ps.soft_threshold(on_device(normal(5)), 0.1)  # the one before still serves


def test_work_goes_to_the_chosen_stream(emulation: Any) -> None:
    x, g = on_device(normal(5)), on_device(normal(5))
    ps.step(x, g, ps.SGD(lr=0.1))
    assert (x.stream, g.stream) == (1, 1)  # DLPack's name of the default stream
    with ps.cuda.stream(4711):
        ps.step(x, g, ps.SGD(lr=0.1))
    assert (x.stream, g.stream) == (4711, 4711)
    ps.step(x, g, ps.SGD(lr=0.1))
    assert (x.stream, g.stream) == (1, 1)
