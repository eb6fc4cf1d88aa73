"""``proxstep export``: a model as one safetensors file, which others read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proxstep.lm.folder import load_model
from proxstep.lm.handover import export_model

from .parser import add_slot


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "export",
        help="write a model as safetensors",
        description="Write the weights by name, in float32, with the model's shape and the "
        "tokenizer as metadata. docs/examples/torch_loader.py reads the file into a torch module.",
        allow_abbrev=False,
    )
    parser.set_defaults(command=run, parser=parser)
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a run")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="model.safetensors")
    add_slot(parser)


def run(options: Any) -> int:
    """Write the file."""
    model, about, _ = load_model(options.folder, options.slot or "")
    export_model(options.out, model.weights, about.tokenizer)
    print(
        f"{options.out}: {model.weights.flat.size:,} weights, {options.out.stat().st_size:,} bytes"
    )
    return 0
