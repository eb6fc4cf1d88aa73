"""A progress bar where tqdm is there, and signals that wait for the end of a step."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from . import extras
from .metrics import Record


class Progress:
    """A bar on the error stream; silent when asked or when the stream is no terminal.

    Parameters
    ----------
    done, total : int
        Steps.
    say : callable
        Takes a line of the report; the bar steps aside for it.
    quiet : bool
        Show no bar.
    """

    def __init__(self, done: int, total: int, say: Callable[[str], None], quiet: bool) -> None:
        self._say, self._done, self._total = say, done, total
        self._began, self._validation = time.perf_counter(), ""
        self._bar: Any = None
        if quiet or not sys.stderr.isatty():
            return
        if not extras.available("tqdm"):
            say(f"no progress bar: it needs tqdm: {extras.INSTALL}")
            return
        tqdm = extras.require("tqdm", "progress").tqdm
        self._bar = tqdm(initial=done, total=total, unit=" steps", dynamic_ncols=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, record: Record | None) -> None:
        """Move on by one step; the numbers stay those of the last step that has some."""
        if self._bar is None:
            return
        if record is not None:
            self._bar.set_postfix_str(self._numbers(record), refresh=False)
        self._bar.update()

    def _numbers(self, record: Record) -> str:
        """Return the loss, the last validation loss, zeros and speed, for the bar."""
        if record.val_loss is not None:
            self._validation = f", validation {record.val_loss:.3f}"
        text = f"loss {record.train_loss:.3f}{self._validation}, zeros {100 * record.zeros:.1f} %"
        return f"{text}, {record.tokens_per_s or 0:,.0f} tokens/s"

    def left(self, step: int) -> str:
        """Return the time to the last step at the mean pace so far, as in ``"01:05 left"``."""
        if step <= self._done:
            return "unknown time left"
        pace = (time.perf_counter() - self._began) / (step - self._done)
        seconds = round(pace * (self._total - step))
        hours, minutes = f"{seconds // 3600}:" if seconds >= 3600 else "", seconds // 60 % 60
        return f"{hours}{minutes:02d}:{seconds % 60:02d} left"

    def say(self, line: str) -> None:
        """Pass a line on without breaking the bar."""
        if self._bar is None:
            self._say(line)
            return
        self._bar.clear()
        self._say(line)
        self._bar.refresh()


class Interrupt:
    """Notes Ctrl-C and SIGTERM in `signal`, so that a step is never cut; the second one cuts.

    Examples
    --------
    >>> with Interrupt() as interrupt:
    ...     interrupt.signal is None
    True
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._give_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self._give_back()

    def _give_back(self) -> None:
        while self._former:
            number, handler = self._former.popitem()
            signal.signal(number, handler)
