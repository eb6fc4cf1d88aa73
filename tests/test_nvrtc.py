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
from proxstep._kernels import headers, source

pytestmark = pytest.mark.skipif(nvrtc.library() is None, reason="needs nvidia-cuda-nvrtc")

# nvcc compiles every kernel for one architecture in CI, for all by hand (CONTRIBUTING.md).
OTHER_ARCHITECTURES = [pytest.param("float", a, marks=pytest.mark.slow) for a in (80, 120)]
# float16 differs from bfloat16 in two conversions, and a mixed layout from another in as much; nvcc
# compiles all of their kernels.
STORAGE = ("double", "float", "proxstep::op::bfloat16")
MASTER = "proxstep::cuda::Mixed<float, proxstep::op::bfloat16>"
LARGE = ("480", "360", "340", "200", "180")  # tables
CONTRACTION = re.compile(r"\bfma\.")
DOUBLE_ARITHMETIC = re.compile(r"^\s+[a-z][\w.]*\.f64\b", re.MULTILINE)  # not a declaration
WIDE_LOAD = re.compile(r"ld\.global\.(?:nc\.)?v(?:4\.[bfu]32|2\.[bfu]64)")
WIDE_STORE = re.compile(r"st\.global\.cg\.v4\.[bu]32")
HALF_LOAD = re.compile(r"ld\.global\.(?:nc\.)?v2\.[bfu]32")  # 8 bytes: four elements of 16 bits
HALF_STORE = re.compile(r"st\.global\.cg\.v2\.[bu]32")
MOST_REGISTERS = 128  # two blocks of 256 threads share a multiprocessor


def registered(header: str, registry: str) -> list[str]:
    """The class templates that ``registry`` lists in ``header``."""
    members = re.search(
        rf"using {registry} =\s*List<([^>]*)>", (headers() / "op" / header).read_text()
    )
    assert members, f"{header} has no list {registry}"
    return [name.strip() for name in members[1].split(",")]


def registered_rules() -> list[Any]:
    """Slots and stored of every rule, from its struct; an extrapolation is stored as well."""
    text = (headers() / "op/update.hpp").read_text()
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
    return nvrtc.compile_source(source(), names, options(architecture))


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
    [*((storage, 90) for storage in STORAGE), *OTHER_ARCHITECTURES],
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


# By the layout (x, gradient): packs of x, the gradient and a copy that are of 16 bits.
LAYOUTS = [
    ("float, float", 0, 0, 0),
    ("proxstep::op::bfloat16, proxstep::op::bfloat16", 1, 1, 0),
    ("float, proxstep::op::bfloat16", 0, 1, 1),
]


@pytest.mark.parametrize(("layout", "x", "g", "copy"), LAYOUTS)
def test_mixed_layouts_move_four_elements_at_once(
    names: list[str], layout: str, x: int, g: int, copy: int
) -> None:
    """Two moments may be of either width; weights are wide."""
    kernel = f"mixed_kernel<proxstep::cuda::Mixed<{layout}>, 4>"
    assert kernel in names
    result = compiled((kernel,), 90)
    check_resources(result, 1)
    assert result.stack_bytes == 0
    assert not DOUBLE_ARITHMETIC.search(result.ptx)
    assert len(WIDE_LOAD.findall(result.ptx)) == 3 + (1 - x) + (1 - g)
    assert len(HALF_LOAD.findall(result.ptx)) == 2 + x + g
    assert len(WIDE_STORE.findall(result.ptx)) == 2 + (1 - x)
    assert len(HALF_STORE.findall(result.ptx)) == 2 + x + copy


def test_large_tables_are_taken_by_value(names: list[str]) -> None:
    kernels = ["step_kernel<float, 5, 480>", "nm_kernel<float, 360>", "group_kernel<float, 200>"]
    for kernel, capacity in (("keep", 340), ("rank", 340), ("nm", 360), ("group", 200)):
        kernels.append(f"{kernel}_kernel<{MASTER}, {capacity}>")
    kernels += [f"{kernel}_kernel<{MASTER}, 180>" for kernel in ("sizes", "quantize")]
    assert set(kernels) < set(names)
    check_resources(compiled(tuple(kernels), 90), len(kernels))


def test_all_other_kernels_fit_in_registers_and_contract_nothing(names: list[str]) -> None:
    """All but powers of the moments' rates, which are CUDA's own function."""
    left = re.compile(
        rf".*(, ({'|'.join(LARGE)})>|op::float16)|step_|(rows|group|quantize)\w*<.*16"
    )
    small = [name for name in names if not left.match(name)]
    powers = tuple(name for name in small if name.startswith("settings_kernel"))
    others = tuple(name for name in small if name not in powers)
    check_resources(compiled(powers, 90), len(powers))
    check_resources(compiled(others, 90), len(others))
    assert not CONTRACTION.search(compiled(others, 90).ptx)


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


@pytest.mark.parametrize("width", ["narrow", "wide"])
@pytest.mark.parametrize("dtype", ["float", "double"])
def test_loops_over_classes_are_of_the_rows_type(dtype: str, width: str) -> None:
    """What a row needs once may be double and may divide; what a class needs never."""
    ptx = compiled((f"softmax_{width}_kernel<{dtype}>",), 90).ptx
    over_classes = [loop for loop in innermost_loops(ptx) if "global" in loop]
    assert len(over_classes) >= 6  # sums, packs and single classes, by labels and probabilities
    for loop in over_classes:
        assert not re.search(r"\b(div|rcp)\.", loop)
        assert dtype == "double" or not DOUBLE_ARITHMETIC.search(loop)
    assert sum(len(WIDE_LOAD.findall(loop)) for loop in over_classes) >= 6
    assert sum(len(WIDE_STORE.findall(loop)) for loop in over_classes) >= 2


@pytest.mark.parametrize("dtype", ["float", "double"])
def test_losses_of_one_margin_compile_for_a_device(dtype: str) -> None:
    """No kernel uses all of them yet; the formulas stay fit for one, in their own type."""
    kernel = """
    template <class T> __global__ void margin_losses(int k, const double* c, T* u, const T* t) {
      using namespace proxstep::op;
      with_member(Losses{}, k, [&](auto member) {
        const LossPoint<T> at = typename decltype(member)::template of<T>(c).at(u[0], t[0]);
        u[0] = at.value, u[1] = at.slope, u[2] = at.bend;
      });
    }"""
    result = nvrtc.compile_source(source() + kernel, [f"margin_losses<{dtype}>"], options(90))
    check_resources(result, 1)
    assert not CONTRACTION.search(result.ptx)


PACKED = ("layer_norm", "layer_norm_slope", "gelu", "gelu_slope")  # those that move packs
LAYERS = (*PACKED, "channel_sums", "attention", "attention_queries", "attention_keys")


@pytest.mark.parametrize("kernel", LAYERS)
@pytest.mark.parametrize("dtype", ["float", "double"])
def test_layers_compute_in_their_own_type(names: list[str], dtype: str, kernel: str) -> None:
    name = f"{kernel}_kernel<{dtype}>"
    assert name in names
    result = compiled((name,), 90)
    check_resources(result, 1)
    assert result.stack_bytes == 0
    assert bool(DOUBLE_ARITHMETIC.search(result.ptx)) == (dtype == "double")
    assert bool(WIDE_LOAD.search(result.ptx)) == (kernel in PACKED)
