"""Where a model lives: NumPy's arrays on the CPU, CuPy's on a CUDA device.

Only this file of lm/ knows CuPy; all others compute with the namespace of their weights and take
what they save to the host by `on_host`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proxstep import cuda

from .extras import MissingExtraError
from .names import check_name

DEVICES = ("cpu", "cuda")


class DeviceError(RuntimeError):
    """The device that was asked for cannot serve here."""


def namespace(device: str) -> Any:
    """Return the array namespace of a device.

    Raises
    ------
    ValueError
        If the name is unknown.
    MissingExtraError
        If CuPy is not installed.
    DeviceError
        If there is no device, or nothing that runs the kernels on it; the message says why.

    Examples
    --------
    >>> namespace("cpu") is np
    True
    """
    check_name("device", device, DEVICES)
    return np if device == "cpu" else _cupy()


def _cupy() -> Any:
    try:
        import cupy
    except ImportError as error:
        raise MissingExtraError(
            "device cuda needs CuPy: pip install cupy-cuda13x (cupy-cuda12x for a driver of CUDA "
            f"12), or use the device cpu ({error})"
        ) from error
    if not cupy.cuda.is_available():
        raise DeviceError(
            f"CuPy {cupy.__version__} finds no CUDA device ({_reason(cupy.cuda.runtime)}): install "
            "a driver, let CUDA_VISIBLE_DEVICES name a device, or use the device cpu"
        )
    try:
        cuda._backend()
    except (ImportError, RuntimeError) as error:
        raise DeviceError(f"{error}; or use the device cpu") from error
    return cupy


def _reason(runtime: Any) -> str:
    try:
        return f"{runtime.getDeviceCount()} devices"
    except RuntimeError as error:
        return str(error)
