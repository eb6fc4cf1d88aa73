"""A transformer with exact zeros: transformers.Trainer with ProxAdamW, on made-up data. No network.

Needs ``pip install "proxstep[torch]" transformers accelerate``. Prints what is zero.
"""

from __future__ import annotations

import tempfile
from typing import Any

import proxstep as ps
import torch
from proxstep.torch import ProxAdamW, sparsity_report
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments, set_seed

STEPS = 60
TOKENS = 32


def counting(length: int = 16) -> list[dict[str, torch.Tensor]]:
    """Sequences that count upwards, so that every token but the first can be foreseen."""
    rows = [(torch.arange(length) + k) % TOKENS for k in range(256)]
    return [{"input_ids": row, "labels": row} for row in rows]


def optimizer_of(model: torch.nn.Module) -> ProxAdamW:
    """L1 on the weights of the blocks alone; embeddings are 2-D too, and would be penalised."""
    blocks, rest = [], []
    for name, p in model.named_parameters():
        (blocks if ".h." in name else rest).append(p)
    groups: list[dict[str, Any]] = [
        {"params": blocks, "penalty": ps.L1(0.1)},
        {"params": rest, "weight_decay": 0.0},
    ]
    return ProxAdamW(groups, lr=1e-2, metric="euclidean")


def main() -> None:
    torch.set_num_threads(1)  # the layers are too small for more
    set_seed(0)
    sizes = {"n_positions": 16, "n_embd": 32, "n_layer": 2, "n_head": 2}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=TOKENS, bos_token_id=0, eos_token_id=0, **sizes))
    optimizer = optimizer_of(model)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, STEPS)
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            folder,
            max_steps=STEPS,
            per_device_train_batch_size=16,
            use_cpu=True,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer = Trainer(
            model, settings, train_dataset=counting(), optimizers=(optimizer, schedule)
        )
        print(f"loss {trainer.train().training_loss:.3f}")
    print(sparsity_report(model))


if __name__ == "__main__":
    main()
