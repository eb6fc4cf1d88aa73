"""Markers that skip with a reason, and fixtures that force an instruction set or a thread count."""

from __future__ import annotations

import importlib.util
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import device
import fake_cupy
import proxstep as ps
import pytest
from proxstep import _core


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow as well")


def _reason(item: pytest.Item, config: pytest.Config) -> str | None:
    if "torch" in item.keywords and importlib.util.find_spec("torch") is None:
        return "PyTorch is not installed"
    if "gpu" in item.keywords and not ps.cuda.device_count():
        return "no CUDA device"
    if "slow" in item.keywords and not config.getoption("--slow"):
        return "slow; run with --slow"
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        reason = _reason(item, config)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(params=_core.isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs the test once per instruction set of this processor."""
    before = _core.isa()
    _core.set_isa(request.param)
    yield request.param
    _core.set_isa(before)


@pytest.fixture
def threads() -> Iterator[None]:
    """Restores the thread count after a test that changes it."""
    before = ps.get_num_threads()
    yield
    ps.set_num_threads(before)


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, as in a terminal; a job in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def emulated_kernels(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The kernels on the host, as a library."""
    if not device.compiler():
        pytest.skip("needs a C++ compiler")
    return device.build(tmp_path_factory.mktemp("emulation"))


GPU_BACKENDS = ("native", "cupy") if ps.cuda.device_count() else ()


@pytest.fixture(
    scope="module",
    params=["emulated", *(pytest.param(name, marks=pytest.mark.gpu) for name in GPU_BACKENDS)],
)
def any_device(request: pytest.FixtureRequest) -> Iterator[str]:
    """What serves arrays in CUDA memory: the kernels on the host, or a GPU in both ways."""
    if request.param == "emulated":
        library = request.getfixturevalue("emulated_kernels")
        _core.set_cuda_backend(device.capsule(library))
    else:
        _core.set_cuda_backend(device.gpu_backend(request.param))
    device.DeviceArray.on_gpu = request.param != "emulated"
    yield request.param
    device.DeviceArray.on_gpu = False


@pytest.fixture
def emulation(request: pytest.FixtureRequest) -> Any:
    """For what needs no GPU or looks into the launcher: the kernels on the host."""
    given = "any_device" in request.fixturenames
    if given and request.getfixturevalue("any_device") != "emulated":
        pytest.skip("only the emulation tells")  # before its kernels are compiled
    library = request.getfixturevalue("emulated_kernels")
    if not given:
        _core.set_cuda_backend(device.capsule(library))
    return library


@pytest.fixture
def launching(any_device: str, request: pytest.FixtureRequest) -> Any:
    """``with launching(2):`` holds what is within to so many launches; a GPU does not count."""
    emulated = any_device == "emulated"
    library = request.getfixturevalue("emulated_kernels") if emulated else None

    @contextmanager
    def counted(launches: int) -> Iterator[None]:
        before = library.launches() if library else 0
        yield
        assert not library or library.launches() - before == launches

    return counted


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A strict stand-in for CuPy, found wherever CuPy is looked for."""
    module = fake_cupy.make_module()
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setattr(ps.cuda, "_backend", lambda: None)
    return module
