"""The script that makes the figures of docs/paths.md."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import proxstep
import pytest

SCRIPT = Path(__file__).parents[1] / "docs" / "examples" / "paths_of_diabetes.py"


@pytest.mark.slow
def test_the_script_makes_both_figures(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    if not SCRIPT.exists():
        pytest.skip("the examples are not in the source distribution")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(proxstep.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "one standard error" in done.stdout
    for name in ("path.png", "cross-validation.png"):
        assert (tmp_path / name).stat().st_size > 10_000
