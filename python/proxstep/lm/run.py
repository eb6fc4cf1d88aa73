"""``proxstep train`` from text to curve: set up or resume, train, save, report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from . import extras
from .checkpoint import load_checkpoint, save_checkpoint
from .config import ModelConfig, TrainConfig
from .data import Corpus, fingerprint, read_text
from .folder import About, check_text, choose_folder, merge_settings
from .generate import Sampling, generate
from .metrics import Record, RecordLog, read_records
from .plot import draw_curve
from .progress import Interrupt, Progress
from .tokenizer import make_tokenizer
from .trainer import Trainer

Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What was asked on the command line; `given` holds only the settings that were named."""

    files: tuple[str, ...]
    given: dict[str, Any]
    out: Path | None = None
    json: Path | None = None
    resume: bool = False
    overwrite: bool = False
    quiet: bool = False


class Run:
    """A trainer with its folder and its log.

    Parameters
    ----------
    request : Request
        What to do.
    say : callable
        Takes each line of the report.
    """

    def __init__(self, request: Request, say: Say) -> None:
        extras.require("safetensors.numpy", "proxstep train")
        self.request, self.say = request, say
        self.began = time.perf_counter()
        about, corpus, saved = _resume(request) if request.resume else _start(request)
        self.about, self.corpus = about, corpus
        self.trainer = Trainer(corpus, about.model, about.config)
        self.folder = choose_folder(request.out, resume=request.resume, overwrite=request.overwrite)
        if saved:
            self.trainer.restore(*saved)
        self.path = self.folder / "metrics.jsonl"
        self.log = RecordLog(self.path, request.json, self.trainer.step if saved else None)

    def train(self) -> int:
        """Train to the end or to a signal; return the exit code."""
        with self.log:
            self._introduce()
            if self.trainer.step >= self.about.config.steps:
                self.say(f"the run is at step {self.trainer.step} already; more need --steps")
            if self.trainer.step == 0:
                self._write(Record(0, None, self.trainer.validate(), self.trainer.zeros()))
            stopped = self._train()
        if stopped is not None:
            self.say(f"interrupted at step {self.trainer.step}; saved in {self.folder}")
            return 128 + stopped
        self._report()
        return 0

    def _train(self) -> int | None:
        """Do the steps; return the number of the signal that ended them, if one did."""
        with Interrupt() as interrupt, self._progress() as progress:
            while not self.trainer.finished:
                record = self._advance(look=interrupt.signal is not None)
                stopped = interrupt.signal
                progress.show(record)
                if record is None:
                    continue
                self._write(record, progress.say)
                self._save(record, stopping=stopped is not None)
                if stopped is not None:
                    return stopped
        return None

    def _advance(self, look: bool) -> Record | None:
        """Do a step; a signal makes it one that is read, as only such steps are saved."""
        if look or self.trainer.due:
            return self.trainer.advance()
        self.trainer.advance_unread()
        return None

    def _progress(self) -> Progress:
        step, steps = self.trainer.step, self.trainer.config.steps
        return Progress(step, steps, self.say, self.request.quiet)

    def _write(self, record: Record, say: Say | None = None) -> None:
        self.log.write(record)
        if record.val_loss is not None:
            (say or self.say)(describe(record))

    def _save(self, record: Record, stopping: bool) -> None:
        """Save the best weights when validation improved, and everything when it is due."""
        trainer = self.trainer
        if record.val_loss == trainer.best:
            info = {"step": trainer.step, "val_loss": record.val_loss}
            self._save_slot("best", trainer.saved_weights(), info)
        due = trainer.step % trainer.config.save_every == 0
        if due or stopping or trainer.finished:
            self._save_slot("last", *trainer.state())

    def _save_slot(self, slot: str, arrays: dict[str, Any], info: dict[str, Any]) -> None:
        save_checkpoint(self.folder, slot, arrays, {**info, "run": self.about.as_json()})

    def _introduce(self) -> None:
        model, corpus = self.about.model, self.corpus
        self.say(
            f"text: {corpus.train.size:,} {self.about.config.tokenizer} to train on, "
            f"{corpus.validation.size:,} held out, {model.vocabulary} different"
        )
        self.say(
            f"model: {self.trainer.weights.flat.size:,} weights, {model.layers} layers, "
            f"{model.heads} heads, {model.channels} channels, context {model.context}, "
            f"on {self.about.config.device}"
        )
        if len(self.trainer.replicas.models) > 1 and not extras.available("threadpoolctl"):
            self.say(f"steps are slower without threadpoolctl: {extras.INSTALL}")
        self.say(f"folder: {self.folder}")

    def _report(self) -> None:
        """Say what came out; write the curve and a sample."""
        records = list(read_records(self.path))
        looks = [record for record in records if record.val_loss is not None]
        if looks:
            self.say(f"validation loss: {looks[0].val_loss:.4f} -> {looks[-1].val_loss:.4f}")
        flat, zeros = self.trainer.weights.flat, self.trainer.zeros()
        everything = 1 - int(self.trainer.weights.xp.count_nonzero(flat)) / flat.size
        self.say(f"exact zeros: {zeros:.2%} of the 2-D weights, {everything:.2%} of all")
        self._plot(records)
        self.say(f"time: {time.perf_counter() - self.began:.0f} s")
        self.say(f"sample:\n{self._sample()}")

    def _plot(self, records: list[Record]) -> None:
        if not extras.available("matplotlib"):
            self.say(f"no curve.png: it needs matplotlib: {extras.INSTALL}")
            return
        config = self.about.config
        penalty = "no penalty" if config.penalty == "none" else f"{config.penalty} {config.lam:g}"
        text = ", ".join(Path(file).name for file in self.about.files) or "Python's help topics"
        draw_curve(records, self.folder / "curve.png", f"{text}: AdamW {config.lr:g}, {penalty}")
        self.say(f"curve: {self.folder / 'curve.png'}")

    def _sample(self) -> str:
        tokenizer, model = self.about.tokenizer, self.trainer.replicas.models[0]
        prompt = self.corpus.train[:1]
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


def _start(request: Request) -> tuple[About, Corpus, None]:
    """Return a new run from the settings given and the defaults."""
    names = {item.name for item in fields(ModelConfig)}
    config = TrainConfig(**{k: v for k, v in request.given.items() if k not in names})
    text = read_text(request.files)
    tokenizer = make_tokenizer(config.tokenizer, text)
    sizes = {k: v for k, v in request.given.items() if k in names}
    model = ModelConfig(**{**sizes, "vocabulary": tokenizer.size})
    files = tuple(str(Path(file).absolute()) for file in request.files)  # to resume from elsewhere
    about = About(model, config, tokenizer, files, fingerprint(text))
    return about, Corpus.from_text(text, tokenizer, config.validation), None


def _resume(request: Request) -> tuple[About, Corpus, tuple[dict[str, Any], dict[str, Any]]]:
    """Return the run of a folder, its text and its state."""
    folder = choose_folder(request.out, resume=True, overwrite=False)
    saved = load_checkpoint(folder, "last")
    about = merge_settings(About.from_checkpoint(saved[1]), request.given)
    text = read_text(request.files or about.files)
    check_text(about, text)
    return about, Corpus.from_text(text, about.tokenizer, about.config.validation), saved
