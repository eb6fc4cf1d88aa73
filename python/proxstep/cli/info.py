"""``proxstep info``: what serves here, and why."""

from __future__ import annotations

from typing import Any

import proxstep as ps


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("info", help="show version, instruction set, threads, devices")
    parser.set_defaults(command=run, parser=parser)


def run(options: Any) -> int:
    """Print the configuration."""
    ps.show_config()
    return 0
