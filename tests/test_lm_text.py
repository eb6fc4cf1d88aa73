"""Laws of batches, windows and sampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lm_cases import make_model
from proxstep.lm.data import Corpus, draw_batch, windows
from proxstep.lm.diverged import DivergedError
from proxstep.lm.generate import Sampling, draw, generate


def test_batches_cover_every_place_and_nothing_beyond() -> None:
    tokens = np.arange(23)
    x, y = draw_batch(tokens, np.random.default_rng(2), batch=2000, context=7)
    assert set(x[:, 0]) == set(range(23 - 7))
    assert y.max() == 22
    np.testing.assert_array_equal(x[:, 1:], y[:, :-1])


@given(size=st.integers(2, 200), context=st.integers(1, 40), batch=st.integers(1, 7))
def test_windows_cover_all_tokens_but_a_short_rest(size: int, context: int, batch: int) -> None:
    parts = list(windows(np.arange(size), context, batch))
    x, y = (np.concatenate([part[i] for part in parts] or [np.empty(0, int)]) for i in (0, 1))
    assert x.ravel().tolist() == list(range(x.size))
    np.testing.assert_array_equal(y, x + 1)
    assert 0 <= size - 1 - x.size < context
    assert all(part[0].shape == (batch, context) for part in parts[:-1])


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


@pytest.mark.parametrize("temperature", [0.5, 1e-320])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_of_equal_logits_the_first_are_kept(count: int, temperature: float) -> None:
    """At the lowest temperatures nothing below the likeliest is drawn."""
    logits, rng = np.array([0.3, 1.0, 1.0, -40.0, 1.0]), np.random.default_rng(2)
    sampling = Sampling(temperature, top_k=count)
    drawn = {draw(logits, sampling, rng) for _ in range(400)}
    expected = [1, 2, 4] if count > 3 and temperature < 0.1 else [1, 2, 4, 0][:count]
    assert drawn == set(expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("temperature", [0, 0.7])
def test_logits_that_are_not_finite_are_refused(bad: float, temperature: float) -> None:
    with pytest.raises(DivergedError, match=f"the logit of token 2 is {bad}, not a finite"):
        draw(np.array([0.5, 0.1, bad]), Sampling(temperature), np.random.default_rng(0))


@pytest.mark.parametrize("bad", [{"temperature": -0.1}, {"temperature": np.nan}, {"top_k": -1}])
def test_bad_sampling_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(bad))}="):
        Sampling(**bad)  # type: ignore[arg-type]


def test_an_empty_prompt_is_refused() -> None:
    model, x, _ = make_model()
    with pytest.raises(ValueError, match="the prompt is empty"):
        next(generate(model, x[0, :0], 5, Sampling()))
