"""Puts this folder on the path, as for `python bench/report.py`, and gives thread counts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from machine import cpu_count
from timing import set_threads


@pytest.fixture(params=sorted({1, cpu_count()}), ids=lambda n: f"{n}thr")
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """Both libraries' threads, for one test."""
    set_threads(request.param)
    yield request.param
    set_threads(cpu_count())
