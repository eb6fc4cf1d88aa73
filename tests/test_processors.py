"""Older processors, emulated by qemu: each takes its best instruction set, with the same bits."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys

import pytest

QEMU = shutil.which("qemu-x86_64")
pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64", reason="emulates x86-64 only"),
    pytest.mark.skipif(QEMU is None, reason="needs qemu-x86_64 (Debian: qemu-user)"),
]

STEP = """
import hashlib
import numpy as np
import proxstep as ps
from proxstep import _core

x, g = np.random.default_rng(3).normal(size=(2, 7, 149)).astype(np.float32)
rule = ps.AdamW(lr=0.017, weight_decay=0.3)
state = rule.init(x)
for penalty in (ps.L1(0.2), ps.L2_3(0.1), ps.Group(ps.MCP(0.3, 2.7), "rows")):
    ps.step(x, g, rule, penalty, state)
loss = _core.softmax_cross_entropy(x, np.arange(7, dtype=np.int64), g)
print(_core.isa(), hashlib.sha256(x.tobytes() + g.tobytes()).hexdigest(), loss.hex())
"""


def run(program: str, *emulator: str) -> subprocess.CompletedProcess[str]:
    command = [*emulator, sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def expected() -> list[str]:
    """Digest and loss of STEP on the processor at hand."""
    return run(STEP).stdout.split()[1:]


@pytest.mark.parametrize(("processor", "isa"), [("Nehalem", "baseline"), ("Haswell", "v3")])
def test_same_bits_on_an_older_processor(processor: str, isa: str, expected: list[str]) -> None:
    assert QEMU
    done = run(STEP, QEMU, "-cpu", processor)
    assert done.stdout.split() == [isa, *expected], done.stderr


def test_a_processor_below_the_baseline_is_told_so() -> None:
    """The core is loaded before NumPy, which such a processor would end without a word."""
    assert QEMU
    done = run("import proxstep", QEMU, "-cpu", "Conroe")
    assert done.returncode == 1
    assert "ImportError: proxstep needs a processor with x86-64-v2" in done.stderr
