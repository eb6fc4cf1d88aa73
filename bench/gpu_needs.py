"""What `bench/gpu.sh` needs of the Python that runs it: a line for each that is missing or too old.

python bench/gpu_needs.py
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
PACKAGES = ("scikit-build-core", "pybind11", "numpy", "torch", "hypothesis", "ml_dtypes", "pytest")
PACKAGES += ("pytest-timeout",)
PROGRAMS = ("nvcc", "c++", "cmake", "ninja")


def wanted(project: str) -> list[Requirement]:
    """The packages with the bounds that the project gives first."""
    found = []
    for name in PACKAGES:
        first = re.search(rf'"({re.escape(name)}[<>=][^"]*)"', project)
        assert first, name
        found.append(Requirement(first[1]))
    return found


def missing(requirements: Iterable[Requirement]) -> Iterator[str]:
    for needed in requirements:
        try:
            found = metadata.version(needed.name)
        except metadata.PackageNotFoundError:
            yield f"{needed} is needed and not installed"
            continue
        if not needed.specifier.contains(found, prereleases=True):
            yield f"{needed} is needed, {found} is installed"


def main() -> None:
    lacking = list(missing(wanted(PROJECT.read_text(encoding="utf-8"))))
    lacking += [f"{name} is needed and not found" for name in PROGRAMS if not shutil.which(name)]
    if lacking:
        sys.exit("\n".join(lacking))


if __name__ == "__main__":
    main()
