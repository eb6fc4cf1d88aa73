"""A device without a GPU: arrays that say they lie in CUDA memory, and the kernels on the host.

The core plans and checks as for a GPU; its launches run in tests/emulation.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import device_library
import numpy as np
import nvrtc
import pytest
from cases import numpy_dtype

HERE = Path(__file__).parent
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
    flags = [*FLAGS, f"-I{nvrtc.INCLUDE}", f"-I{HERE.parent / 'csrc'}", f"-I{HERE / 'emulation'}"]
    flags += shlex.split(os.environ.get("CXXFLAGS", ""))
    subprocess.run([*compiler(), *flags, "-o", library, source], check=True)
    return ctypes.CDLL(str(library))


def kernel_names(library: Any) -> list[str]:
    """All kernels, as a launch names them."""
    library.kernel_names.restype = ctypes.c_char_p
    return library.kernel_names().decode().splitlines()


def capsule(library: Any) -> Any:
    """The library's functions, as the core takes them."""
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = (
        ctypes.py_object,
        [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p],
    )
    library.emulated_functions.restype = ctypes.c_void_p
    return new(library.emulated_functions(), None, None)


class DeviceArray(device_library.Operators):
    """A NumPy array that tells the core that it lies in CUDA memory."""

    def __init__(self, values: Any, device: int = 0) -> None:
        self.host = np.asarray(values)
        self.device = device
        self.stream: int | None = None  # on which it was last lent

    def get(self) -> np.ndarray:
        """A copy on the host, as CuPy's method; counted."""
        device_library.Operators.reads += 1
        return self.host.copy()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, self.device)

    def __dlpack__(self, *, stream: int | None = None, max_version: Any = None) -> Any:
        assert stream is not None
        self.stream = stream
        return _lend(self.host, self.device)

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return device_library


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


def _lend(a: np.ndarray, device: int) -> Any:
    shape = (ctypes.c_int64 * a.ndim)(*a.shape)
    strides = (ctypes.c_int64 * a.ndim)(*(s // a.itemsize for s in a.strides))
    brain = a.dtype.name == "bfloat16"
    tensor = _Tensor(
        a.ctypes.data, (ctypes.c_int32 * 2)(2, device), a.ndim, 4 if brain else CODES[a.dtype.kind],
        8 * a.itemsize, 1, shape, strides, 0,
    )  # fmt: skip
    flags = 0 if a.flags.writeable else 1
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
