"""Independent fits in threads. What they return does not depend on how many there are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
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
    results: dict[int, T] = {}

    def run(k: int) -> None:
        results[k] = tasks[k]()

    futures: list[Future[None]] = []
    with ThreadPoolExecutor(workers, initializer=_core.stay_serial if full else None) as pool:
        try:  # Ctrl-C may come while tasks are handed out: the first ones run already
            futures.extend(pool.submit(run, k) for k in range(len(tasks)))
            wait(futures, return_when=FIRST_EXCEPTION)
        except KeyboardInterrupt:
            pass
        finally:
            stop.set()
    for future in futures:
        future.result()
    if len(results) < len(tasks):
        raise KeyboardInterrupt
    return [results[k] for k in range(len(tasks))]
