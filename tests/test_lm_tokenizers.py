"""Laws of tokenizers: characters, bytes, byte pairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lm_cases import TEXT
from proxstep.lm.cut import chunks
from proxstep.lm.data import encode_pieces
from proxstep.lm.text import Text
from proxstep.lm.tokenizer import (
    ByteTokenizer,
    CharacterTokenizer,
    Tokenizer,
    identify,
    make_tokenizer,
    restore_tokenizer,
)

tokenizers = pytest.importorskip("tokenizers", reason="the extra bpe")
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
PROSE = st.text(st.sampled_from("ab1'.é \n\r\t\u3000"), min_size=1, max_size=60)
LEARNED = make_tokenizer("bpe", Text.from_string(TEXT), 300)


def make(kind: str, text: str) -> Tokenizer:
    return LEARNED if kind == "bpe" else make_tokenizer(kind, Text.from_string(text))


@pytest.mark.parametrize("kind", ["characters", "bytes", "bpe"])
@given(text=WORDS)
def test_decode_undoes_encode(kind: str, text: str) -> None:
    tokenizer = make(kind, text)
    tokens = tokenizer.encode(text)
    assert tokens.dtype == np.int64
    assert 0 <= tokens.min() <= tokens.max() < tokenizer.size
    assert tokenizer.decode(tokens) == text
    again = restore_tokenizer(json.loads(json.dumps(tokenizer.state())))
    assert again.encode(text).tolist() == tokens.tolist()
    assert (again.size, identify(again)) == (tokenizer.size, identify(tokenizer))
    assert tokenizer.byte_lengths()[tokens].sum() == len(text.encode())


@pytest.mark.parametrize(
    ("kind", "lacking"), [("characters", "symbols"), ("bpe", "model"), ("numbers", "size")]
)
def test_a_state_that_lacks_a_part_is_no_other_tokenizer(kind: str, lacking: str) -> None:
    with pytest.raises(KeyError, match=lacking):
        restore_tokenizer({"kind": kind})


@pytest.mark.parametrize("kind", ["characters", "bytes", "bpe"])
@given(text=PROSE, piece=st.integers(1, 7))
def test_the_borders_of_pieces_change_no_token(kind: str, text: str, piece: int) -> None:
    whole, parts = Text.from_string(text), Text.from_string(text, piece)
    parts.patience = len(text)  # a place to cut may be far away
    tokenizer = make(kind, text)
    tokens = np.concatenate(list(encode_pieces(parts, tokenizer)))
    assert tokens.dtype == np.uint16
    assert tokens.tolist() == tokenizer.encode(text).tolist()
    assert "".join(whole.pieces()) == "".join(parts.pieces()) == text


@given(text=PROSE | WORDS, size=st.integers(1, 9))
def test_chunks_tear_no_word_of_byte_pairs(text: str, size: int) -> None:
    """Pairs are merged within the words that the library splits a text into, whatever pairs."""
    split = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str
    parts = list(chunks(text, size))
    assert "".join(parts) == text
    assert [word for part in parts for word, _ in split(part)] == [word for word, _ in split(text)]
    assert LEARNED.encode("").tolist() == []


@given(known=WORDS, text=WORDS)
def test_unknown_characters_are_named(known: str, text: str) -> None:
    tokenizer = CharacterTokenizer.from_text(known)
    strange = [c for c in text if c not in known]
    if not strange:
        tokenizer.encode(text)
        return
    with pytest.raises(ValueError, match="is not among the") as caught:
        tokenizer.encode(text)
    assert repr(strange[0]) in str(caught.value)


def test_byte_pairs_are_learned_from_the_text_and_its_first_share_only() -> None:
    assert LEARNED.size == 300
    assert len(LEARNED.encode(TEXT)) < 0.6 * len(TEXT)
    assert LEARNED.decode(LEARNED.encode(" squared")[:1]) == " squared"
    text = Text.from_string("ab " * 300 + "zq " * 300)
    first = make_tokenizer("bpe", text, 258, share=0.5)
    assert (len(first.encode("ab ab")), len(first.encode("zq zq"))) == (2, 5)


def test_the_same_text_teaches_the_same_pairs() -> None:
    again = make_tokenizer("bpe", Text.from_string(TEXT, piece=50), 300)
    assert identify(again) == identify(LEARNED)


def test_of_a_large_text_evenly_spaced_pieces_are_used() -> None:
    text = Text.from_string(TEXT, piece=100)
    some = list(text.some(0.7, 600))
    assert 300 < sum(map(len, some)) < 800
    assert TEXT.startswith(some[0])
    assert 0.5 < TEXT.index(some[-1]) / len(TEXT) < 0.7


def test_a_file_of_the_library_is_taken_whole(tmp_path: Path) -> None:
    file = tmp_path / "tok.json"
    file.write_text(LEARNED.state()["model"])
    loaded = make_tokenizer(str(file), Text.from_string(TEXT))
    assert loaded.encode(TEXT).tolist() == LEARNED.encode(TEXT).tolist()
    library = tokenizers.Tokenizer.from_str(LEARNED.state()["model"])
    library.enable_truncation(3)
    library.enable_padding(length=9)
    library.save(str(file))
    cut = make_tokenizer(str(file), Text.from_string(TEXT))
    assert cut.encode(TEXT).tolist() == LEARNED.encode(TEXT).tolist()


def test_bytes_of_a_token_are_unknown_where_text_is_changed(tmp_path: Path) -> None:
    library = tokenizers.Tokenizer.from_str(LEARNED.state()["model"])
    library.normalizer = tokenizers.normalizers.Lowercase()
    library.save(str(tmp_path / "lower.json"))
    assert (
        make_tokenizer(str(tmp_path / "lower.json"), Text.from_string("A")).byte_lengths() is None
    )


BAD: list[tuple[dict[str, Any], str]] = [
    ({"kind": "byte"}, "unknown tokenizer 'byte': did you mean 'bytes'"),
    ({"kind": "bpe", "size": 255}, "vocabulary=255 is below 256, the bytes that bpe begins with"),
    (
        {"kind": "bpe", "size": 999},
        "vocabulary=999, but the tokenizer 'bpe' has 25. tokens here; ask for at most 25.",
    ),
    ({"kind": "bytes", "size": 300}, "vocabulary=300, but the tokenizer 'bytes' has 256 tokens"),
    ({"kind": "characters", "size": 4}, "vocabulary=4, but the tokenizer 'characters' has 3"),
    ({"kind": "bad.json"}, "bad.json: not a tokenizer of the tokenizers library"),
    ({"kind": "no.json"}, "No such file or directory: 'no.json'"),
]


@pytest.mark.parametrize(("asked", "message"), BAD)
def test_what_cannot_be_is_refused(
    asked: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.json").write_text('{"model": 3}')
    with pytest.raises((ValueError, OSError), match=message):
        make_tokenizer(text=Text.from_string("abc"), **asked)


def test_bytes_that_are_not_utf_8_are_bytes() -> None:
    text = bytes(range(256)).decode("utf-8", "surrogateescape")
    assert ByteTokenizer().encode(text).tolist() == list(range(256))
