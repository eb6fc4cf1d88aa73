"""Records for TensorBoard, by its own writer: an event file in the folder of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from .extras import require
from .metrics import Record

NAMES = {
    "train_loss": "loss/training",
    "val_loss": "loss/validation",
    "bits_per_byte": "loss/bits_per_byte",
    "zeros": "weights/zeros",
    "grad_norm": "weights/grad_norm",
    "lr": "speed/lr",
    "tokens_per_s": "speed/tokens_per_s",
}


class Board:
    """Writes each number of a record as a scalar of its step.

    Parameters
    ----------
    folder : Path
        Where the event file goes; event files that are there are replaced.
    records : iterable of Record
        Those before the run went on.

    Raises
    ------
    MissingExtraError
        If tensorboard is not installed.
    """

    def __init__(self, folder: Path, records: Iterable[Record] = ()) -> None:
        summary = require("tensorboard.summary", "--tensorboard", "tensorboard")
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        self._writer = summary.Writer(str(folder))
        for record in records:
            self.write(record)

    def write(self, record: Record) -> None:
        """Add the numbers of a record."""
        for item in fields(record):
            value = getattr(record, item.name)
            if item.name in NAMES and value is not None:
                self._writer.add_scalar(NAMES[item.name], value, record.step)

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
