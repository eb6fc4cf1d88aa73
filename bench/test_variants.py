"""Groups, storage types, statistics and instruction sets as benchmarks of their own."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from contest import OURS
from proxstep import _core
from single import SIZES, time_one
from step_cases import SHRUNK, TORCH_ADAMW, adam
from variant_cases import (
    ELEMENTS,
    GROUPS,
    HALVED,
    PRECISIONS,
    bfloat16,
    bfloat16_moments,
    groups,
    instruction_sets,
    masters,
    statistics,
)

TYPES = [OURS, TORCH_ADAMW, TORCH_ADAMW + SHRUNK]


@pytest.mark.parametrize("side", [256, 4096], ids=["small", "large"])
@pytest.mark.parametrize("name", [ELEMENTS, *GROUPS])
def test_groups(benchmark, threads, side, name):
    time_one(benchmark, partial(groups, side, side), name)


@SIZES
@pytest.mark.parametrize("name", TYPES)
def test_bfloat16(benchmark, threads, n, name):
    pytest.importorskip("torch")
    time_one(benchmark, partial(bfloat16, n), name)


@SIZES
@pytest.mark.parametrize("name", [OURS, OURS + HALVED, TORCH_ADAMW, TORCH_ADAMW + SHRUNK])
def test_bfloat16_moments(benchmark, threads, n, name):
    time_one(benchmark, partial(bfloat16_moments, n), name)


@SIZES
@pytest.mark.parametrize("name", PRECISIONS)
def test_masters(benchmark, threads, n, name):
    time_one(benchmark, partial(masters, n), name)


@SIZES
@pytest.mark.parametrize("name", TYPES)
def test_float64(benchmark, threads, n, name):
    time_one(benchmark, partial(adam, n, np.float64), name)


@SIZES
@pytest.mark.parametrize("name", [OURS, f"{OURS}, stats=True"])
def test_statistics(benchmark, threads, n, name):
    time_one(benchmark, partial(statistics, n), name)


@SIZES
@pytest.mark.parametrize("isa", _core.isas())
def test_instruction_sets(benchmark, threads, n, isa):
    time_one(benchmark, partial(instruction_sets, n), f"{OURS}, {isa}")
