"""The scripts that make the figures of the pages on paths and estimators."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import proxstep
import pytest

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
FIGURES = {
    "paths_of_diabetes.py": ("path", "cross-validation"),
    "estimator_families.py": ("lasso", "groups", "multitask", "logistic", "softmax"),
}


@pytest.mark.slow
@pytest.mark.parametrize("script", FIGURES)
def test_a_script_makes_its_figures(script: str, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    if not EXAMPLES.exists():
        pytest.skip("the examples are not in the source distribution")
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / script), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(proxstep.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "one standard error" in done.stdout
    for name in FIGURES[script]:
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
