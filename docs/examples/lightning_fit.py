"""Neurons that die in training and leave: Lightning with ProxAdamW, on made-up data. No network.

Needs ``pip install "proxstep[torch]" lightning``. Prints what is zero and the smaller model's size.
"""

from __future__ import annotations

import tempfile
from typing import Any

import lightning
import proxstep as ps
import torch
from proxstep.torch import ProxAdamW, compact, sparsity_report
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

STEPS = 160


class Classifier(lightning.LightningModule):
    """64 hidden neurons, far more than the task needs."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 2))

    def training_step(self, batch: Any, _: int) -> Any:
        x, y = batch
        return nn.functional.cross_entropy(self.net(x), y)

    def configure_optimizers(self) -> Any:
        """Whole rows of the first layer may become zero; the last layer is not penalised."""
        rows = ps.Group(ps.L1(1.5), over="rows")
        hidden, head = self.net[0].parameters(), self.net[2].parameters()
        groups = [{"params": list(hidden), "penalty": rows}, {"params": list(head)}]
        optimizer = ProxAdamW(groups, lr=1e-2, metric="euclidean")
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def main() -> None:
    torch.set_num_threads(1)  # the layers are too small for more
    lightning.seed_everything(0)
    x = torch.randn(1024, 20)
    y = (x[:, 0] * x[:, 1] > 0).long()
    model = Classifier()
    with tempfile.TemporaryDirectory() as folder:
        trainer = lightning.Trainer(
            max_steps=STEPS,
            accelerator="cpu",
            gradient_clip_val=1.0,
            enable_checkpointing=False,
            enable_progress_bar=False,
            logger=False,
            default_root_dir=folder,
        )
        trainer.fit(model, DataLoader(TensorDataset(x, y), 64, shuffle=True))
    print(sparsity_report(model))
    smaller, summary = compact(model.net, x[:8])
    print(summary)
    accuracy = (smaller(x).argmax(1) == y).float().mean()
    print(f"accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
