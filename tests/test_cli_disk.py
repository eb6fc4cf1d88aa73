"""A full disk, whichever file it hits: one line that names the file, and nothing that was is lost.

The disk is played by a limit on the size of files.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_cases import SMALL, make_text, train
from proxstep.cli import main

TINY = [option for option in SMALL if option != "--quiet"]
SWEEP = ("sweep", "text.txt", *TINY, "--grid", "seed=1,2", "--out", "sweep")


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_text(tmp_path)


def refused(limit: int, *arguments: Any) -> str:
    """The message of a command that may write files of so many bytes."""
    command = [sys.executable, "-m", "proxstep", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    (message,) = done.stderr.splitlines()
    return message


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


@pytest.mark.parametrize("name", ["config.toml", "curve.png"])
def test_a_run_that_goes_on(name: str, text: Path) -> None:
    pytest.importorskip("matplotlib")
    assert train(text, "--out", "run") == 0
    before = contents("run")
    message = refused(len(before[name]) - 9, "train", "--quiet", "--resume", "--out", "run")
    assert message == f"proxstep train: error: run/{name}: File too large"
    assert contents("run") == before


def test_a_record_that_does_not_fit(text: Path) -> None:
    """The log is cut in a line, and the run goes on from its checkpoint as if it were not."""
    train(text, "--out", "run")
    seldom = ("--eval-every", 100, "--save-every", 100, "--steps", 60)
    options = ("--resume", "--out", "run", *seldom)
    assert "run/metrics.jsonl: File too large" in refused(7000, "train", "--quiet", *options)
    assert train(*options) == 0
    log = contents("run")["metrics.jsonl"].decode().splitlines()
    assert [line.split(",")[0] for line in log] == [f'{{"step": {step}' for step in range(61)]


def test_the_tokens(text: Path) -> None:
    message = refused(999, "train", text, *SMALL, "--out", "run", "--cache", "cache")
    assert message.startswith("proxstep train: error: cache/tokens-")
    assert message.endswith(".bin: File too large")
    assert not list(Path("cache").iterdir())


def test_a_sweep(text: Path) -> None:
    pytest.importorskip("matplotlib")
    assert "sweep/sweep.json: File too large" in refused(9, *SWEEP)
    assert not contents("sweep")
    assert main(list(SWEEP)) == 0
    before = contents("sweep")
    message = refused(len(before["frontier.png"]) - 9, *SWEEP)
    assert message == "proxstep sweep: error: sweep/frontier.png: File too large"
    assert contents("sweep") == before
