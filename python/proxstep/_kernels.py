"""The kernels' C++ as one text, for compilers that run when the program does."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path


def headers() -> Path:
    """Return the folder of the C++ headers: in the package, or beside it in a source tree."""
    installed = Path(__file__).parent / "include/proxstep"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "csrc"


@cache
def source() -> str:
    """Return all kernels as one text: CuPy's cache looks at the text, not at what it includes."""
    return _expanded(headers() / "cuda/all_kernels.cuh", set())


def _expanded(path: Path, seen: set[Path]) -> str:
    if path in seen:
        return ""
    seen.add(path)
    text = path.read_text(encoding="utf-8").replace("#pragma once\n", "")
    return re.sub(
        r'^#include "(.+)"$',
        lambda line: _expanded((path.parent / line[1]).resolve(), seen),
        text,
        flags=re.MULTILINE,
    )
