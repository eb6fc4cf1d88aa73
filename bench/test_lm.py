"""The benchmark of training runs: both programs run, and the report holds what they said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from lm.__main__ import run_row
from lm.report import write_report
from lm.rows import ROWS, Row, large_rows

SHORT = ("--steps", "20")  # the last two keep the zeros
TINY = ("--layers", "1", "--heads", "1", "--channels", "8", "--context", "8", "--batch", "2")


@pytest.mark.parametrize("name", ["90 %, AdamW, top-k", "90 %, torch, magnitude ramp"])
def test_a_run_gives_loss_zeros_time_and_memory(name: str, tmp_path: Path) -> None:
    if "torch" in name:
        pytest.importorskip("torch")
    text = tmp_path / "text.txt"
    text.write_text("To be, or not to be, that is the question.\n" * 60)
    (row,) = [row for row in ROWS if row.name == name]
    found = run_row(replace(row, options=(*row.options, *SHORT)), text, seed=1)
    assert 0 < found["val_loss"] < 4
    assert found["zeros"] == pytest.approx(0.9, abs=0.05)
    assert found["seconds"] > 0 < found["peak_mib"]
    write_report({"runs": [found]}, ROWS, tmp_path / "lm.md")
    assert f"| {name} | 1 |" in (tmp_path / "lm.md").read_text()


@pytest.mark.parametrize("row", large_rows("cpu"), ids=lambda row: row.program)
def test_the_rows_for_a_gpu_run(row: Row, tmp_path: Path) -> None:
    if row.program != "proxstep":
        pytest.importorskip("torch")
    text = tmp_path / "text.txt"
    text.write_text("To be, or not to be, that is the question.\n" * 60)
    found = run_row(replace(row, options=(*row.options, *SHORT, *TINY)), text, seed=1)
    assert 0 < found["val_loss"] < 4
    write_report({"runs": [found]}, [row], tmp_path / "lm.md")
    assert f"| {row.name} | 1 |" in (tmp_path / "lm.md").read_text()


def test_rows_have_names_of_their_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
