"""Arrays in CUDA memory for the tests: of a device without a GPU, or of a real one.

Without a GPU they lie on the host and say that they do not; the core plans and checks as for a GPU
and its launches run in tests/emulation. With one, CuPy holds their memory.
"""

from __future__ import annotations

import copy
import ctypes
import math
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import device_library
import numpy as np
import proxstep as ps
import pytest
from cases import numpy_dtype

HERE = Path(__file__).parent
CAPSULE = f"proxstep.cuda {ps.__version__}".encode()  # the core takes functions of its version only
FLAGS = ["-std=c++17", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"]
FLAGS += ["-Wno-unknown-pragmas", "-fPIC", "-shared"]
# A device stops at an address that is not aligned; x86 would not.
FLAGS += ["-fsanitize=alignment", "-fsanitize-undefined-trap-on-error"]


def compiler() -> list[str]:
    """The C++ compiler as a command, empty where there is none."""
    for command in (os.environ.get("CXX"), "c++", "g++", "clang++"):
        if command and shutil.which(shlex.split(command)[0]):
            return shlex.split(command)
    return []


def build(folder: Path, source: Path = HERE / "emulation/kernels.cpp") -> Any:
    """Compile the kernels for the host; CXXFLAGS can add a sanitizer."""
    library = folder / f"{source.stem}.so"
    flags = [*FLAGS, f"-I{HERE.parent / 'csrc'}", f"-I{HERE / 'emulation'}"]
    flags += shlex.split(os.environ.get("CXXFLAGS", ""))
    subprocess.run([*compiler(), *flags, "-o", library, source], check=True)
    return ctypes.CDLL(str(library))


def kernel_names(library: Any) -> list[str]:
    """All kernels, as a launch names them."""
    library.kernel_names.restype = ctypes.c_char_p
    return library.kernel_names().decode().splitlines()


def launched_kernels(library: Any) -> set[str]:
    """Those launched since this was last asked."""
    library.launched_kernels.restype = ctypes.c_char_p
    return set(library.launched_kernels().decode().splitlines())


def capsule(library: Any, name: bytes = CAPSULE) -> Any:
    """The library's functions, as the core takes them."""
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = (
        ctypes.py_object,
        [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p],
    )
    library.emulated_functions.restype = ctypes.c_void_p
    return new(library.emulated_functions(), name, None)


def without_pools() -> bool:
    """Whether a checker of memory looks on: then every array ends where its allocation does."""
    return os.environ.get("PROXSTEP_TEST_POOLS") == "off"


def gpu_backend(name: str) -> Any:
    """One of the two that can serve a GPU."""
    if without_pools():
        pytest.importorskip("cupy").cuda.set_allocator(None)
    if name == "native":
        return pytest.importorskip("proxstep._cuda").functions
    pytest.importorskip("cupy")
    from proxstep._cupy import CuPyBackend

    return CuPyBackend()


def _extent(values: np.ndarray) -> int:
    """Bytes from the first element to the end of the last one in memory."""
    steps = zip(values.shape, values.strides, strict=True)
    return sum(max(0, (n - 1) * stride) for n, stride in steps) + values.itemsize


class RealMemory:
    """A copy on the GPU of the memory that a NumPy array is a view of; without pools, to its end.

    A read beyond the array would go unnoticed in what follows it.
    """

    def __init__(self, values: np.ndarray) -> None:
        import cupy

        whole = values
        while isinstance(whole.base, np.ndarray):
            whole = whole.base
        self.template = values
        self.offset = values.ctypes.data - whole.ctypes.data
        self.bytes = self.offset + _extent(values) if without_pools() else whole.nbytes
        # As far from a boundary of 64 bytes as on the host.
        self.lead = whole.ctypes.data % 64
        self.held = cupy.zeros(self.bytes + self.lead, np.uint8)[self.lead :]
        self.write(whole)

    @property
    def address(self) -> int:
        return int(self.held.data.ptr) + self.offset

    def view(self, values: np.ndarray) -> RealMemory:
        """The same memory, at a view of the array that it was copied from."""
        seen = copy.copy(self)
        seen.offset += values.ctypes.data - self.template.ctypes.data
        seen.template = values
        return seen

    def write(self, whole: np.ndarray) -> None:
        import cupy

        self.held[...] = cupy.asarray(np.frombuffer(whole.tobytes("A"), np.uint8)[: self.bytes])

    def read(self) -> np.ndarray:
        """A view, at the same place, of a copy on the host of all that is held."""
        whole = self.held.get()
        t = self.template
        return np.ndarray(t.shape, t.dtype, whole, self.offset, t.strides)


class DeviceArray(device_library.Operators):
    """A NumPy array that tells the core that it lies in CUDA memory, or one that does."""

    on_gpu = False  # whether those that are made from now on do

    def __init__(self, values: Any, device: int = 0) -> None:
        values = np.asarray(values)
        self.device = device
        self.writable = True
        self.stream: int | None = None  # on which it was last lent
        self._real = RealMemory(values) if self.on_gpu and values.size else None
        self._host = values

    @property
    def host(self) -> np.ndarray:
        """The values; of a real device a copy, whose base is a copy of what lies around them."""
        return self._host if self._real is None else self._real.read()

    def _look(self, look: Any) -> Any:
        values = self._host if self._real is None else look(self._host)
        if self._real is None or not values.size or not np.may_share_memory(values, self._host):
            return super()._look(look)
        seen = copy.copy(self)
        seen._host, seen._real = values, self._real.view(values)
        return seen

    def __setitem__(self, index: Any, values: Any) -> None:
        if self._real is None:
            return super().__setitem__(index, values)
        host = self._real.read()
        from_host = isinstance(values, np.ndarray)  # CuPy copies what is assigned
        host[device_library.host_of(index)] = (
            values if from_host else device_library.host_of(values)
        )
        self._real.write(host.base)

    def get(self) -> np.ndarray:
        """A copy on the host, as CuPy's method; counted."""
        device_library.Operators.reads += 1
        return self.host.copy()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, self.device)

    def __dlpack__(self, *, stream: int | None = None, max_version: Any = None) -> Any:
        assert stream is not None
        self.stream = stream
        address = self._host.ctypes.data if self._real is None else self._real.address
        return _lend(self._host, address, self.device, self.writable)

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return device_library


class Promised(DeviceArray):
    """Of any shape, in C order, said to lie at an address where nothing is."""

    def __init__(self, shape: tuple[int, ...], address: int) -> None:
        strides = [8 * math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
        super().__init__(np.lib.stride_tricks.as_strided(np.empty(1), shape, strides))
        self._address = address

    def __dlpack__(self, *, stream: int | None = None, max_version: Any = None) -> Any:
        return _lend(self._host, self._address, self.device, self.writable)


def on_device(a: Any) -> DeviceArray:
    """A copy between sentinels."""
    return DeviceArray(placed(a))


def placed(a: Any, odd: bool = False) -> Any:
    """A copy at a boundary of 64 bytes or an element after it, with sentinels on both sides."""
    buffer = np.full(a.size + 128, 77, a.dtype)
    first = 32 + (-(buffer.ctypes.data + 32 * a.itemsize) % 64) // a.itemsize + odd
    view = buffer[first : first + a.size].reshape(a.shape)
    view[...] = a
    return view


def check_sentinels(view: Any) -> None:
    """Nothing was written around an array that was placed."""
    buffer = view
    while buffer.base is not None:
        buffer = buffer.base
    buffer = buffer.view(view.dtype)  # a copy from a device comes as bytes
    first = (view.ctypes.data - buffer.ctypes.data) // view.itemsize
    around = np.delete(buffer, slice(first, first + view.size))
    assert np.all(around == numpy_dtype(str(view.dtype)).type(77))


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", ctypes.c_int32 * 2),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class _Managed(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_uint32 * 2),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    )


CODES = {"f": 2, "i": 0, "u": 1}
_lent: dict[int, Any] = {}  # what capsules point to, until their deleter


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def _give_back(managed: int) -> None:
    _lent.pop(managed)


def _lend(a: np.ndarray, data: int, device: int, writable: bool) -> Any:
    shape = (ctypes.c_int64 * a.ndim)(*a.shape)
    strides = (ctypes.c_int64 * a.ndim)(*(s // a.itemsize for s in a.strides))
    brain = a.dtype.name == "bfloat16"
    tensor = _Tensor(
        data, (ctypes.c_int32 * 2)(2, device), a.ndim, 4 if brain else CODES[a.dtype.kind],
        8 * a.itemsize, 1, shape, strides, 0,
    )  # fmt: skip
    flags = 0 if writable else 1
    deleter = ctypes.cast(_give_back, ctypes.c_void_p)
    managed = _Managed((ctypes.c_uint32 * 2)(1, 0), None, deleter, flags, tensor)
    address = ctypes.addressof(managed)
    _lent[address] = (managed, shape, strides, a)
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = (
        ctypes.py_object,
        [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p],
    )
    return new(address, b"dltensor_versioned", None)


needs_compiler = pytest.mark.skipif(not compiler(), reason="needs a C++ compiler")
