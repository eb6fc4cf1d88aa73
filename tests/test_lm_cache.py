"""The file of tokens: the same as in memory, written once, verified, of bounded memory."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lm_cases import TEXT
from proxstep.lm import cache
from proxstep.lm.cache import TokenFile, cached_tokens, load_tokens
from proxstep.lm.data import Corpus, draw_batch, windows
from proxstep.lm.text import Text
from proxstep.lm.tokenizer import ByteTokenizer, make_tokenizer

SOME = Text.from_string(TEXT, piece=100)


def write(folder: Path, text: Text = SOME, kind: str = "characters") -> tuple[TokenFile, str]:
    """The tokens of a text, and what was said of them."""
    said: list[str] = []
    return cached_tokens(text, make_tokenizer(kind, text), folder, said.append), said[0]


@pytest.mark.parametrize("kind", ["characters", "bytes"])
def test_a_file_reads_like_the_array(kind: str, tmp_path: Path) -> None:
    file, _ = write(tmp_path, kind=kind)
    array = load_tokens(SOME, make_tokenizer(kind, SOME), tmp_path / "no", print, file=False)
    assert not (tmp_path / "no").exists()
    corpora = [Corpus.split(tokens, 0.13) for tokens in (file, array)]
    for name in ("train", "validation"):
        one, other = (getattr(corpus, name) for corpus in corpora)
        assert one.size == other.size
        pairs = [draw_batch(tokens, np.random.default_rng(5), 7, 11) for tokens in (one, other)]
        pairs += [tuple(map(np.concatenate, zip(*windows(tokens, 11, 4), strict=True)))
                  for tokens in (one, other)]  # fmt: skip
        for (x, y), (x_array, y_array) in (pairs[:2], pairs[2:]):
            assert x.dtype == y.dtype == np.int64
            np.testing.assert_array_equal(x, x_array)
            np.testing.assert_array_equal(y, y_array)


def test_tokens_are_written_once_for_a_text_and_a_tokenizer(tmp_path: Path) -> None:
    first, said = write(tmp_path)
    assert said.endswith(f"written to {first.path}")
    before = first.path.stat().st_mtime_ns
    again, said = write(tmp_path)
    assert said == f"tokens: {len(TEXT):,} in {first.path}"
    assert (again, again.path.stat().st_mtime_ns) == (first, before)
    others = [write(tmp_path, Text.from_string(TEXT + "!"))[0], write(tmp_path, kind="bytes")[0]]
    assert len({first.path, *(other.path for other in others)}) == 3


def damage_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[777] ^= 4
    path.write_bytes(data)


def relabel(path: Path) -> None:
    label = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**label, "text": "another"}))


DAMAGES: list[Any] = [
    damage_bit,
    relabel,
    lambda path: path.write_bytes(path.read_bytes()[:-2]),
    lambda path: path.unlink(),
    lambda path: path.with_suffix(".json").unlink(),
    lambda path: path.with_suffix(".json").write_text("{"),
    lambda path: path.with_suffix(".json").write_text('{"more": 1}'),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_written_anew(damage: Any, tmp_path: Path) -> None:
    good = write(tmp_path)[0].path.read_bytes()
    damage(write(tmp_path)[0].path)
    file, said = write(tmp_path)
    assert "written to" in said
    assert file.path.read_bytes() == good


def test_a_file_cut_short_while_it_is_read_is_told(tmp_path: Path) -> None:
    file, _ = write(tmp_path)
    os.truncate(file.path, 2 * 70)
    assert np.asarray(file[60:70], np.int32).dtype == np.int32
    with pytest.raises(OSError, match=r"tokens-.*\.bin was cut short: it has no token 70$"):
        draw_batch(file[65:90], np.random.default_rng(1), 1, 24)
    with pytest.raises(ValueError, match="its tokens are always a copy"):
        file.__array__(copy=False)


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_more_than_65536_tokens_take_four_bytes(tmp_path: Path) -> None:
    class Wide(ByteTokenizer):
        size = 70_000

        def encode(self, text: str) -> Any:
            return super().encode(text) + 69_000

    file = cached_tokens(SOME, Wide(), tmp_path, print)
    assert file.path.stat().st_size == 4 * len(TEXT)
    assert np.asarray(file[:9]).tolist() == [code + 69_000 for code in TEXT[:9].encode()]


MEASURED = """
import sys
import tracemalloc
from pathlib import Path
import numpy as np
from proxstep.lm.cache import load_tokens
from proxstep.lm.data import Corpus, draw_batch, windows
from proxstep.lm.text import Text
from proxstep.lm.tokenizer import make_tokenizer
tracemalloc.start()
text = Text.from_names(sys.argv[1:2])
tokenizer = make_tokenizer(sys.argv[3], text)
tokens = load_tokens(text, tokenizer, Path(sys.argv[2]), print, file=True)
corpus, rng = Corpus.split(tokens, 0.1), np.random.default_rng(1)
for _ in range(300):
    draw_batch(corpus.train, rng, 12, 64)
print(sum(x.size for x, _ in windows(corpus.validation, 64, 12)))
print(tracemalloc.get_traced_memory()[1])  # resident pages depend on the kernel, too
"""


@pytest.mark.parametrize("kind", ["characters", "bytes"])
def test_memory_does_not_grow_with_the_text(kind: str, tmp_path: Path) -> None:
    peaks = []
    for size in (8, 48):  # MiB
        file = tmp_path / f"{size}.txt"
        file.write_text(f"{TEXT}é" * (size * 2**20 // len(TEXT)))
        command = [sys.executable, "-c", MEASURED, str(file), str(tmp_path), kind]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peaks.append(int(out.split()[-1]) / 2**20)
    assert peaks[1] < peaks[0] + 1
