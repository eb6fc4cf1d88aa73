"""Where a report goes, line by line."""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str], None]
