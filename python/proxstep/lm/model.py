"""A GPT with an explicit backward pass: x += attention(norm(x)); x += mlp(norm(x)).

B sequences of T tokens make N = B T rows of C channels; logits have V columns.
Weights are views of one buffer (`Parameters`) and so are gradients; nothing else is state.
"""

from __future__ import annotations

from typing import Any

from proxstep import _core

from .attention import Attention
from .buffers import Buffers
from .config import ModelConfig
from .layers import Embedding, Gelu, LayerNorm, Linear
from .parameters import Parameters


class Block:
    """x += projection(attention(qkv(norm1(x)))); x += down(gelu(up(norm2(x))))."""

    def __init__(self, w: Parameters, dw: Parameters, buffers: Buffers, name: str) -> None:
        def own(kind: type, part: str) -> Any:
            path = f"{name}.{part}"
            return kind(w[path], dw[path], buffers, path)

        config = w.config
        self.norm1, self.norm2 = own(LayerNorm, "norm1"), own(LayerNorm, "norm2")
        self.qkv, self.projection = own(Linear, "qkv"), own(Linear, "projection")
        self.up, self.down = own(Linear, "up"), own(Linear, "down")
        self.attention = Attention(config.heads, config.context, buffers, name + ".attention")
        self.gelu = Gelu(buffers, name + ".gelu")

    def forward(self, x: Any, batch: int) -> None:
        """Add the two residual branches to x, shape (N, C)."""
        qkv = self.qkv.forward(self.norm1.forward(x))
        x += self.projection.forward(self.attention.forward(qkv, batch))
        x += self.down.forward(self.gelu.forward(self.up.forward(self.norm2.forward(x))))

    def backward(self, dx: Any) -> None:
        """Turn the gradient of the output, shape (N, C), into that of the input, in place."""
        dx += self.norm2.backward(self.up.backward(self.gelu.backward(self.down.backward(dx))))
        dqkv = self.attention.backward(self.projection.backward(dx))
        dx += self.norm1.backward(self.qkv.backward(dqkv))


class GPT:
    """Token and position embeddings, pre-norm blocks, a last norm, a tied or untied head.

    Parameters
    ----------
    weights : Parameters
        Read by forward; shared by as many models as wanted.
    gradients : Parameters or None
        Written by backward; made if None.

    Examples
    --------
    >>> import numpy as np
    >>> from proxstep.lm.parameters import initialize
    >>> weights = Parameters(ModelConfig(vocabulary=7, layers=1, heads=2, channels=8, context=4))
    >>> initialize(weights, np.random.default_rng(0))
    >>> tokens = np.array([[1, 2, 3], [4, 5, 6]])
    >>> GPT(weights).forward(tokens).shape
    (6, 7)
    >>> bool(abs(GPT(weights).loss(tokens, tokens) - np.log(7)) < 0.1)
    True
    """

    def __init__(self, weights: Parameters, gradients: Parameters | None = None) -> None:
        self.config: ModelConfig = weights.config
        self.weights = w = weights
        self.gradients = dw = weights.like() if gradients is None else gradients
        self.buffers = Buffers(w.xp, w.flat.dtype)
        head = "token_embedding" if self.config.tied else "head"
        self.embedding = Embedding(w["token_embedding"], dw["token_embedding"], self.buffers)
        self.blocks = [Block(w, dw, self.buffers, f"blocks.{i}") for i in range(self.config.layers)]
        self.norm = LayerNorm(w["norm"], dw["norm"], self.buffers, "norm")
        self.head = Linear(w[head], dw[head], self.buffers, "logits")

    def forward(self, tokens: Any) -> Any:
        """Return logits, shape (B T, V), for integer tokens of shape (B, T), T <= context.

        Tokens on the host are moved to where the weights are; nothing waits for that.
        """
        batch, time = tokens.shape
        x = self.embedding.forward(self.weights.xp.asarray(tokens))
        sequences = x.reshape(batch, time, -1)
        sequences += self.weights["position_embedding"][:time]
        for block in self.blocks:
            block.forward(x, batch)
        self.shape = sequences.shape
        return self.head.forward(self.norm.forward(x))

    def backward(self, dlogits: Any) -> None:
        """Write the gradient of every weight, given that of the logits of the last forward."""
        dx = self.buffers("dresidual", dlogits.shape[0], self.shape[-1])
        dx[...] = self.norm.backward(self.head.backward(dlogits))
        for block in reversed(self.blocks):
            block.backward(dx)
        positions = self.gradients["position_embedding"]
        positions[self.shape[1] :] = 0
        dx.reshape(self.shape).sum(axis=0, out=positions[: self.shape[1]])
        self.embedding.backward(dx, shared=self.config.tied)

    def loss(self, tokens: Any, targets: Any, scale: float | None = None) -> float:
        """Return scale · Σ cross-entropy of the next tokens; the mean without a scale."""
        loss: float = self._cross_entropy(self.forward(tokens), targets, scale)
        return loss

    def loss_and_gradient(self, tokens: Any, targets: Any, scale: float | None = None) -> float:
        """Return the loss and write its gradient."""
        logits = self.forward(tokens)
        loss: float = self._cross_entropy(logits, targets, scale, grad=logits)
        self.backward(logits)
        return loss

    def gradient(self, tokens: Any, targets: Any, scale: float | None = None) -> None:
        """Write the gradient of the loss and return no number, for which a device is waited."""
        logits = self.forward(tokens)
        self._cross_entropy(logits, targets, scale, grad=logits, value=False)
        self.backward(logits)

    def _cross_entropy(self, logits: Any, targets: Any, scale: float | None, **options: Any) -> Any:
        """Call the native loss, which may write the gradient over the logits."""
        scale = 1 / targets.size if scale is None else scale
        targets = self.weights.xp.asarray(targets.reshape(-1))
        return _core.softmax_cross_entropy(logits, targets, scale=scale, **options)
