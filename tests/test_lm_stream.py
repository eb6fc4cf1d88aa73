"""Laws of text that is written as it comes, and of what is kept of a distribution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from proxstep.lm.generate import Sampling, draw
from proxstep.lm.stream import TextStream, pieces, until
from proxstep.lm.tokenizer import ByteTokenizer

BYTES = st.lists(st.sampled_from([*b"aE\n", *"é€😀".encode(), 0xFF, 0xC3]), max_size=30)


@given(tokens=BYTES)
def test_pieces_join_to_the_text(tokens: list[int]) -> None:
    assert "".join(pieces(ByteTokenizer(), tokens)) == ByteTokenizer().decode(tokens)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_no_piece_holds_a_part_of_a_character(text: str) -> None:
    stream = TextStream(ByteTokenizer())
    written = ""
    for byte in text.encode():
        written += stream.add(byte)
        assert text.startswith(written)
    assert written + stream.finish() == text


@given(text=st.text("abc", max_size=40), stop=st.text("abc", max_size=4), size=st.integers(1, 5))
def test_until_cuts_at_the_first_stop(text: str, stop: str, size: int) -> None:
    parts = [text[i : i + size] for i in range(0, len(text), size)]
    expected = text.partition(stop)[0] if stop else text
    assert "".join(until(parts, stop)) == expected


def test_nothing_is_made_beyond_the_stop() -> None:
    taken: list[str] = []
    text = (taken.append(c) or c for c in "one. two. three")  # type: ignore[func-returns-value]
    assert "".join(until(text, ". t")) == "one"
    assert "".join(taken) == "one. t"


@given(
    shares=st.lists(st.integers(1, 50), min_size=2, max_size=9, unique=True),
    top_p=st.floats(0.05, 1),
)
def test_a_nucleus_is_the_smallest_that_reaches_p(shares: list[int], top_p: float) -> None:
    total, order = sum(shares), np.argsort(shares)[::-1]
    reached = np.cumsum(np.array(shares)[order]) / total
    size = int(np.argmax(reached >= top_p - 1e-12)) + 1
    rng, sampling = np.random.default_rng(1), Sampling(1.0, top_p=top_p)
    drawn = {draw(np.log(shares), sampling, rng) for _ in range(60)}
    assert drawn <= set(order[:size].tolist())
    # A fair draw of 400 misses a share of 2 % or more with probability 3e-4.
    if shares[order[size - 1]] / total > 0.1:
        drawn |= {draw(np.log(shares), sampling, rng) for _ in range(400)}
        assert int(order[size - 1]) in drawn


@pytest.mark.parametrize("bad", [0.0, -0.1, 1.01, np.nan])
def test_a_bad_top_p_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match=r"top_p=.* is not above 0 and at most 1"):
        Sampling(top_p=bad)


def test_pieces_of_byte_pairs_join_to_the_text() -> None:
    pytest.importorskip("tokenizers")
    from proxstep.lm.bpe import BPETokenizer

    tokenizer = BPETokenizer.train(["año 😀 el niño, €5 "] * 20, 280)
    rng = np.random.default_rng(6)
    for _ in range(20):
        tokens = [int(token) for token in rng.integers(tokenizer.size, size=60)]
        assert "".join(pieces(tokenizer, tokens)) == tokenizer.decode(tokens)
    text = "el niño 😀€ año"
    written = ""
    for piece in pieces(tokenizer, tokenizer.encode(text).tolist()):
        written += piece
        assert text.startswith(written)
    assert written == text
