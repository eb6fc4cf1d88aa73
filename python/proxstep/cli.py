"""The ``proxstep`` command: ``train``, ``sample``, ``info``. It parses and reports; lm/ works."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, NoReturn

import proxstep as ps

from .checks import nearest
from .lm.checkpoint import CheckpointError
from .lm.config import ModelConfig, TrainConfig
from .lm.device import DEVICES, DeviceError
from .lm.extras import MissingExtraError
from .lm.folder import load_model
from .lm.generate import Sampling, generate
from .lm.names import check_name
from .lm.run import Request, Run
from .lm.trainer import DivergedError

USAGE_ERROR, FAILURE, INTERRUPTED = 2, 1, 130
SETTINGS = {item.name: item for item in (*fields(ModelConfig), *fields(TrainConfig))}
del SETTINGS["vocabulary"]  # follows from the text


class Parser(argparse.ArgumentParser):
    """Names the nearest known command or option after an unknown one."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit with 2."""
        if option := re.match(r"unrecognized arguments: (--[\w-]+)", message):
            known = self._option_string_actions
            begun = [name for name in known if name.startswith(option[1])]
            message += f"; {nearest(option[1], begun or known)}"
        if command := re.match(r"argument command: invalid choice: '([^']*)'", message):
            message = f"unknown command {command[1]!r}: {nearest(command[1], COMMANDS)}"
        self.exit(USAGE_ERROR, f"{self.prog}: error: {message}\n")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; unknown options are reported by the command that they were given to."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            found.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found


def make_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(prog="proxstep", description="Fused proximal steps: train sparse models.")
    parser.add_argument("--version", action="version", version=f"proxstep {ps.__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)
    for add in COMMANDS.values():
        add(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 failed, 2 bad input, 130 interrupted."""
    options = make_parser().parse_args(arguments)
    try:
        code = int(options.command(options))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader has seen enough; nothing is left to flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except KeyboardInterrupt:
        return _fail(options, "interrupted", INTERRUPTED)
    except (DivergedError, OSError) as error:
        code = USAGE_ERROR if isinstance(error, _BAD_PATHS) else FAILURE
        return _fail(options, _plain(error), code)
    except (ValueError, CheckpointError, MissingExtraError, DeviceError) as error:
        return _fail(options, str(error), USAGE_ERROR)


_BAD_PATHS = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError)


def _fail(options: Any, message: str, code: int) -> int:
    print(f"{options.parser.prog}: error: {message}", file=sys.stderr)
    return code


def _plain(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _known(kind: str, names: Any) -> Callable[[str], str]:
    """Return an argparse type that takes only these names."""

    def parse(text: str) -> str:
        try:
            check_name(kind, text, names)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text

    return parse


def _add_train(commands: Any) -> None:
    parser = commands.add_parser(
        "train",
        help="train a small GPT with the native step",
        description="Train a small GPT on text files (none: Python's own help topics).",
        allow_abbrev=False,
    )
    parser.set_defaults(command=_train, parser=parser)
    parser.add_argument("files", nargs="*", metavar="FILE", help="UTF-8 text; several are joined")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the run (a new one)")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="copy of DIR/metrics.jsonl: a line a step"
    )
    used = parser.add_mutually_exclusive_group()
    used.add_argument("--resume", action="store_true", help="go on with the run in --out")
    used.add_argument("--overwrite", action="store_true", help="begin anew in a used --out")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    for title, kind in (("model", ModelConfig), ("training", TrainConfig)):
        group = parser.add_argument_group(title)
        for item in fields(kind):
            if item.name in SETTINGS:
                _add_setting(group, item)


def _add_setting(group: argparse._ArgumentGroup, item: Field[Any]) -> None:
    """Add the option of a setting; one that is not given leaves no trace in the result."""
    flag, known = "--" + item.name.replace("_", "-"), item.metadata["known"]
    shapes: dict[Any, dict[str, Any]] = {
        "int": {"type": int, "metavar": "N"},
        "float": {"type": float, "metavar": "X"},
        "str": {"type": _known(item.name, known), "metavar": "|".join(known)},
        "bool": {"action": argparse.BooleanOptionalAction},
    }
    text = f"{item.metadata['help']} ({item.default})"
    group.add_argument(flag, default=argparse.SUPPRESS, help=text, **shapes[item.type])


def _add_sample(commands: Any) -> None:
    parser = commands.add_parser(
        "sample", help="write text with a trained model", allow_abbrev=False
    )
    parser.set_defaults(command=_sample, parser=parser)
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a run")
    parser.add_argument("--prompt", default="\n", help="text to go on from (a line end)")
    parser.add_argument("--tokens", type=int, default=500, metavar="N", help="tokens to add (500)")
    parser.add_argument(
        "--temperature", type=float, default=0.8, metavar="X", help="0: likeliest token (0.8)"
    )
    parser.add_argument("--top-k", type=int, default=0, metavar="N", help="0: all tokens (0)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the draws (1)")
    parser.add_argument(
        "--slot", type=_known("slot", ("best", "last")), default=None,
        metavar="best|last", help="checkpoint to load (best, if the run validated)",
    )  # fmt: skip
    parser.add_argument(
        "--device", type=_known("device", DEVICES), default="cpu",
        metavar="|".join(DEVICES), help="where the model runs (cpu)",
    )  # fmt: skip


def _add_info(commands: Any) -> None:
    parser = commands.add_parser("info", help="show version, instruction set, threads, devices")
    parser.set_defaults(command=_info, parser=parser)


COMMANDS = {"train": _add_train, "sample": _add_sample, "info": _add_info}


def _train(options: Any) -> int:
    given = {name: value for name, value in vars(options).items() if name in SETTINGS}
    names = ("out", "json", "resume", "overwrite", "quiet")
    request = Request(
        tuple(options.files), given, **{name: getattr(options, name) for name in names}
    )
    return Run(request, lambda line: print(line, flush=True)).train()


def _sample(options: Any) -> int:
    sampling = Sampling(options.temperature, options.top_k, options.seed)
    model, about, _ = load_model(options.folder, options.slot or "", options.device)
    prompt = about.tokenizer.encode(options.prompt)
    tokens = generate(model, prompt, options.tokens, sampling)
    print(options.prompt + about.tokenizer.decode(tokens))
    return 0


def _info(options: Any) -> int:
    ps.show_config()
    return 0
