"""What serves arrays in CUDA memory: the compiled module, or CuPy compiling the same headers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from . import _core
from .arrays import Array, is_cupy, is_torch

__all__ = ["device_count", "serving", "stream"]


@dataclass(frozen=True)
class _Found:
    """What serves, or None; how many devices; and both in words."""

    backend: Any
    devices: int
    reason: str


def serving() -> str:
    """Say in a line what serves arrays in CUDA memory, and why that or nothing.

    Examples
    --------
    >>> import proxstep as ps
    >>> isinstance(ps.cuda.serving(), str)
    True
    """
    return _find().reason


def device_count() -> int:
    """Return how many CUDA devices can be used; 0 where nothing serves them.

    Examples
    --------
    >>> import proxstep as ps
    >>> device = "cuda" if ps.cuda.device_count() else "cpu"
    >>> device in ("cuda", "cpu")
    True
    """
    return _find().devices


# The core calls this and `_current_stream` by their names.
def _backend() -> Any:
    """Return what launches the kernels; the core asks once, at the first array in CUDA memory.

    Raises
    ------
    RuntimeError
        Where neither the compiled module nor CuPy can serve; the message says why.
    """
    found = _find()
    if found.backend is None:
        raise RuntimeError(
            f"arrays in CUDA memory cannot be served: {found.reason}. They need a device with its "
            "driver, and proxstep built with PROXSTEP_CUDA=ON or CuPy (pip install cupy-cuda13x)"
        )
    return found.backend


def _find() -> _Found:
    try:
        from . import _cuda
    except ImportError as error:
        why = _why_not_built(error)
    else:
        count, problem = _cuda.devices()
        what = f"the compiled module (for {_cuda.architectures})"
        if count:
            return _Found(_cuda.functions, count, what)
        why = f"{what} finds no device: {problem or 'there is none'}"
    try:
        import cupy
    except ImportError:
        return _Found(None, 0, f"{why}, and CuPy is not installed")
    if not cupy.cuda.is_available():
        return _Found(None, 0, f"{why}, and CuPy {cupy.__version__} finds no device")
    from ._cupy import CuPyBackend

    reason = f"CuPy {cupy.__version__} compiles the kernels, as {why}"
    return _Found(CuPyBackend(), cupy.cuda.runtime.getDeviceCount(), reason)


def _why_not_built(error: ImportError) -> str:
    status = _core.cuda_status
    if status.startswith("built"):
        return f"the compiled module cannot be loaded ({error})"
    return f"the CUDA module is {status}"


@contextmanager
def stream(given: Any) -> Iterator[None]:
    """Work on a given stream, in this thread, instead of the current one of each array's library.

    Parameters
    ----------
    given : object
        A stream with ``__cuda_stream__`` (cuda.core and others), of CuPy (``ptr``), of torch
        (``cuda_stream``), or the handle as an integer. It must be one of the arrays' device.

    Raises
    ------
    TypeError
        For what is none of these.

    Notes
    -----
    The arrays' libraries know nothing of it: keep arguments alive until the stream has done its
    work, and make it wait for what makes them, and others for what it makes. Making the stream
    current in the library instead (``with stream:`` of CuPy, ``torch.cuda.stream``) does all that.

    Examples
    --------
    >>> import proxstep as ps
    >>> with ps.cuda.stream(0):  # the default stream
    ...     pass
    """
    handle, before = _handle(given), _core.chosen_stream()
    _core.choose_stream(handle)
    try:
        yield
    finally:
        _core.choose_stream(before)


def _handle(given: Any) -> int:
    protocol = getattr(given, "__cuda_stream__", None)
    if protocol is not None:
        version, handle = protocol() if callable(protocol) else protocol
        if version != 0:
            raise TypeError(f"{given!r} speaks version {version} of __cuda_stream__, 0 is known")
        return int(handle)
    for name in ("cuda_stream", "ptr"):
        if hasattr(given, name):
            return int(getattr(given, name))
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return given
    raise TypeError(f"stream is {given!r}; a stream of CUDA, CuPy or torch, or a handle, is needed")


def _current_stream(x: Array, device: int) -> int:
    """Return the handle of the stream that x's library works on now, 0 for the default stream."""
    if is_torch(x):
        return int(sys.modules["torch"].cuda.current_stream(device).cuda_stream)
    if is_cupy(x):
        return int(sys.modules["cupy"].cuda.get_current_stream(device).ptr)
    return 0
