"""Products of matrices side by side: threads of our own, each with a BLAS of one thread.

Where threadpoolctl is missing BLAS keeps its threads, and the work is done one by one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from .. import _core
from ..blas import can_limit, one_thread

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["run_shares", "share_count"]

_WORTH_THREADS = 2e6  # multiplications; fewer are done before a thread wakes


def share_count(cost: float) -> int:
    """Return into how many shares work of so many multiplications is best cut."""
    return 1 if cost < _WORTH_THREADS or not can_limit() else _core.get_num_threads()


def run_shares(run: Callable[[Any], None], shares: Sequence[Any]) -> None:
    """Run every share, all at once where there are several."""
    if len(shares) == 1:
        return run(shares[0])
    with one_thread():
        others = [_pool(os.getpid(), len(shares)).submit(run, share) for share in shares[1:]]
        try:
            run(shares[0])
        finally:  # none works on after Ctrl-C
            for other in others:
                other.result()


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Make threads for a process: a fork does not inherit them."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(threads - 1)
