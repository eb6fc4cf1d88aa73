"""Hooks of an optimizer on a module, of which copies and pickles of the module are free."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

__all__ = ["Hook"]


class Hook:
    """Calls what it is given.

    A module takes its hooks along where it is copied or saved whole. There this one becomes a
    callable of the standard library that does nothing: neither an optimizer, whose state it would
    bring, nor this package is needed to load the module.
    """

    def __init__(self, call: Callable[..., None]) -> None:
        self._call = call

    def __call__(self, *given: Any) -> None:
        """Do what it is there for."""
        self._call(*given)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (nullcontext(), "__exit__")
