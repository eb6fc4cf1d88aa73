"""BLAS with one thread, for work that brings threads of its own; by threadpoolctl, if it is there.

A limit holds for the process, and a thread that ends its own would end or keep that of another.
So one thread has it at a time, and the others wait.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import RLock
from typing import Any

__all__ = ["can_limit", "one_thread"]


def can_limit() -> bool:
    """Tell whether the threads of BLAS can be limited here."""
    return _controller() is not None


@contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS have one thread; what needs the same in another thread begins afterwards.

    Without threadpoolctl BLAS keeps its threads and nothing waits.

    Examples
    --------
    >>> import numpy as np
    >>> with one_thread():
    ...     square = np.ones((2, 3)) @ np.ones((3, 2))
    """
    controller = _controller()
    if controller is None:
        yield
        return
    with _lock(os.getpid()), controller.limit(limits=1):
        yield


@cache
def _lock(process: int) -> Any:
    """Make the lock of a process: a fork may inherit one that nobody gives back."""
    return RLock()


def _controller() -> Any:
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return _made_by(ThreadpoolController)


@cache
def _made_by(kind: Any) -> Any:
    """Look for the libraries once, not at every step."""
    return kind().select(user_api="blas")
