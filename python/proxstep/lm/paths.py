"""Folders that were named: one error for what is none."""

from __future__ import annotations

from pathlib import Path


def check_folder(path: Path) -> None:
    """Raise NotADirectoryError if the path is there and is no folder."""
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"{path} is not a folder")
