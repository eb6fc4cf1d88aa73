"""Markers that skip with a reason, and fixtures that force an instruction set or a thread count."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from typing import Any

import device
import fake_cupy
import numpy as np
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


@pytest.fixture(scope="session")
def emulation(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What serves arrays in CUDA memory from now on: the kernels on the host."""
    if not device.compiler():
        pytest.skip("needs a C++ compiler")
    library = device.build(tmp_path_factory.mktemp("emulation"))
    _core.set_cuda_backend(device.capsule(library))
    return library


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A strict stand-in for CuPy, found wherever CuPy is looked for."""
    module = fake_cupy.make_module()
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setattr(ps.cuda, "backend", lambda: None)
    return module


@pytest.fixture(params=["native", "host"])
def device_loss(request: pytest.FixtureRequest, cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs the test with the loss on the device, and with one on the host in its place."""
    if request.param == "host":
        monkeypatch.setattr(_core, "softmax_cross_entropy", fake_cupy.loss_on_host)
        return
    logits, targets = cupy.zeros((2, 3), np.float32), cupy.zeros(2, np.int64)
    try:
        _core.softmax_cross_entropy(logits, targets, logits, value=False)
    except ValueError as error:
        if "losses run on the CPU" not in str(error):
            raise
        pytest.skip(f"no loss on the device yet: {error}")
