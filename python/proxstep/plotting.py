"""matplotlib, if it is there. Nothing else imports it, and nothing at import time."""

from __future__ import annotations

from typing import Any


def pyplot() -> Any:
    """Return ``matplotlib.pyplot``, or say what to install."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "proxstep[lm]"') from error
    return plt
