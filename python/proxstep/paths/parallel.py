"""Independent fits in threads. What they return does not depend on how many there are."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TypeVar

from .. import _core

T = TypeVar("T")


def run_all(tasks: Sequence[Callable[[], T]], workers: int, stop: threading.Event) -> list[T]:
    """Return all results, in order.

    Ctrl-C reaches the main thread alone: there it sets ``stop``, which the tasks are to look at. So
    does a task that fails. Where the tasks fill the processor, none is spread over it once more.
    """
    if workers == 1:  # in this thread, whose device stream may be the user's own
        return [task() for task in tasks]
    full = min(workers, len(tasks)) >= _core.get_num_threads()
    with ThreadPoolExecutor(workers, initializer=_core.stay_serial if full else None) as pool:
        futures: list[Future[T]] = []
        with suppress(KeyboardInterrupt):
            _hand_out(tasks, pool, futures)
            wait(futures, return_when=FIRST_EXCEPTION)
        stop.set()
        return [future.result() for future in futures]


def _hand_out(
    tasks: Sequence[Callable[[], T]], pool: ThreadPoolExecutor, futures: list[Future[T]]
) -> None:
    """Submit all tasks: a signal waits until they are known, and is never a task thread's."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        futures.extend(pool.submit(task) for task in tasks)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
