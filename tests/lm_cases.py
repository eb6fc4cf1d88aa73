"""Small models, texts and runs for the tests of proxstep.lm."""

from __future__ import annotations

from typing import Any

import numpy as np
from proxstep.lm import GPT, ModelConfig, Parameters, TrainConfig, initialize
from proxstep.lm.data import Corpus
from proxstep.lm.tokenizer import CharacterTokenizer
from proxstep.lm.trainer import Trainer

TEXT = "".join(f"{i} squared is {i * i}, doubled {i + i};\n" for i in range(90))
SMALL = {"layers": 2, "heads": 2, "channels": 8, "context": 6}
RUN = {
    "steps": 12, "batch": 5, "lr": 0.013, "warmup": 3, "eval_every": 4, "save_every": 4,
    "weight_decay": 0.07, "max_norm": 0.9, "seed": 3, "penalty": "none",
}  # fmt: skip


def make_model(
    seed: int = 0, dtype: str = "float64", xp: Any = np, **sizes: Any
) -> tuple[GPT, Any, Any]:
    """A model with weights far from their start, and a batch of 3 sequences of 5 tokens."""
    weights = Parameters(ModelConfig(**{"vocabulary": 11, **SMALL, **sizes}), dtype, xp)
    rng = np.random.default_rng(seed)
    initialize(weights, rng)
    weights.flat += xp.asarray(0.3 * rng.standard_normal(weights.flat.shape).astype(dtype))
    tokens = rng.integers(weights.config.vocabulary, size=(2, 3, 5))
    return GPT(weights), tokens[0], tokens[1]


def make_trainer(text: str = TEXT, sizes: dict[str, Any] | None = None, **settings: Any) -> Trainer:
    """A trainer of a few hundred weights on a few thousand characters."""
    tokenizer = CharacterTokenizer.from_text(text)
    config = TrainConfig(**{**RUN, **settings})
    corpus = Corpus.from_text(text, tokenizer, config.validation)
    model = ModelConfig(**{"vocabulary": tokenizer.size, **SMALL, **(sizes or {})})
    return Trainer(corpus, model, config)
