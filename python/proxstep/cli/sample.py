"""``proxstep sample``: text from the model of a run, as it is written."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from proxstep.lm.decode import CachedDecoder, make_decoder
from proxstep.lm.device import DEVICES
from proxstep.lm.folder import load_model
from proxstep.lm.generate import Sampling, generate
from proxstep.lm.stream import pieces, until
from proxstep.lm.tokenizer import Tokenizer

from .parser import add_slot, known

BETWEEN = "---"  # samples
LINE_END = "\n"


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "sample", help="write text with a trained model", allow_abbrev=False
    )
    parser.set_defaults(command=run, parser=parser)
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a run")
    _add_text_options(parser)
    _add_draw_options(parser)
    add_slot(parser)
    parser.add_argument(
        "--device", type=known("device", DEVICES), default="cpu",
        metavar="|".join(DEVICES), help="where the model runs (cpu)",
    )  # fmt: skip
    parser.add_argument(
        "--sparse", action="store_true", help="sparse products for matrices with many zeros; cpu"
    )
    parser.add_argument("--stats", action="store_true", help="tell the speed on the error stream")


def _add_text_options(parser: Any) -> None:
    group = parser.add_argument_group("text").add_mutually_exclusive_group()
    group.add_argument(
        "--prompt", metavar="TEXT",
        help="text to go on from (a line end, or the first token of a model that knows none); "
        "-: the standard input",
    )  # fmt: skip
    group.add_argument("--prompt-file", type=Path, metavar="FILE", help="the same, from a file")
    parser.add_argument("--tokens", type=int, default=500, metavar="N", help="tokens to add (500)")
    parser.add_argument("--stop", default="", metavar="TEXT", help="end before this text")
    parser.add_argument(
        "--count", type=int, default=1, metavar="N",
        help=f"samples, with a line {BETWEEN} between them; each has the next seed (1)",
    )  # fmt: skip


def _add_draw_options(parser: Any) -> None:
    group = parser.add_argument_group("draws")
    group.add_argument(
        "--temperature", type=float, default=0.8, metavar="X", help="0: likeliest token (0.8)"
    )
    group.add_argument("--top-k", type=int, default=0, metavar="N", help="0: all tokens (0)")
    group.add_argument(
        "--top-p", type=float, default=1.0, metavar="X",
        help="keep the likeliest tokens of this total probability; 1: all (1)",
    )  # fmt: skip
    group.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the draws (1)")


def run(options: Any) -> int:
    """Print the prompt and what follows, as many times as asked."""
    first, asked = _check(options), _read_prompt(options)
    model, about, _ = load_model(options.folder, options.slot or "", options.device)
    text, prompt = _begin(about.tokenizer, asked)
    decoder = make_decoder(model, sparse=options.sparse)
    if options.sparse and isinstance(decoder, CachedDecoder) and not decoder.packed:
        _tell("--sparse changes nothing: no matrix has at least 70 % exact zeros")
    clock = Clock()
    for k in range(options.count):
        sampling = replace(first, seed=first.seed + k)
        tokens = clock.count(generate(model, prompt, options.tokens, sampling, decoder))
        print(BETWEEN + "\n" if k else "", end=text)
        _write(until(pieces(about.tokenizer, tokens), options.stop))
    if options.stats:
        _tell(str(clock))
    return 0


def _write(text: Iterable[str]) -> None:
    """Print each piece when it comes, and a line end."""
    for piece in text:
        print(piece, end="", flush=True)
    print()


@dataclass
class Clock:
    """The time that tokens take, the reading of the prompt apart."""

    tokens: int = 0
    seconds: float = 0.0
    reading: float = 0.0

    def count(self, tokens: Iterable[int]) -> Iterator[int]:
        """Yield the tokens; the time between two is counted, not what their taker does."""
        tokens, first = iter(tokens), True
        while True:
            began = time.perf_counter()
            token = next(tokens, None)
            took = time.perf_counter() - began
            if token is None:
                return
            self.reading += took * first
            self.seconds += took * (not first)
            self.tokens += not first
            first = False
            yield token

    def __str__(self) -> str:
        rate = self.tokens / self.seconds if self.seconds else 0.0
        return (
            f"{self.tokens} tokens in {self.seconds:.3f} s after the first of each sample: "
            f"{rate:,.0f} tokens/s; prompt and first token in {self.reading:.3f} s"
        )


def _check(options: Any) -> Sampling:
    """Return how the first sample is drawn; refuse before anything is read."""
    for name in ("tokens", "count"):
        if getattr(options, name) < 0:
            raise ValueError(f"--{name} {getattr(options, name)} is below 0")
    return Sampling(options.temperature, options.top_k, options.top_p, options.seed)


def _read_prompt(options: Any) -> str | None:
    try:
        if options.prompt_file:
            return str(options.prompt_file.read_text("utf-8"))
        return sys.stdin.read() if options.prompt == "-" else options.prompt
    except UnicodeDecodeError as error:
        name = options.prompt_file or "standard input"
        raise ValueError(f"{name} is not UTF-8: {error}") from error


def _begin(tokenizer: Tokenizer, asked: str | None) -> tuple[str, list[int]]:
    """Return the prompt and its tokens; not each model knows the line end, the default."""
    if asked is not None:
        return asked, list(tokenizer.encode(asked))
    with suppress(ValueError):
        if (tokens := list(tokenizer.encode(LINE_END))) != []:
            return LINE_END, tokens
    return tokenizer.decode([0]), [0]


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
