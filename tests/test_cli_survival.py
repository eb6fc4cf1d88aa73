"""Runs that are interrupted, resumed, out of disk or diverging: nothing saved is lost."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_cases import SMALL, final_bits, make_text, read_log, train
from proxstep.lm.checkpoint import load_checkpoint


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_text(tmp_path)


def start(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
    code = "import sys; from proxstep.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, **options)


def test_resume_goes_on_to_the_same_bits(text: Path) -> None:
    train(text, "--out", "whole")
    halt_at(text, "cut", 8)
    assert train("--out", "cut", "--resume", "--json", "log.jsonl") == 0
    assert final_bits(Path("cut")) == final_bits(Path("whole"))
    logs = [read_log(Path(name)) for name in ("log.jsonl", "whole/metrics.jsonl")]
    for record in (*logs[0], *logs[1]):
        del record["tokens_per_s"]
    assert logs[0] == logs[1]


def halt_at(text: Path, folder: str, step: int) -> None:
    """Make a run that was stopped after a step, by a signal that arrives in it."""
    from proxstep.lm.trainer import Trainer

    advance = Trainer.advance

    def interrupted(self: Trainer) -> Any:
        if self.step == step - 1:
            signal.raise_signal(signal.SIGINT)
        return advance(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "advance", interrupted)
        assert train(text, "--out", folder, "--overwrite") == 130
    assert load_checkpoint(Path(folder), "last")[1]["step"] == step


def test_an_odd_step_can_be_resumed(text: Path) -> None:
    train(text, "--out", "whole")
    halt_at(text, "cut", 5)
    assert train("--out", "cut", "--resume") == 0
    assert final_bits(Path("cut")) == final_bits(Path("whole"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_exits(text: Path, number: signal.Signals, code: int) -> None:
    arguments = ["train", text, *SMALL, "--out", "run", "--steps", 10**6, "--save-every", 10**6]
    process = start(*arguments)
    log = Path("run/metrics.jsonl")
    wait_for(lambda: log.exists() and log.read_text().count("\n") > 5)
    process.send_signal(number)
    report, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "interrupted at step" in report
    step = load_checkpoint(Path("run"), "last")[1]["step"]
    assert read_log(log)[-1]["step"] == step > 4
    assert train("--out", "run", "--resume", "--steps", step, "--save-every", 4) == 0


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def test_a_full_disk_keeps_the_last_checkpoint(text: Path) -> None:
    train(text, "--out", "run", "--steps", 8)
    before = final_bits(Path("run"))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))

    process = start("train", "--out", "run", "--resume", "--steps", 12, preexec_fn=limit)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.startswith("proxstep train: error: ")
    assert "File too large" in errors
    assert final_bits(Path("run")) == before
    assert not list(Path("run").glob("*.part"))
    assert train("--out", "run", "--resume", "--steps", 12) == 0


def test_a_reader_that_leaves_early_is_no_error(text: Path) -> None:
    train(text, "--out", "run")
    process = start("sample", "run", "--tokens", "5")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 1


def test_divergence_fails_and_keeps_the_checkpoint(
    text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(text, "--out", "run", "--steps", 4)
    before = final_bits(Path("run"))
    arguments = ("--lr", 1e30, "--warmup", 0, "--penalty", "none", "--overwrite", "--steps", 9)
    assert train(text, "--out", "other", *arguments) == 1
    (message,) = capsys.readouterr().err.splitlines()
    assert "error: step 2: the gradient's norm is nan: the gradient of 'token_emb" in message
    assert message.endswith(
        "begin a new run with --lr below 1e+30 and --muon-lr below 0.02; "
        "--resume would only repeat these steps"
    )
    assert not list(Path("other").glob("*.safetensors"))
    assert final_bits(Path("run")) == before
