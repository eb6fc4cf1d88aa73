"""What ``proxstep train`` says of a run: at its start, at each validation, at its end."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from . import extras
from .generate import Sampling, generate
from .metrics import Record
from .plot import draw_curve
from .recipe import describe_recipe
from .say import Say
from .sources import STDIN
from .start import Setup
from .trainer import Trainer
from .zeros_plot import draw_zeros


class Report:
    """Lines and plots about a run.

    Parameters
    ----------
    setup : Setup
        What the run began with.
    trainer : Trainer
        What it has become.
    say : callable
        Takes each line.
    """

    def __init__(self, setup: Setup, trainer: Trainer, say: Say) -> None:
        self.setup, self.trainer, self.say = setup, trainer, say

    def introduce(self) -> None:
        """Say what is trained on what, and where it goes."""
        about, text, corpus = self.setup.about, self.setup.text, self.setup.corpus
        model, unit = about.model, about.tokenizer.unit
        name = text.sources[0].name
        one = "standard input" if name == STDIN else name
        files = f"{len(text.sources)} files" if len(text.sources) > 1 else one
        left_out = f" ({text.left_out} others left out)" if text.left_out else ""
        self.say(
            f"text: {files}{left_out}, {corpus.train.size:,} {unit} to train on, "
            f"{corpus.validation.size:,} held out, {model.vocabulary} different"
        )
        self.say(
            f"model: {self.trainer.weights.flat.size:,} weights in {about.config.storage}, "
            f"{model.layers} layers, {model.heads} heads, {model.channels} channels, "
            f"context {model.context}, on {about.config.device}"
        )
        if len(self.trainer.replicas.models) > 1 and not extras.available("threadpoolctl"):
            self.say(f"steps are slower without threadpoolctl: {extras.INSTALL}")
        self.say(f"folder: {self.setup.folder}")
        if text.once:
            self.say("--resume will need the same text again, from standard input or a file")

    def conclude(self, records: list[Record], seconds: float) -> None:
        """Say what came out; draw the plots; show a sample."""
        looks = [record for record in records if record.val_loss is not None]
        if looks:
            self.say(f"validation loss: {looks[0].val_loss:.4f} -> {looks[-1].val_loss:.4f}")
        if looks and looks[-1].bits_per_byte is not None:
            self.say(f"bits a byte of the held-out text: {looks[-1].bits_per_byte:.4f}")
        self._tell_zeros()
        self._plot(records)
        self.say(f"time: {seconds:.0f} s")
        self.say(f"sample:\n{self._sample()}")

    def _tell_zeros(self) -> None:
        trainer, xp = self.trainer, self.trainer.weights.xp
        parts = [f"{trainer.zeros():.2%} of the 2-D weights"]
        if self.setup.about.config.ramps:
            parts += [f"{trainer.sparsifier.zeros():.2%} of those under the penalty"]
        flat = trainer.weights.flat
        parts += [f"{1 - int(xp.count_nonzero(flat)) / flat.size:.2%} of all"]
        self.say(f"exact zeros: {', '.join(parts)}")
        if gone := [
            name for name, view in trainer.weights.items() if not int(xp.count_nonzero(view))
        ]:
            self.say(f"nothing is left of {', '.join(gone)}: fewer zeros, or another penalty")

    def _plot(self, records: list[Record]) -> None:
        if not extras.available("matplotlib"):
            self.say(f"no curve.png, no zeros.png: they need matplotlib: {extras.INSTALL}")
            return
        curve, zeros = self.setup.folder / "curve.png", self.setup.folder / "zeros.png"
        draw_curve(records, curve, self._title(), self.trainer.best)
        self.say(f"curve: {curve}")
        draw_zeros(self.trainer.weights, zeros, self._title())
        self.say(f"zeros: {zeros}")

    def _title(self) -> str:
        config, files = self.setup.about.config, self.setup.about.files
        names = ", ".join(Path(file).name for file in files[:3]) or "Python's help topics"
        names += f" and {len(files) - 3} more" if len(files) > 3 else ""
        return f"{names}: {describe_recipe(config)}"

    def _sample(self) -> str:
        tokenizer, model = self.setup.about.tokenizer, self.trainer.replicas.models[0]
        prompt = np.asarray(self.setup.corpus.train[:1])
        return tokenizer.decode(generate(model, prompt, 300, Sampling(seed=0)))


def describe(record: Record) -> str:
    """Return a record as a line of a report.

    Examples
    --------
    >>> describe(Record(250, 2.0, 2.125, 0.5, 20000.0))
    'step 250: training loss 2.000, validation loss 2.1250, zeros 50.0 %, 20,000 tokens/s'
    """
    parts = [] if record.train_loss is None else [f"training loss {record.train_loss:.3f}"]
    parts += [f"validation loss {record.val_loss:.4f}", f"zeros {100 * record.zeros:.1f} %"]
    parts += [] if record.tokens_per_s is None else [f"{record.tokens_per_s:,.0f} tokens/s"]
    return f"step {record.step}: {', '.join(parts)}"
