"""CuPy as the launcher: it compiles the headers of the compiled module at run time.

Only what the core asks of a backend; addresses and streams are integers.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cupy

from ._kernels import source

THREADS = 256  # of a block: kThreads of cuda/tables.hpp
OPTIONS = ("--std=c++17", "--fmad=false")
_TO_DEVICE, _TO_HOST = 1, 2  # cudaMemcpyKind


class CuPyBackend:
    """Launches and memory through CuPy."""

    def __init__(self) -> None:
        self._kernels: dict[str, Any] = {}
        self._memory: dict[int, Any] = {}  # what keeps an address alive
        self._discarded: dict[int, list[Any]] = {}  # by device
        self._lock = threading.Lock()

    def launch(self, device: int, stream: int, kernel: str, blocks: int, argument: int) -> None:
        """Run a kernel, which takes the one struct at `argument` by value."""
        parameters = (ctypes.c_void_p * 1)(argument)
        with cupy.cuda.Device(device):
            function = self._compiled(kernel).kernel.ptr
            cupy.cuda.driver.launchKernel(
                function, blocks, 1, 1, THREADS, 1, 1, 0, stream, ctypes.addressof(parameters), 0
            )

    def _compiled(self, kernel: str) -> Any:
        with self._lock:
            if kernel not in self._kernels:
                name = f"proxstep::cuda::{kernel}"
                module = cupy.RawModule(code=source(), options=OPTIONS, name_expressions=[name])
                self._kernels[kernel] = module.get_function(name)
            return self._kernels[kernel]

    def allocate(self, device: int, stream: int, size: int) -> int:
        """Take memory from CuPy's pool, in the stream's order."""
        if cupy.cuda.runtime.streamIsCapturing(stream):
            raise RuntimeError(
                "a graph cannot keep scratch memory of CuPy's pool; capturing needs the compiled "
                "module (PROXSTEP_CUDA=ON)"
            )
        with _working(device, stream):
            memory = cupy.cuda.alloc(size)
        self._memory[memory.ptr] = memory
        return int(memory.ptr)

    def release(self, device: int, stream: int, address: int) -> None:
        """Give it back, in the stream's order."""
        with _working(device, stream):
            del self._memory[address]

    def discard(self, device: int, address: int) -> None:
        """Give back, at the next write, what several streams may still use."""
        self._discarded.setdefault(device, []).append(self._memory.pop(address))

    def write(self, device: int, stream: int, to: int, origin: int, size: int) -> None:
        """Copy from the host and wait."""
        if self._discarded.get(device):
            cupy.cuda.Device(device).synchronize()
            self._discarded[device].clear()
        self._copy(device, stream, (to, origin, size), _TO_DEVICE)

    def read(self, device: int, stream: int, to: int, origin: int, size: int) -> None:
        """Copy to the host and wait."""
        self._copy(device, stream, (to, origin, size), _TO_HOST)

    def _copy(self, device: int, stream: int, span: tuple[int, int, int], kind: int) -> None:
        with cupy.cuda.Device(device):
            cupy.cuda.runtime.memcpyAsync(*span, kind, stream)
            cupy.cuda.runtime.streamSynchronize(stream)


@contextmanager
def _working(device: int, stream: int) -> Iterator[None]:
    with cupy.cuda.Device(device), _stream(stream):
        yield


def _stream(handle: int) -> Any:
    if not handle:
        return cupy.cuda.Stream.null
    if hasattr(cupy.cuda.Stream, "from_external"):  # from CuPy 14 on
        return cupy.cuda.Stream.from_external(_Handle(handle))
    return cupy.cuda.ExternalStream(handle)


class _Handle:
    """A handle that speaks the protocol of CUDA's streams."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.handle
