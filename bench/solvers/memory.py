"""Resident memory of this process in MiB, and its peak since a moment; zeros outside Linux."""

from __future__ import annotations

import ctypes
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def give_back() -> None:
    """Return what the heap holds but does not use: a later peak would hide in it."""
    if CLEAR.exists():
        ctypes.CDLL(None).malloc_trim(0)


def reset_peak() -> None:
    if CLEAR.exists():
        CLEAR.write_text("5")


def peak() -> float:
    return _status("VmHWM")


def resident() -> float:
    return _status("VmRSS")


def _status(name: str) -> float:
    text = STATUS.read_text() if STATUS.exists() else ""
    return int((text.partition(f"{name}:")[2].split() or ["0"])[0]) / 1024
