"""``proxstep classify``: its options are the fields of the settings of a classifier."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from proxstep.lm.extras import require
from proxstep.text import EXTRA, TextConfig

from .parser import add_setting

SETTINGS = {item.name: item for item in fields(TextConfig)}


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "classify",
        help="train a sparse text classifier",
        description="Train a sparse linear classifier of the texts in a TSV or CSV file.",
        allow_abbrev=False,
    )
    parser.set_defaults(command=run, parser=parser)
    parser.add_argument("file", metavar="FILE", help="UTF-8 table, also .gz; -: standard input")
    parser.add_argument("--validation-file", metavar="FILE", help="choose the strength on it")
    parser.add_argument("--test-file", metavar="FILE", help="score the classifier on it")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write (a new one)")
    parser.add_argument("--overwrite", action="store_true", help="replace the classifier in --out")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    table = parser.add_argument_group("table")
    add_format(table, text="text")
    table.add_argument("--label-column", default="label", metavar="C", help="labels (label)")
    group = parser.add_argument_group("classifier")
    for item in SETTINGS.values():
        add_setting(group, item)


def add_format(group: Any, text: str | None) -> None:
    """Add the options that say how a table is written."""
    default = f" ({text})" if text else ""
    group.add_argument(
        "--text-column", default=text, metavar="C",
        help=f"texts: a name of the header, or a number from 1{default}",
    )  # fmt: skip
    group.add_argument(
        "--delimiter", default="", metavar="X",
        help="between columns (a comma in .csv, else a tab)",
    )  # fmt: skip
    group.add_argument(
        "--header", action=argparse.BooleanOptionalAction,
        help="the first line names the columns (if a column is given by name)",
    )  # fmt: skip
    group.add_argument(
        "--quotes", action=argparse.BooleanOptionalAction,
        help="fields may stand in double quotes (unless a tab separates them)",
    )  # fmt: skip


def run(options: Any) -> int:
    """Train a classifier."""
    require("sklearn", "proxstep classify", EXTRA)
    from proxstep.text.run import Request, classify
    from proxstep.text.table import Format

    given = {name: value for name, value in vars(options).items() if name in SETTINGS}
    names = ("validation_file", "test_file", "out", "overwrite", "quiet")
    layout = Format(
        options.text_column, options.label_column, options.delimiter, options.header, options.quotes
    )
    request = Request(
        options.file, given, layout, **{name: getattr(options, name) for name in names}
    )
    classify(request, lambda line: print(line, flush=True))
    return 0
