"""The scripts of docs/examples do what docs/pytorch.md says of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import proxstep
import pytest

pytestmark = [pytest.mark.torch, pytest.mark.slow]
FOLDER = Path(__file__).parents[1] / "docs" / "examples"
# tested in test_path_examples.py and test_lm_handover.py
ELSEWHERE = {"paths_of_diabetes", "estimator_families", "torch_loader"}
NEEDS = {"lightning_fit": ["lightning"], "transformers_trainer": ["transformers", "accelerate"]}


@pytest.mark.parametrize("name", NEEDS)
def test_an_example_runs_offline_and_ends_with_exact_zeros(name: str, tmp_path: Path) -> None:
    for package in NEEDS[name]:
        pytest.importorskip(package)
    if not FOLDER.is_dir():
        pytest.skip("the examples are not in the source distribution")
    path = str(Path(proxstep.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    total = re.search(r"^total +[\d,]+ +([\d.]+)", done.stdout, re.MULTILINE)
    assert total
    assert 0.2 < float(total[1]) < 0.9
    assert not list(tmp_path.iterdir())  # nothing is left behind


def test_every_example_is_tested() -> None:
    if FOLDER.is_dir():
        assert {path.stem for path in FOLDER.glob("*.py")} == {*NEEDS, *ELSEWHERE}
