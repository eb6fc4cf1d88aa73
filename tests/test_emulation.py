"""The CUDA kernels on the host, held to the bits of the CPU without a device."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import proxstep as ps
import pytest
from cases import (
    DTYPES,
    PENALTY_CASES,
    RULE_CASES,
    assert_same_bits,
    clone,
    held,
    normal,
    numpy_dtype,
    penalty,
    rule,
)
from proxstep import _core

SCALE = 0.83  # of the gradient
CAPACITY, GROUPS = 8, 16  # arrays of a launch in the emulation, groups of any launch
HERE = Path(__file__).parent
COMPILER = shutil.which(os.environ.get("CXX", "g++"))
FLAGS = ["-std=c++17", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"]
FLAGS += ["-Wno-unknown-pragmas"]
# A device stops at an address that is not aligned; x86 would not.
FLAGS += ["-fsanitize=alignment", "-fsanitize-undefined-trap-on-error"]

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C++ compiler")


class Array(ctypes.Structure):
    """AnyArray of emulation/step.cpp."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("x", "g", "m0", "m1")),
        ("n", ctypes.c_longlong),
        ("group", ctypes.c_int),
    )


class Group(ctypes.Structure):
    """Group of emulation/step.cpp."""

    _fields_ = (
        ("penalty", ctypes.c_int),
        ("rule_settings", ctypes.POINTER(ctypes.c_double)),
        ("penalty_settings", ctypes.POINTER(ctypes.c_double)),
    )


class Call(ctypes.Structure):
    """Call of emulation/step.cpp."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("rule", "count", "group_count")),
        ("arrays", ctypes.POINTER(Array)),
        ("groups", ctypes.POINTER(Group)),
        ("t", ctypes.c_double),
        ("grad_scale", ctypes.c_double),
    )


@pytest.fixture(scope="module")
def emulation(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The kernels as a library; CXXFLAGS can add a sanitizer."""
    library = tmp_path_factory.mktemp("emulation") / "step.so"
    flags = [*FLAGS, *shlex.split(os.environ.get("CXXFLAGS", "")), "-fPIC", "-shared", "-pthread"]
    subprocess.run([str(COMPILER), *flags, "-o", library, HERE / "emulation/step.cpp"], check=True)
    return ctypes.CDLL(str(library))


@dataclass
class Case:
    """One array with its gradient, its state after a step, and what comes next."""

    x: Any
    g: Any
    state: Any
    stepper: Any
    penalty: Any
    settings: list[float]  # of the penalty, as the border hands them to a kernel


def make_case(
    rule_name: str, r: Any, name: str, p: Any, n: int, dtype: str, *, odd: str = "", lr: float = 1
) -> Case:
    stepper = rule(rule_name, {**r, "lr": lr * r["lr"]})
    x, g = (
        placed(normal(n, dtype, seed=seed + n), odd in (which, "all"))
        for seed, which in ((81, "x"), (82, "g"))
    )
    state = stepper.init(x)
    for key, moment in state.moments.items():
        state.moments[key] = placed(moment, odd in (key, "all"))
    ps.step(x, g[::-1].copy(), stepper, None, state)
    h = penalty(name, p)
    values = held(name, p, dtype)
    settings = [values[item.name] for item in fields(h) if item.name in values]
    return Case(x, g, state, stepper, h, settings)


def placed(a: Any, odd: bool) -> Any:
    """A copy at a boundary of 64 bytes or an element after it, with sentinels on both sides."""
    buffer = np.full(a.size + 128, 77, a.dtype)
    first = 32 + (-(buffer.ctypes.data + 32 * a.itemsize) % 64) // a.itemsize + odd
    view = buffer[first : first + a.size]
    view[...] = a
    return view


def check_sentinels(view: Any) -> None:
    buffer = view.base
    first = (view.ctypes.data - buffer.ctypes.data) // view.itemsize
    around = np.delete(buffer, slice(first, first + view.size))
    assert np.all(around == numpy_dtype(str(view.dtype)).type(77))


def emulated_step(emulation: Any, cases: list[Case], dtype: str) -> int:
    """One step in place, every array with its own penalty and rate; how many kernels ran."""
    keep: list[Any] = []  # what the structures point to

    def doubles(values: Sequence[float]) -> Any:
        keep.append((ctypes.c_double * len(values))(*values))
        return keep[-1]

    arrays, groups = (Array * len(cases))(), (Group * len(cases))()
    for k, case in enumerate(cases):
        moments = [m.ctypes.data for m in case.state.moments.values()] + [None, None]
        pointers = (case.x.ctypes.data, case.g.ctypes.data, *moments[:2])
        arrays[k] = Array(*pointers, case.x.size, k % GROUPS)
        index = _core.penalty_names().index(case.penalty.name)
        groups[k] = Group(index, doubles(case.stepper.settings()), doubles(case.settings))
    index, t = _core.rule_names().index(cases[0].stepper.name), cases[0].state.step + 1
    count = len(cases)
    call = Call(index, count, min(count, GROUPS), arrays, groups, t, SCALE)
    return int(emulation.step(DTYPES.index(dtype), ctypes.byref(call)))


def check(emulation: Any, cases: list[Case], dtype: str) -> None:
    """The emulated launches give the bits of the CPU and write nothing else."""
    wanted = clone(cases)
    for case in wanted:
        ps.step(case.x, case.g, case.stepper, case.penalty, case.state, grad_scale=SCALE)
    launches = emulated_step(emulation, cases, dtype)
    batches = [cases[k : k + CAPACITY] for k in range(0, len(cases), CAPACITY)]
    assert launches == sum(any(case.x.size for case in batch) for batch in batches)
    for got, want in zip(cases, wanted, strict=True):
        assert_same_bits(got.x, want.x, f"{want.stepper}, {want.penalty}")
        check_sentinels(got.x)
        for key, moment in want.state.moments.items():
            assert_same_bits(got.state.moments[key], moment, f"{key}: {want.stepper}")
            check_sentinels(got.state.moments[key])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rule_name", "r"), RULE_CASES)
def test_a_step_has_the_bits_of_the_cpu(emulation: Any, rule_name: str, r: Any, dtype: str) -> None:
    for begin in range(0, len(PENALTY_CASES), GROUPS):
        batch = enumerate(PENALTY_CASES[begin : begin + GROUPS])
        cases = [
            make_case(rule_name, r, name, p, 300 + k, dtype, lr=1 + k / 8) for k, (name, p) in batch
        ]
        check(emulation, cases, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("odd", ["", "x", "g", "exp_avg", "exp_avg_sq", "all"])
def test_every_element_is_stepped_once(emulation: Any, dtype: str, odd: str) -> None:
    """Lengths around a pack, a team and a block; one array or all out of line."""
    r, p = dict(RULE_CASES)["AdamW"], {"lam": 0.37}
    pack = 16 // np.dtype(numpy_dtype(dtype)).itemsize
    bounds = [pack, 256 * pack, 1024 * pack, 2048 * pack]
    sizes = [0, *(bound + k for bound in bounds for k in (-1, 0, 1)), 0, 1, 3000 * pack]
    cases = [make_case("AdamW", r, "L1", p, n, dtype, odd=odd) for n in sizes]
    check(emulation, cases, dtype)
