"""A run that is killed at any moment, saving included, goes on to the same bits."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cli_cases import SMALL, make_text, read_log, train
from proxstep.lm.checkpoint import has_checkpoint, load_checkpoint
from proxstep.lm.config import STORAGES

OPTIONS = ("--steps", 60, "--save-every", 1, "--storage")
WHOLE, CUT = Path("whole"), Path("cut")
SECONDS = 60  # after which a child that does nothing fails the test


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_text(tmp_path)


def goes_on(text: Path, storage: str) -> list[Any]:
    """How a run that was killed is taken up: anew, where nothing has been saved."""
    begin = "--resume" if has_checkpoint(CUT) else text
    return [begin, *OPTIONS, storage, "--out", CUT]


def saved_step() -> int:
    """The last saved step, as one who comes after the killed process finds it; -1 for none."""
    return int(load_checkpoint(CUT, "last")[1]["step"]) if has_checkpoint(CUT) else -1


def lines() -> int:
    log = CUT / "metrics.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else -1


def kill_after(arguments: list[Any], count: int, delay: float) -> None:
    """Run until the log has so many lines, and a little longer; then SIGKILL."""
    command = [sys.executable, "-m", "proxstep", "train", *SMALL, *arguments]
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        end = time.monotonic() + SECONDS
        while lines() < count and process.poll() is None and time.monotonic() < end:
            time.sleep(0.0005)
        time.sleep(delay)
        process.kill()
        errors = process.communicate(timeout=SECONDS)[1]
    assert errors == ""
    assert process.returncode == -9, "it was to be killed before its end"


@pytest.mark.parametrize("storage", STORAGES)
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bits(
    text: Path, storage: str
) -> None:
    assert train(text, *OPTIONS, storage, "--out", WHOLE) == 0
    rng = random.Random(4)
    steps = []
    for count in (-1, 0, *sorted(rng.sample(range(3, 50), 4))):
        kill_after(goes_on(text, storage), count, rng.uniform(0, 0.012))
        steps.append(saved_step())
    assert steps == sorted(steps)
    assert steps[0] == -1
    assert 20 < steps[-1] < 60
    assert train(*goes_on(text, storage)) == 0
    for record in (logs := [read_log(folder / "metrics.jsonl") for folder in (WHOLE, CUT)]):
        for entry in record:
            del entry["tokens_per_s"]
    assert logs[0] == logs[1]
    assert bits(CUT) == bits(WHOLE)
    assert names(CUT) == names(WHOLE)


def bits(folder: Path) -> dict[str, bytes]:
    """The files of arrays, whose names hold their checksum."""
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
