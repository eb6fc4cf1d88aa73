"""The ``proxstep`` command: a module for each subcommand, which parses and reports; lm/ works."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import proxstep as ps
from proxstep.lm.checkpoint import CheckpointError
from proxstep.lm.device import DeviceError
from proxstep.lm.diverged import DivergedError
from proxstep.lm.extras import MissingExtraError

from . import classify, compact, eval, export, importing, info, predict, sample, sweep, train
from .parser import USAGE_ERROR, Parser
from .train import SETTINGS

__all__ = ["SETTINGS", "main"]

FAILURE, INTERRUPTED = 1, 130
COMMANDS = {
    "train": train,
    "sweep": sweep,
    "eval": eval,
    "sample": sample,
    "compact": compact,
    "export": export,
    "import": importing,
    "classify": classify,
    "predict": predict,
    "info": info,
}


def make_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(prog="proxstep", description="Fused proximal steps: train sparse models.")
    parser.add_argument("--version", action="version", version=f"proxstep {ps.__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)
    parser.commands = COMMANDS
    for command in COMMANDS.values():
        command.add(commands)
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
    except MemoryError as error:
        return _fail(options, f"out of memory: {error}".removesuffix(": "), FAILURE)
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
