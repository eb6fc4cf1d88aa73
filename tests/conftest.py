"""Markers that skip with a reason, and fixtures that force an instruction set or a thread count."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import device
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
