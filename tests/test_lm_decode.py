"""Laws of decoding: what is read piece by piece, and by sparse products, is what the model says."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from typing import Any

import numpy as np
import proxstep as ps
import pytest
from lm_cases import make_model
from proxstep import _core
from proxstep.lm.decode import CachedDecoder, PlainDecoder, make_decoder
from proxstep.lm.generate import Sampling, generate

# 24 channels are not whole lanes; one block has lost a head and most of its hidden layer.
SIZES: dict[str, Any] = {"layers": 3, "heads": 3, "channels": 24, "context": 19, "vocabulary": 37}
SHAPES = [{}, {"block_heads": (3, 1, 2), "block_hidden": (96, 1, 21)}]
TOLERANCES = [("float64", 1e-13), ("float32", 2e-5)]


def make(dtype: str = "float64", *, zeros: float = 0.0, **sizes: Any) -> Any:
    """A model of which a share of the 2-D weights is zero, at random places."""
    model, _, _ = make_model(dtype=dtype, **{**SIZES, **sizes})
    matrices = model.weights.matrices
    matrices[np.random.default_rng(5).random(matrices.size) < zeros] = 0
    return model


def tokens_of(model: Any) -> list[int]:
    rng = np.random.default_rng(8)
    return [int(token) for token in rng.integers(model.config.vocabulary, size=19)]


def read_in_pieces(decoder: CachedDecoder, tokens: list[int], first: int) -> Any:
    """The logits after the first few tokens, and after each of the others."""
    return np.array(
        [decoder.read(tokens[:first]).copy(), *(decoder.step(t).copy() for t in tokens[first:])]
    )


@pytest.mark.parametrize("gelu", ["tanh", "erf"])
@pytest.mark.parametrize("zeros", [0.0, 0.87])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_logits_are_the_models(
    dtype: str, tolerance: float, shape: Any, zeros: float, gelu: str
) -> None:
    model = make(dtype, zeros=zeros, gelu=gelu, tied=gelu == "erf", **shape)
    decoder = CachedDecoder(model, sparse=zeros > 0)
    assert (decoder.packed > 8) == (zeros > 0)
    tokens = tokens_of(model)
    expected = model.forward(np.array([tokens]))
    scale = np.abs(expected).max()
    for first in (1, 7, 19):
        found = read_in_pieces(decoder, tokens, first)
        np.testing.assert_allclose(found, expected[first - 1 :], atol=tolerance * scale)


@pytest.mark.parametrize("zeros", [0.0, 0.87])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_bits_depend_on_neither_pieces_nor_processor(
    dtype: str, zeros: float, threads: None
) -> None:
    model, before, found = make(dtype, zeros=zeros), _core.isa(), set()
    tokens = tokens_of(model)
    for isa in _core.isas():
        for count in (1, 3):
            _core.set_isa(isa)
            ps.set_num_threads(count)
            decoder = CachedDecoder(model, sparse=zeros > 0)
            for first in (1, 5, 19):
                found.add(read_in_pieces(decoder, tokens, first)[-1].tobytes())
    _core.set_isa(before)
    assert len(found) == 1


def test_large_products_have_the_same_bits_on_many_threads(threads: None) -> None:
    model, found = make("float32", zeros=0.9, channels=384, layers=1, vocabulary=900), set()
    for sparse in (False, True):
        for count in (1, 4):
            ps.set_num_threads(count)
            logits = CachedDecoder(model, sparse=sparse).read(tokens_of(model))
            found.add((sparse, logits.tobytes()))
    assert len(found) == 2


@pytest.mark.parametrize("sampling", [Sampling(0), Sampling(1.1, 9, 0.93, seed=4)])
def test_text_is_that_without_a_cache(sampling: Sampling) -> None:
    model = make()
    cached, plain = CachedDecoder(model), PlainDecoder(model)
    for prompt in (tokens_of(model)[:3], tokens_of(model) * 2):
        found = [list(generate(model, prompt, 60, sampling, d)) for d in (cached, plain)]
        assert found[0] == found[1]


def test_a_full_context_is_read_again_from_its_middle() -> None:
    model = make()
    text = list(generate(model, tokens_of(model)[:3], 40, Sampling(0)))
    tokens = [*tokens_of(model)[:3], *text]
    # 19 tokens fit; then the last 9 are seen, until there are 19 again.
    for end, seen in ((18, 18), (19, 19), (20, 9), (21, 10), (29, 18), (30, 19), (31, 9)):
        logits = model.forward(np.array([tokens[end - seen : end]]))[-1]
        assert tokens[end] == np.argmax(logits)


def test_a_context_of_one_token_is_enough() -> None:
    model = make(context=1)
    text = list(generate(model, [3], 5, Sampling(0)))
    for token, after in zip([3, *text], text, strict=False):
        assert after == np.argmax(model.forward(np.array([[token]])))


def test_weights_are_read_as_they_are_now() -> None:
    model = make()
    decoder = CachedDecoder(model)
    before = decoder.read([3, 4]).copy()
    model.weights.flat *= 1.3
    assert not np.allclose(decoder.read([3, 4]), before)
    np.testing.assert_allclose(
        decoder.read([3, 4]), model.forward(np.array([[3, 4]]))[-1], atol=1e-12
    )


def test_few_zeros_stay_dense() -> None:
    assert CachedDecoder(make(zeros=0.5), sparse=True).packed == 0


REFUSED = [
    ([], "there are no tokens"),
    ([3, 37], r"tokens\[1\] is 37; there are 37"),
    ([-1], r"tokens\[0\] is -1; there are 37"),
    ([2] * 20, "0 tokens and 20 more do not fit the context of 19"),
]


@pytest.mark.parametrize(("tokens", "message"), REFUSED)
def test_what_the_model_cannot_read_is_refused(tokens: list[int], message: str) -> None:
    decoder = CachedDecoder(make())
    kept = read_in_pieces(decoder, [1, 2], 2)
    with pytest.raises(ValueError, match=message):
        decoder.read(tokens)
    np.testing.assert_array_equal(
        decoder.step(5), read_in_pieces(CachedDecoder(make()), [1, 2, 5], 2)[1]
    )
    assert np.isfinite(kept).all()


def test_a_full_context_takes_no_more() -> None:
    decoder = make_decoder(make())
    decoder.read([2] * 19)
    with pytest.raises(ValueError, match="19 tokens and 1 more do not fit the context of 19"):
        decoder.step(4)


def test_weights_that_do_not_fit_are_refused() -> None:
    w = make().weights
    outer = {name: w[name] for name in ("token_embedding", "position_embedding", "norm")}
    parts = ("norm1", "qkv", "projection", "norm2", "up", "down")
    block = {"heads": 3, **{part: w[f"blocks.0.{part}"] for part in parts}}
    outer["head"] = w["token_embedding"]
    for wrong, message in (
        ({"down": w["blocks.0.up"]}, r"down has shape \(96, 24\); \(24, 96\) in C order is"),
        ({"heads": 5}, r"qkv has shape \(72, 24\) and 5 heads"),
        ({"norm2": w["norm"][:4]}, r"norm2 has shape \(4,\); \(24,\) in C order is needed"),
    ):
        with pytest.raises(ValueError, match=message):
            _core.Decoder(outer, [{**block, **wrong}], False, False)
    with pytest.raises(TypeError, match="up has dtype float32; float64 is needed"):
        _core.Decoder(outer, [{**block, "up": w["blocks.0.up"].astype("f4")}], False, False)
    with pytest.raises(ValueError, match="there are no blocks"):
        _core.Decoder(outer, [], False, False)


def test_logits_over_a_weight_are_refused() -> None:
    model = make(vocabulary=24)
    before = model.weights.flat.copy()
    for name, part in (("norm", "norm"), ("blocks.1.up", "up"), ("token_embedding", "head")):
        over = model.weights[name].reshape(-1)[:24]
        with pytest.raises(ValueError, match=f"logits and {part} overlap in memory"):
            CachedDecoder(model)._native.read(np.array([3, 1]), over, afresh=True)
    np.testing.assert_array_equal(model.weights.flat, before)


def test_tokens_that_change_while_a_call_waits_are_read_as_they_were_checked() -> None:
    model = make(context=5000)
    native, tokens = CachedDecoder(model)._native, np.array([3, 1])
    expected, found, inside = CachedDecoder(model).read([3, 1]).copy(), np.empty(37), Event()

    def wait_and_read() -> None:
        inside.set()
        with suppress(ValueError):  # if the change comes before the call
            native.read(tokens, found, afresh=True)
            np.testing.assert_array_equal(found, expected)

    with ThreadPoolExecutor(2) as threads:
        long = threads.submit(native.read, np.full(5000, 2), np.empty(37), afresh=True)
        time.sleep(0.1)
        short = threads.submit(wait_and_read)
        inside.wait()
        time.sleep(0.1)
        tokens[-1] = 37
        long.result()
        short.result()
