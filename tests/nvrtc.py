"""NVRTC, CUDA's run-time compiler, from its wheel: needs neither a GPU nor a toolkit."""

from __future__ import annotations

import ctypes
import re
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@cache
def library() -> Any:
    """The wheel's library, or None where it is not installed."""
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for path in Path(folder).glob("nvidia/*/lib/libnvrtc.so.*"):
            return ctypes.CDLL(str(path))
    return None


@dataclass(frozen=True)
class Compiled:
    """What one compilation gave; ``ptx`` is empty where it failed."""

    ok: bool
    log: str
    ptx: str

    @property
    def registers(self) -> list[int]:
        """Registers a thread, one number a kernel."""
        return [int(n) for n in re.findall(r"Used (\d+) registers", self.log)]

    @property
    def spilled_bytes(self) -> int:
        """Bytes that all kernels together keep in memory for want of registers."""
        return sum(int(n) for n in re.findall(r"(\d+) bytes spill", self.log))

    @property
    def stack_bytes(self) -> int:
        """Bytes of all kernels' arrays that are not in registers."""
        return sum(int(n) for n in re.findall(r"(\d+) bytes stack frame", self.log))


def compile_source(source: str, kernels: Sequence[str], options: Sequence[str]) -> Compiled:
    """Compile ``source``, which includes nothing, and instantiate ``kernels``."""
    nvrtc, program = library(), ctypes.c_void_p()
    created = nvrtc.nvrtcCreateProgram(
        ctypes.byref(program), source.encode(), b"test.cu", 0, None, None
    )
    assert created == 0
    for kernel in kernels:
        assert nvrtc.nvrtcAddNameExpression(program, kernel.encode()) == 0
    ok = nvrtc.nvrtcCompileProgram(program, len(options), _strings(options)) == 0
    log = _fetch(program, "ProgramLog")
    ptx = _fetch(program, "PTX") if ok else ""
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return Compiled(ok, log, ptx)


def _strings(texts: Sequence[str]) -> Any:
    return (ctypes.c_char_p * len(texts))(*[text.encode() for text in texts])


def _fetch(program: ctypes.c_void_p, what: str) -> str:
    size = ctypes.c_size_t()
    getattr(library(), f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    getattr(library(), f"nvrtcGet{what}")(program, buffer)
    return buffer.value.decode()
