"""The emulation sees the faults that the kernels' tests rely on it to see."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import device
import numpy as np
import pytest

pytestmark = device.needs_compiler

THREADS = 256
SOURCE = Path(__file__).parent / "emulation/planted.cpp"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return device.build(tmp_path_factory.mktemp("planted"), SOURCE)


def pointer(a: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p(a.ctypes.data)


@pytest.mark.parametrize("waits", [True, False])
def test_a_missing_barrier_of_a_block_gives_a_wrong_result(planted: Any, waits: bool) -> None:
    numbers = np.arange(3 * THREADS, dtype=np.int32)
    got = np.zeros_like(numbers)
    planted.reverse_blocks(waits, 3, pointer(numbers), pointer(got))
    want = numbers.reshape(3, THREADS)[:, ::-1].ravel()
    assert np.array_equal(got, want) == waits


@pytest.mark.parametrize("waits", [True, False])
def test_a_missing_barrier_of_a_warp_gives_a_wrong_result(planted: Any, waits: bool) -> None:
    numbers = np.arange(THREADS, dtype=np.int32) + 1
    got = np.zeros_like(numbers)
    planted.rotate_warps(waits, pointer(numbers), pointer(got))
    want = np.roll(numbers.reshape(-1, 32), -1, axis=1).ravel()
    assert np.array_equal(got, want) == waits


def test_every_thread_gets_the_same_sum(planted: Any) -> None:
    numbers = np.random.default_rng(0).standard_normal(THREADS)
    got = np.zeros(THREADS)
    planted.sum_block(pointer(numbers), pointer(got))
    assert np.unique(got).size == 1
    np.testing.assert_allclose(got[0], numbers.sum(), 1e-13)


@pytest.mark.parametrize(
    ("call", "sign"),
    [
        ("load_wide(ctypes.c_void_p(address + 4))", signal.SIGILL),
        ("load_wide(ctypes.c_void_p(address))", 0),
        ("wait_in_vain()", signal.SIGABRT),
    ],
)
def test_what_a_device_stops_at_ends_the_process(planted: Any, call: str, sign: int) -> None:
    """A wide access out of line, and a barrier that some threads never reach."""
    code = (
        f"import ctypes; b = ctypes.create_string_buffer(64); lib = ctypes.CDLL({planted._name!r})"
    )
    code += f"; address = -(-ctypes.addressof(b) // 16) * 16; lib.{call}"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == -sign


class Held(np.ndarray):
    """Bytes as CuPy's array has them."""

    data = property(lambda self: SimpleNamespace(ptr=self.ctypes.data))
    get = np.ndarray.copy


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests' arrays ask of CuPy, without a device."""
    cupy = SimpleNamespace(zeros=lambda n, dtype: np.zeros(n, dtype).view(Held), asarray=np.asarray)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(device.DeviceArray, "on_gpu", True)


def test_what_is_written_to_a_view_of_an_array_is_in_the_array(memory: None) -> None:
    x = device.on_device(np.arange(12.0).reshape(3, 4))
    x[1:][...] = 7.0
    x.T[0][...] = 8.0
    x.reshape(12)[:1][...] = 9.0
    x[device.DeviceArray(np.array([0, 2]))][...] = 5.0  # a copy
    np.testing.assert_array_equal(x.host, [[9, 1, 2, 3], [8, 7, 7, 7], [8, 7, 7, 7]])
    device.check_sentinels(x.host)


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("pools", ["on", "off"])
def test_for_a_checker_of_memory_an_array_ends_where_its_allocation_does(
    memory: None, monkeypatch: pytest.MonkeyPatch, pools: str, odd: bool
) -> None:
    monkeypatch.setenv("PROXSTEP_TEST_POOLS", pools)
    values = device.placed(np.arange(12.0).reshape(3, 4), odd)
    for view in (values, values.T, values[:, 1:3]):
        real = device.RealMemory(view)
        np.testing.assert_array_equal(real.read(), view)
        last = real.address + (view[-1:, -1:].ctypes.data - view.ctypes.data) + view.itemsize
        end = real.held.ctypes.data + real.held.size
        assert (last == end) == (pools == "off")
    device.check_sentinels(device.RealMemory(values).read())
