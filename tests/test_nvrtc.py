"""Laws of the kernels, held without a GPU: NVRTC compiles them and the formulas as CuPy will."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import device
import nvrtc
import pytest

pytestmark = pytest.mark.skipif(nvrtc.library() is None, reason="needs nvidia-cuda-nvrtc")

ARCHITECTURES = (80, 90, 120)  # CI's nvcc compiles every kernel for all of them
STORAGE = ("double", "float", "proxstep::op::bfloat16", "proxstep::op::float16")
CONTRACTION = re.compile(r"\bfma\.")
DOUBLE_ARITHMETIC = re.compile(r"^\s+[a-z][\w.]*\.f64\b", re.MULTILINE)  # not a declaration
WIDE_LOAD = re.compile(r"ld\.global\.(?:nc\.)?v(?:4\.[bfu]32|2\.[bfu]64)")
WIDE_STORE = re.compile(r"st\.global\.cg\.v4\.[bu]32")
MOST_REGISTERS = 128  # two blocks of 256 threads share a multiprocessor

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


def registered_rules() -> list[Any]:
    """Slots and stored of every rule, from its struct; an extrapolation is stored as well."""
    text = (nvrtc.INCLUDE / "op/update.hpp").read_text()
    found = []
    for rule in registered("update.hpp", "Rules"):
        body = text[text.index(f"struct {rule} {{") :]
        slots, stored = re.search(r"slots = (\d), stored = (\d)", body).groups()
        extra = re.search(r"extrapolates = (\w+)", body)[1] == "true"
        found.append(SimpleNamespace(slots=int(slots), stored=int(stored) + extra))
    return found


def options(architecture: int) -> list[str]:
    """CuPy's options (it always adds -ftz=true), no contraction, and a report of the registers."""
    arch = f"--gpu-architecture=sm_{architecture}"
    return [arch, "--std=c++17", "-ftz=true", "--fmad=false", "--ptxas-options=-v"]


@cache
def compiled(kernels: tuple[str, ...], architecture: int) -> nvrtc.Compiled:
    """Those kernels from the one text that CuPy is given."""
    names = [f"proxstep::cuda::{kernel}" for kernel in kernels]
    return nvrtc.compile_source(nvrtc.all_kernels(), names, options(architecture))


def steps(names: list[str], storage: str, capacity: str) -> tuple[str, ...]:
    return tuple(
        name
        for name in names
        if name.startswith(f"step_kernel<{storage},") and name.endswith(f" {capacity}>")
    )


@pytest.fixture(scope="module")
def names(emulated_kernels: Any) -> list[str]:
    return device.kernel_names(emulated_kernels)


@dataclass(frozen=True)
class Traffic:
    """What a rule of ``cuda::Rules`` moves: its moments, and how many of them it stores."""

    slots: int
    stored: int
    reads_x: bool = True


RULES = [
    *(Traffic(rule.slots, rule.stored) for rule in registered_rules()),
    Traffic(0, 0, reads_x=False),  # a prox alone
    Traffic(1, 0, reads_x=False),  # with a step for every element
]


def bodies(ptx: str) -> dict[int, str]:
    """The kernels' bodies by the place of their rule."""
    found = re.findall(r"\.entry _ZN\w+step_kernelI\w+?Li(\d+)ELi\d+E(.*?)\n}", ptx, re.DOTALL)
    assert len(found) == len(RULES)
    return {int(rule): body for rule, body in found}


def check_resources(result: nvrtc.Compiled, kernels: int) -> None:
    assert result.ok, result.log
    assert len(result.registers) == kernels
    assert max(result.registers) <= MOST_REGISTERS
    assert result.spilled_bytes == 0


@pytest.mark.parametrize(
    ("storage", "architecture"),
    [*((storage, 90) for storage in STORAGE), ("float", 80), ("float", 120)],
)
class TestStep:
    def test_every_rule_fits_in_registers_with_all_penalties(
        self, names: list[str], storage: str, architecture: int
    ) -> None:
        kernels = steps(names, storage, "4")
        result = compiled(kernels, architecture)
        check_resources(result, len(kernels))
        assert result.stack_bytes == 0

    def test_nothing_is_contracted(self, names: list[str], storage: str, architecture: int) -> None:
        assert not CONTRACTION.search(compiled(steps(names, storage, "4"), architecture).ptx)

    def test_only_double_storage_has_double_arithmetic(
        self, names: list[str], storage: str, architecture: int
    ) -> None:
        ptx = compiled(steps(names, storage, "4"), architecture).ptx
        assert bool(DOUBLE_ARITHMETIC.search(ptx)) == (storage == "double")

    def test_aligned_memory_moves_in_16_bytes(
        self, names: list[str], storage: str, architecture: int
    ) -> None:
        ptx = compiled(steps(names, storage, "4"), architecture).ptx
        wide = 2 if "16" in storage else 1  # instructions for a pack of the compute type
        for rule, body in bodies(ptx).items():
            # x (a prox alone does not read it), g, moments, weights; x and the moments that change
            loads = RULES[rule].reads_x + 1 + wide * (RULES[rule].slots + 1)
            assert len(WIDE_LOAD.findall(body)) == loads, rule
            assert len(WIDE_STORE.findall(body)) == 1 + wide * RULES[rule].stored, rule


@pytest.mark.parametrize("storage", STORAGE)
def test_the_large_table_compiles_as_well(names: list[str], storage: str) -> None:
    kernels = steps(names, storage, "480")
    check_resources(compiled(kernels, 90), len(kernels))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_all_other_kernels_fit_in_registers(names: list[str], architecture: int) -> None:
    others = tuple(name for name in names if not name.startswith("step_kernel<"))
    check_resources(compiled(others, architecture), len(others))


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


def innermost_loops(kernel: str) -> list[str]:
    """What lies between a label of PTX and a later jump to it, where no other loop does."""
    labels = {found[1]: found.start() for found in re.finditer(r"(?m)^(\$\w+):", kernel)}
    jumps = [(labels[found[1]], found.end()) for found in re.finditer(r"bra\S*\s+(\$\w+);", kernel)]
    loops = {(begin, end) for begin, end in jumps if begin < end}
    inner = [
        (b, e)
        for b, e in loops
        if not any((b, e) != (x, y) and b <= x and y <= e for x, y in loops)
    ]
    return [kernel[begin:end] for begin, end in inner]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("width", ["narrow", "wide"])
@pytest.mark.parametrize("dtype", ["float", "double"])
def test_loops_over_classes_are_of_the_rows_type(dtype: str, width: str, architecture: int) -> None:
    """What a row needs once may be double and may divide; what a class needs never."""
    ptx = compiled((f"softmax_{width}_kernel<{dtype}>",), architecture).ptx
    over_classes = [loop for loop in innermost_loops(ptx) if "global" in loop]
    assert len(over_classes) >= 6  # sums, packs and single classes, by labels and probabilities
    for loop in over_classes:
        assert not re.search(r"\b(div|rcp)\.", loop)
        assert dtype == "double" or not DOUBLE_ARITHMETIC.search(loop)
    assert sum(len(WIDE_LOAD.findall(loop)) for loop in over_classes) >= 6
    assert sum(len(WIDE_STORE.findall(loop)) for loop in over_classes) >= 2
