"""A file of tokens for texts larger than memory: written once, verified, read by parts.

The tokens are written first; replacing the JSON beside them, which names their text, their
tokenizer and their CRC-32, is the moment from which they count.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .data import Tokens, encode_pieces, token_type
from .paths import check_folder, replacing, write_atomic
from .say import Say
from .text import Text
from .tokenizer import Tokenizer, identify

LARGE = 1 << 26  # bytes of text from which tokens are kept in a file
CHUNK = 1 << 22  # bytes


@dataclass(frozen=True)
class TokenFile:
    """Part of a file of tokens: a slice of it is another part, ``np.asarray`` reads it.

    It is read rather than mapped: the kernel may map pages a thousand at a time, and all of them
    count as memory of the process.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "tokens"
    >>> _ = path.write_bytes(np.arange(9, dtype="<u2").tobytes())
    >>> part = TokenFile(path, "<u2", 0, 9)[4:]
    >>> part.size, np.asarray(part[1:3]).tolist()
    (5, [5, 6])
    """

    path: Path
    kind: str
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of tokens."""
        return self.stop - self.start

    def __getitem__(self, index: slice) -> TokenFile:
        """Return the part that a slice without a step names."""
        start, stop, _ = index.indices(self.size)
        return replace(self, start=self.start + start, stop=self.start + max(start, stop))

    def __array__(self, dtype: Any = None, *, copy: bool | None = None) -> Any:
        """Return the tokens of the part, read now."""
        if copy is False:
            raise ValueError(f"{self.path} is read: its tokens are always a copy")
        kind = np.dtype(self.kind)
        tokens = np.fromfile(self.path, kind, self.size, offset=self.start * kind.itemsize)
        if tokens.size < self.size:
            raise OSError(f"{self.path} was cut short: it has no token {self.start + tokens.size}")
        return tokens if dtype is None else tokens.astype(dtype, copy=False)


@dataclass(frozen=True)
class Label:
    """What the JSON beside a file of tokens says."""

    text: str
    tokenizer: str
    kind: str
    count: int
    crc32: int


def load_tokens(text: Text, tokenizer: Tokenizer, folder: Path, say: Say, *, file: bool) -> Tokens:
    """Return the tokens of a text: in memory, or (if large, or `file`) in a file of the folder.

    The arguments are those of `cached_tokens`; the folder is made where it is needed.
    """
    if text.scan.size < LARGE and not file:
        return np.concatenate(list(encode_pieces(text, tokenizer)))
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return cached_tokens(text, tokenizer, folder, say)


def cached_tokens(text: Text, tokenizer: Tokenizer, folder: Path, say: Say) -> TokenFile:
    """Return the tokens of a text from a file in a folder, which is written unless it is there.

    Parameters
    ----------
    text, tokenizer
        What is encoded; both name the file.
    folder : Path
        Existing folder.
    say : callable
        Takes a line about what was done.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written; nothing is left behind.
    """
    names = (text.scan.fingerprint, identify(tokenizer))
    path = folder / f"tokens-{hashlib.sha256(''.join(names).encode()).hexdigest()[:16]}.bin"
    label = _read_label(path)
    if label is not None and (label.text, label.tokenizer) == names and _intact(path, label):
        say(f"tokens: {label.count:,} in {path}")
    else:
        label = Label(*names, token_type(tokenizer.size), *_write(path, text, tokenizer))
        write_atomic(path.with_suffix(".json"), json.dumps(asdict(label)).encode())
        say(f"tokens: {label.count:,} written to {path}")
    return TokenFile(path, label.kind, 0, label.count)


def _read_label(path: Path) -> Label | None:
    try:
        return Label(**json.loads(path.with_suffix(".json").read_bytes()))
    except (OSError, ValueError, TypeError):  # absent, or not what was written: encode again
        return None


def _intact(path: Path, label: Label) -> bool:
    try:
        if path.stat().st_size != label.count * np.dtype(label.kind).itemsize:
            return False
        with path.open("rb") as file:
            checksum = 0
            while data := file.read(CHUNK):
                checksum = zlib.crc32(data, checksum)
    except OSError:
        return False
    return checksum == label.crc32


def _write(path: Path, text: Text, tokenizer: Tokenizer) -> tuple[int, int]:
    """Write the tokens and return their number and their CRC-32."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # other processes may write it too
    count = checksum = 0
    with replacing(path, part) as file:
        for tokens in encode_pieces(text, tokenizer):
            file.write(tokens)
            count, checksum = count + tokens.size, zlib.crc32(tokens, checksum)
    return count, checksum
