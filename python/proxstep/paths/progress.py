"""A bar of tqdm, if it is there. Nothing else imports it, and nothing at import time."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def bar(shown: bool, total: int) -> Iterator[Callable[[], None]]:
    """Yield what to call after each fit, from any thread."""
    tqdm = _tqdm() if shown else None
    if tqdm is None:
        yield lambda: None
        return
    lock = threading.Lock()
    with tqdm(total=total, unit=" fits", dynamic_ncols=True) as line:

        def tick() -> None:
            with lock:
                line.update()

        yield tick


def _tqdm() -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        message = 'no progress bar: it needs tqdm: pip install "proxstep[lm]"'
        warnings.warn(message, UserWarning, stacklevel=5)
        return None
    return tqdm
