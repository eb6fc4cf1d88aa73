"""What users are told where no device serves: each in a process of its own, as they meet it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import proxstep as ps
import pytest

HAS_MODULE = importlib.util.find_spec("proxstep._cuda") is not None
HAS_CUPY = importlib.util.find_spec("cupy") is not None

pytestmark = pytest.mark.skipif(ps.cuda.device_count() > 0, reason="there is a device")

STEP = """
import numpy as np, proxstep as ps
from device import DeviceArray
try:
    ps.soft_threshold(DeviceArray(np.ones(3)), 0.1)
except RuntimeError as error:
    print(error)
"""


def printed(code: str, **environment: str) -> str:
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(ps.__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        text=True,
        capture_output=True,
        check=True,
    )
    return done.stdout


def reason() -> str:
    if HAS_MODULE:
        return "the compiled module (for "
    return "finds no device" if HAS_CUPY else "and CuPy is not installed"


@pytest.mark.parametrize("environment", [{}, {"CUDA_VISIBLE_DEVICES": ""}])
def test_an_array_in_cuda_memory_is_refused_with_the_reason(environment: dict[str, str]) -> None:
    said = printed(STEP, **environment)
    assert said.startswith("arrays in CUDA memory cannot be served: ")
    assert reason() in said
    assert "PROXSTEP_CUDA=ON or CuPy" in said


def test_show_config_says_what_serves_and_why() -> None:
    said = printed("import proxstep as ps; ps.show_config()")
    lines = dict(line.split(":", 1) for line in said.splitlines())
    assert reason() in lines["cuda_arrays"]
    assert lines["cuda_devices"].strip() == "0"
    assert "built" in lines["cuda_module"]
    assert ("not installed" in lines["cupy"]) != HAS_CUPY


def test_importing_neither_looks_for_a_driver_nor_for_cupy() -> None:
    said = printed("import sys, proxstep; print([m for m in sys.modules if 'cu' in m[-5:]])")
    assert "_cuda" not in said
    assert "cupy" not in said


def test_streams_that_are_none_are_named() -> None:
    with pytest.raises(TypeError, match="stream is 'fast'"), ps.cuda.stream("fast"):
        pass
    with pytest.raises(TypeError, match="version 1 of __cuda_stream__"), ps.cuda.stream(_Odd()):
        pass


class _Odd:
    def __cuda_stream__(self) -> tuple[int, int]:
        return (1, 0)
