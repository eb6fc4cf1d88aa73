"""NVRTC compiles the kernels of projections as CuPy will: in registers, and without contraction."""

from __future__ import annotations

import re
from typing import Any

import nvrtc
import pytest

pytestmark = pytest.mark.skipif(nvrtc.library() is None, reason="needs nvidia-cuda-nvrtc")

STORAGE = ["double", "float", "proxstep::op::bfloat16", "proxstep::op::float16"]
KERNELS = ["rows_kernel<{}, {}, 32>", "rows_kernel<{}, {}, 256>"]
KERNELS += [f"{name}_kernel<{{}}, {{}}>" for name in ("begin", "bins", "digit", "write")]
ARCHITECTURES: list[Any] = [pytest.param(a, marks=pytest.mark.slow) for a in (80, 120)] + [90]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("storage", STORAGE)
def test_projections_fit_in_registers(storage: str, architecture: int) -> None:
    names = [k.format(storage, goal) for k in KERNELS for goal in ("Ball", "TopK")]
    options = [f"--gpu-architecture=sm_{architecture}", "--std=c++17", "-ftz=true"]
    compiled = nvrtc.compile_source(
        '#include "cuda/project_kernel.cuh"\nusing namespace proxstep::cuda;\n',
        [*names, f"survey_kernel<{storage}>"],
        [*options, "--fmad=false", "--ptxas-options=-v"],
    )
    assert compiled.ok, compiled.log
    assert len(compiled.registers) == len(names) + 1
    assert max(compiled.registers) <= 128
    assert (compiled.spilled_bytes, compiled.stack_bytes) == (0, 0)
    assert not re.search(r"\bfma\.", compiled.ptx)
