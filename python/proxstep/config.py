"""What serves here: version, instruction set, threads, modules. And the number of threads."""

from __future__ import annotations

import platform
from typing import Any

from . import _core, cuda
from ._version import __version__
from .checks import integer

__all__ = ["get_config", "get_num_threads", "set_num_threads", "show_config"]


def get_num_threads() -> int:
    """Threads that large arrays may use.

    By default PROXSTEP_NUM_THREADS, OMP_NUM_THREADS or the processor affinity, the first that is
    set. No result depends on it.
    """
    return _core.get_num_threads()


def set_num_threads(n: int) -> None:
    """Use at most n threads; 0 goes back to the default.

    Raises
    ------
    TypeError
        For what is no integer.
    ValueError
        For a negative n.
    """
    _core.set_num_threads(integer("n", n))


def get_config() -> dict[str, Any]:
    """Return what `show_config` prints, as a dict."""
    return {
        "proxstep": __version__,
        "python": platform.python_version(),
        "numpy": _installed("numpy"),
        "instruction_set": _core.isa(),
        "instruction_sets": _core.isas(),
        "threads": _core.get_num_threads(),
        "cuda_module": _core.cuda_status,
        "cuda_arrays": cuda.serving(),
        "cuda_devices": cuda.device_count(),
        "cupy": _installed_cupy(),
        "torch": _installed("torch"),
    }


def show_config() -> None:
    """Print version, instruction set, threads, and which optional modules serve and why."""
    for key, value in get_config().items():
        text = ", ".join(value) if isinstance(value, list) else value
        print(f"{key + ':':18}{'not installed' if text is None else text}")  # noqa: T201


def _installed_cupy() -> str | None:
    """CuPy's packages bear the version of CUDA in their names."""
    names = ("cupy-cuda13x", "cupy-cuda12x", "cupy")
    return next((version for name in names if (version := _installed(name))), None)


def _installed(package: str) -> str | None:
    from importlib import metadata  # slow to import, seldom needed

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def join_threadpoolctl() -> None:
    """Let threadpoolctl, where it is installed, see and limit the pool."""
    try:
        import threadpoolctl
    except ImportError:
        return

    class Controller(threadpoolctl.LibController):  # type: ignore[misc]
        user_api = "proxstep"
        internal_api = "proxstep"
        filename_prefixes = ("_core",)
        check_symbols = ("proxstep_get_num_threads", "proxstep_set_num_threads")

        def get_num_threads(self) -> int:
            return _core.get_num_threads()

        def set_num_threads(self, num_threads: int) -> None:
            _core.set_num_threads(num_threads)

        def get_version(self) -> str:
            return __version__

    threadpoolctl.register(Controller)
