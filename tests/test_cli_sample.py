"""The sample command: prompts, samples, stops, speed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_cases import make_text, train
from lm_cases import TEXT
from proxstep.cli import main
from proxstep.lm.checkpoint import load_checkpoint, save_checkpoint
from proxstep.lm.folder import load_model


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    assert train(make_text(folder), "--out", folder / "run", "--penalty", "none") == 0
    return folder / "run"


def sample(run: Path, capsys: Any, *arguments: str) -> str:
    capsys.readouterr()
    assert main(["sample", str(run), "--tokens", "30", *arguments]) == 0
    return str(capsys.readouterr().out)


def test_a_prompt_may_be_a_file_or_the_standard_input(
    run: Path, capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = sample(run, capsys, "--prompt", "7 is\n")
    (tmp_path / "prompt").write_text("7 is\n")
    assert sample(run, capsys, "--prompt-file", str(tmp_path / "prompt")) == expected
    monkeypatch.setattr("sys.stdin", io.StringIO("7 is\n"))
    assert sample(run, capsys, "--prompt", "-") == expected


def test_a_prompt_is_not_needed(run: Path, capsys: Any, tmp_path: Path) -> None:
    assert sample(run, capsys) == sample(run, capsys, "--prompt", "\n")
    text = tmp_path / "one-line.txt"
    text.write_text(TEXT.replace("\n", "/"))
    assert train(text, "--out", tmp_path / "run") == 0
    first = load_model(tmp_path / "run")[1].tokenizer.decode([0])
    said = sample(tmp_path / "run", capsys)
    assert said == sample(tmp_path / "run", capsys, "--prompt", first)
    assert said.startswith(first)


def test_samples_have_seeds_of_their_own(run: Path, capsys: Any) -> None:
    singles = [sample(run, capsys, "--prompt", "7", "--seed", str(seed)) for seed in (5, 6, 7)]
    assert len(set(singles)) == 3
    together = sample(run, capsys, "--prompt", "7", "--seed", "5", "--count", "3")
    assert together == "---\n".join(singles)


def test_text_ends_before_the_stop(run: Path, capsys: Any) -> None:
    whole = sample(run, capsys, "--prompt", "7")
    stop = whole[9:11]
    assert stop not in whole[1:9]
    assert sample(run, capsys, "--prompt", "7", "--stop", stop) == whole[:9] + "\n"


def test_a_share_of_the_draws_keeps_the_likeliest(run: Path, capsys: Any) -> None:
    greedy = sample(run, capsys, "--temperature", "0")
    assert sample(run, capsys, "--top-p", "0.001") == greedy != sample(run, capsys)


def test_the_speed_goes_to_the_error_stream(run: Path, capsys: Any) -> None:
    plain = sample(run, capsys)
    assert sample(run, capsys, "--stats") == plain
    main(["sample", str(run), "--tokens", "30", "--count", "2", "--stats"])
    assert capsys.readouterr().err.startswith("58 tokens in ")


def test_sparse_products_write_the_same_text(run: Path, capsys: Any, tmp_path: Path) -> None:
    main(["sample", str(run), "--sparse"])
    assert "changes nothing: no matrix has at least 70 % exact" in capsys.readouterr().err
    arrays, info = load_checkpoint(run, "best")
    rng = np.random.default_rng(0)
    kept = {k: a * ((rng.random(a.shape) < 0.2) | (a.ndim == 1)) for k, a in arrays.items()}
    save_checkpoint(tmp_path, "best", kept, {key: info[key] for key in ("step", "run")})
    dense = sample(tmp_path, capsys)
    assert sample(tmp_path, capsys, "--sparse") == dense
    assert capsys.readouterr().err == ""


def test_a_prompt_that_is_not_utf8_is_named(
    run: Path, capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prompt").write_bytes(b"7 \xff")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"7 \xff"), "utf-8"))
    for name, option in (("prompt", "--prompt-file"), ("-", "--prompt")):
        assert main(["sample", str(run), option, str(tmp_path / name) if name != "-" else "-"]) == 2
        named = "standard input" if name == "-" else "prompt"
        assert f"{named} is not UTF-8: 'utf-8' codec can't decode" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tokens", "-1"], "--tokens -1 is below 0"),
        (["--count", "-2"], "--count -2 is below 0"),
        (["--top-p", "1.5"], "top_p=1.5 is not above 0 and at most 1"),
        (["--prompt-file", "nowhere"], "nowhere: No such file or directory"),
    ],
)
def test_what_cannot_be_sampled_is_refused(
    run: Path, capsys: Any, arguments: list[str], message: str
) -> None:
    assert main(["sample", str(run), *arguments]) == 2
    assert message in capsys.readouterr().err
