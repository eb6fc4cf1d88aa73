"""Laws of the kernels, held without a GPU: NVRTC compiles them and the formulas as CuPy will."""

from __future__ import annotations

import re
from functools import cache

import nvrtc
import pytest

pytestmark = pytest.mark.skipif(nvrtc.library() is None, reason="needs nvidia-cuda-nvrtc")

ARCHITECTURES = (80, 90, 120)
STORAGE = {"float": "float", "double": "double", "bfloat16": "float", "float16": "float"}
CONTRACTION = re.compile(r"\bfma\.")
DOUBLE_ARITHMETIC = re.compile(r"^\s+[a-z][\w.]*\.f64\b", re.MULTILINE)  # not a declaration

# One thread a group of four; the root is found in double whatever the storage.
GROUP_KERNEL = """
#include "op/group.hpp"
using namespace proxstep::op;
template <class Penalty>
__global__ void group(double* x, const double* s, double w, Penalty penalty) {
  double* z = x + 4 * threadIdx.x;
  const auto norm = [=](double nu) {
    double sum = 0;
    for (int i = 0; i < 4; ++i) sum += z[i] * z[i] / ((nu + s[i]) * (nu + s[i]));
    return square_root(sum);
  };
  const auto distance = [=](double nu) { return 0.5 * norm(nu) * norm(nu) * s[0]; };
  const GroupSums sums{norm(1.0), s[0], s[3], s[0] == 0.0, s[1], 1e-12};
  const double nu = group_root(penalty, w, norm, distance, sums);
  const double scale = group_scale(penalty, sums.norm, s[0], w);
  for (int i = 0; i < 4; ++i) z[i] *= group_keep(nu, s[i]) * keep_nearly_all(s[i] / nu) * scale;
}
"""

LOSS_KERNEL = """
#include "op/loss.hpp"
using namespace proxstep::op;
template <class T>
__global__ void losses(T* x, const T* t) {
  const int i = threadIdx.x;
  const LogisticPoint<T> point = logistic(x[i], t[i]);
  const T gap = cross_entropy_gap(t[i], x[i], point.value);
  x[i] = cross_entropy(t[i], exp_nonpositive(x[i] - gap), gap) + point.slope;
}
"""


def registered(header: str, registry: str) -> list[str]:
    """The class templates that ``registry`` lists in ``header``."""
    members = re.search(
        rf"using {registry} =\s*List<([^>]*)>", (nvrtc.INCLUDE / "op" / header).read_text()
    )
    assert members, f"{header} has no list {registry}"
    return [name.strip() for name in members[1].split(",")]


PENALTIES = registered("prox.hpp", "Penalties")
RULES = registered("update.hpp", "Rules")


def options(architecture: int) -> list[str]:
    """CuPy's options (it always adds -ftz=true), no contraction, and a report of the registers."""
    arch = f"--gpu-architecture=sm_{architecture}"
    return [arch, "--std=c++17", "-ftz=true", "--fmad=false", "--ptxas-options=-v"]


@cache
def compiled_steps(storage: str, architecture: int) -> nvrtc.Compiled:
    compute = STORAGE[storage]
    source = '#include "cuda/step_kernel.cuh"\nusing namespace proxstep::op;\n'
    kernels = [f"proxstep::cuda::step_kernel<{storage}, {r}<{compute}>, 4>" for r in RULES]
    return nvrtc.compile_source(source, kernels, options(architecture))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("storage", STORAGE)
class TestStep:
    def test_every_rule_fits_in_registers_with_all_penalties(
        self, storage: str, architecture: int
    ) -> None:
        compiled = compiled_steps(storage, architecture)
        assert compiled.ok, compiled.log
        assert len(compiled.registers) == len(RULES)
        assert compiled.spilled_bytes == 0
        assert compiled.stack_bytes == 0

    def test_nothing_is_contracted(self, storage: str, architecture: int) -> None:
        assert not CONTRACTION.search(compiled_steps(storage, architecture).ptx)

    def test_only_double_storage_has_double_arithmetic(
        self, storage: str, architecture: int
    ) -> None:
        ptx = compiled_steps(storage, architecture).ptx
        assert bool(DOUBLE_ARITHMETIC.search(ptx)) == (storage == "double")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_group_formulas_compile_without_spills(architecture: int) -> None:
    kernels = [f"group<{penalty}<double>>" for penalty in PENALTIES]
    compiled = nvrtc.compile_source(GROUP_KERNEL, kernels, options(architecture))
    assert compiled.ok, compiled.log
    assert compiled.spilled_bytes == 0
    assert max(compiled.registers) <= 128


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("dtype", ["float", "double"])
def test_loss_formulas_compile_without_spills_or_contraction(dtype: str, architecture: int) -> None:
    compiled = nvrtc.compile_source(LOSS_KERNEL, [f"losses<{dtype}>"], options(architecture))
    assert compiled.ok, compiled.log
    assert compiled.spilled_bytes == 0
    assert not CONTRACTION.search(compiled.ptx)
    assert bool(DOUBLE_ARITHMETIC.search(compiled.ptx)) == (dtype == "double")
