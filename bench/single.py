"""One contestant of a case under pytest-benchmark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from contest import Case
from step_cases import TRIAD

SIZES = pytest.mark.parametrize("n", [100_000, 10_000_000], ids=["small", "large"])


def time_one(benchmark: Any, make: Callable[[], Case], name: str) -> None:
    """Benchmark one contestant; peers of PyTorch are skipped where it is not installed."""
    if name.startswith(("torch", TRIAD)):
        pytest.importorskip("torch")
    case = make()
    contestant = case.find(name)
    benchmark.group = f"{case.name}, n = {case.n}"
    with contestant.within():
        benchmark(contestant.run)
    if benchmark.stats:
        benchmark.extra_info["gb_per_s"] = (
            1e-9 * case.bytes_of(contestant) / benchmark.stats.stats.median
        )
