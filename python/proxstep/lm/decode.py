"""The model one token at a time: keys and values of what it has read are kept, not made again.

Positions are learned and absolute, so a window that slides changes all that was kept. When the
context is full, its last half is read again, which costs about one more token for each token.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from proxstep import _core
from proxstep.arrays import on_host

from .model import GPT


class Decoder(Protocol):
    """Reads tokens and returns the logits, shape (V,), of the one that comes next."""

    def read(self, tokens: list[int]) -> Any:
        """Forget everything and read these; at most `context`."""

    def step(self, token: int) -> Any:
        """Read one more."""


class CachedDecoder:
    """Reads natively, a call for each token; the arrays it returns are written over by the next.

    Parameters
    ----------
    model : GPT
        On the CPU.
    sparse : bool
        Use the sparse product for each matrix in which it is the faster one: at least 70 % exact
        zeros. Their weights are then copied; later changes of the model are not seen.

    Examples
    --------
    >>> from proxstep.lm import ModelConfig, Parameters, initialize
    >>> weights = Parameters(ModelConfig(vocabulary=7, layers=1, heads=2, channels=8, context=4))
    >>> initialize(weights, np.random.default_rng(0))
    >>> decoder = CachedDecoder(GPT(weights))
    >>> first, second = decoder.read([3, 1]).copy(), decoder.step(5)
    >>> bool(np.allclose(second, GPT(weights).forward(np.array([[3, 1, 5]]))[-1]))
    True
    """

    def __init__(self, model: GPT, *, sparse: bool = False) -> None:
        config, w = model.config, model.weights
        head = w["token_embedding" if config.tied else "head"]
        outer = {name: w[name] for name in ("token_embedding", "position_embedding", "norm")}
        parts = ("norm1", "qkv", "projection", "norm2", "up", "down")
        blocks = [
            {"heads": config.heads_of(i), **{part: w[f"blocks.{i}.{part}"] for part in parts}}
            for i in range(config.layers)
        ]
        self._native = _core.Decoder({**outer, "head": head}, blocks, config.gelu == "erf", sparse)
        self._logits = np.empty(config.vocabulary, w.flat.dtype)

    @property
    def packed(self) -> int:
        """The number of matrices that the sparse product serves."""
        return self._native.packed

    def read(self, tokens: list[int]) -> Any:
        """Forget everything and read these; at most `context`.

        Raises
        ------
        ValueError
            If there are more, none, or one that the model does not know.
        """
        self._native.read(np.array(tokens, np.int64), self._logits, afresh=True)
        return self._logits

    def step(self, token: int) -> Any:
        """Read one more.

        Raises
        ------
        ValueError
            If the context is full, or there is no such token.
        """
        self._native.read(np.array([token], np.int64), self._logits, afresh=False)
        return self._logits


class PlainDecoder:
    """Reads everything again for each token, wherever the model lives."""

    def __init__(self, model: GPT) -> None:
        self.model = model

    def read(self, tokens: list[int]) -> Any:
        """Forget everything and read these; at most `context`."""
        self.tokens = list(tokens)
        return on_host(self.model.forward(np.array([self.tokens]))[-1])

    def step(self, token: int) -> Any:
        """Read one more."""
        return self.read([*self.tokens, token])


def make_decoder(model: GPT, *, sparse: bool = False) -> Decoder:
    """Return the decoder that serves a model; only on the CPU there is a cache, or a sparse one.

    Raises
    ------
    ValueError
        If a sparse one is asked for and the model is on a device.
    """
    if model.weights.xp is np:
        return CachedDecoder(model, sparse=sparse)
    if sparse:
        raise ValueError("the sparse product runs on the device cpu only")
    return PlainDecoder(model)
