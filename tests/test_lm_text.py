"""Laws of tokenizers, batches, windows and sampling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lm_cases import make_model
from proxstep.lm.data import Corpus, draw_batch, fingerprint, read_text, windows
from proxstep.lm.generate import Sampling, draw, generate
from proxstep.lm.tokenizer import ByteTokenizer, make_tokenizer, restore_tokenizer

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize("kind", ["characters", "bytes"])
@given(text=WORDS)
def test_decode_undoes_encode(kind: str, text: str) -> None:
    tokenizer = make_tokenizer(kind, text)
    tokens = tokenizer.encode(text)
    assert tokens.dtype == np.int64
    assert 0 <= tokens.min() <= tokens.max() < tokenizer.size
    assert tokenizer.decode(tokens) == text
    assert restore_tokenizer(tokenizer.state()).encode(text).tolist() == tokens.tolist()


@given(known=WORDS, text=WORDS)
def test_unknown_characters_are_named(known: str, text: str) -> None:
    tokenizer = make_tokenizer("characters", known)
    strange = [c for c in text if c not in known]
    if not strange:
        tokenizer.encode(text)
        return
    with pytest.raises(ValueError, match="is not among the") as caught:
        tokenizer.encode(text)
    assert repr(strange[0]) in str(caught.value)


def test_any_bytes_pass_through_the_byte_tokenizer(tmp_path: Path) -> None:
    content = bytes(range(256)) * 2
    (tmp_path / "binary").write_bytes(content)
    text = read_text([tmp_path / "binary"])
    assert bytes(ByteTokenizer().encode(text).tolist()) == content


def test_characters_are_refused_where_a_byte_is_not_utf_8() -> None:
    text = b"caf\xe9 \xff".decode("utf-8", "surrogateescape")
    with pytest.raises(ValueError, match="byte 0xe9 at character 3; the tokenizer 'bytes'"):
        make_tokenizer("characters", text)


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown tokenizer 'byte': did you mean 'bytes'"):
        make_tokenizer("byte", "text")


def test_files_are_joined_and_no_file_is_the_manual(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name * 3)
    assert read_text([tmp_path / "a", tmp_path / "b"]) == "aaabbb"
    manual = read_text([])
    assert len(manual) > 300_000
    assert fingerprint(manual) == fingerprint(read_text([])) != fingerprint(manual[1:])


def test_batches_cover_every_place_and_nothing_beyond() -> None:
    tokens = np.arange(23)
    x, y = draw_batch(tokens, np.random.default_rng(2), batch=2000, context=7)
    assert set(x[:, 0]) == set(range(23 - 7))
    assert y.max() == 22
    np.testing.assert_array_equal(x[:, 1:], y[:, :-1])


@given(size=st.integers(2, 200), context=st.integers(1, 40))
def test_windows_cover_all_tokens_but_a_short_rest(size: int, context: int) -> None:
    x, y = windows(np.arange(size), context)
    assert x.ravel().tolist() == list(range(x.size))
    np.testing.assert_array_equal(y, x + 1)
    assert 0 <= size - 1 - x.size < context


@pytest.mark.parametrize("size", [0, 6, 7])
def test_a_text_shorter_than_the_context_is_refused(size: int) -> None:
    corpus = Corpus(np.arange(size), np.arange(0))
    if size == 7:
        corpus.check(6)
        return
    with pytest.raises(ValueError, match=f"training text has {size} tokens; context=6 needs at"):
        corpus.check(6)
    with pytest.raises(ValueError, match="validation text has 3 tokens"):
        Corpus(np.arange(9), np.arange(3)).check(6)


def test_draws_follow_the_softmax() -> None:
    logits, rng = np.array([0.3, -1.2, 1.1, 0.7]), np.random.default_rng(7)
    sampling = Sampling(temperature=1.7)
    counts = np.bincount([draw(logits, sampling, rng) for _ in range(20_000)], minlength=4)
    expected = np.exp(logits / 1.7) / np.exp(logits / 1.7).sum()
    np.testing.assert_allclose(counts / 20_000, expected, atol=0.015)


def test_generation_repeats_with_its_seed_and_slides_past_the_context() -> None:
    model, x, _ = make_model()
    first = list(generate(model, x[0], 40, Sampling(seed=4)))
    assert len(first) == 40
    assert first == list(generate(model, x[0], 40, Sampling(seed=4)))
    assert first != list(generate(model, x[0], 40, Sampling(seed=5)))


def test_temperature_zero_takes_the_likeliest() -> None:
    model, x, _ = make_model()
    greedy = next(generate(model, x[0], 1, Sampling(temperature=0)))
    assert greedy == np.argmax(model.forward(x[:1])[-1])
    assert greedy == next(generate(model, x[0], 1, Sampling(top_k=1, seed=9)))


@pytest.mark.parametrize("bad", [{"temperature": -0.1}, {"temperature": np.nan}, {"top_k": -1}])
def test_bad_sampling_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(bad))}="):
        Sampling(**bad)  # type: ignore[arg-type]


def test_an_empty_prompt_is_refused() -> None:
    model, x, _ = make_model()
    with pytest.raises(ValueError, match="the prompt is empty"):
        next(generate(model, x[0, :0], 5, Sampling()))
