"""Objects that keep what they computed, but not in a pickle: some of it is native."""

from __future__ import annotations

from functools import cached_property
from typing import Any


class Cached:
    """Pickles and deep copies compute anew; shallow copies share what there is."""

    def without_caches(self) -> dict[str, Any]:
        """Return all attributes that are no cached property."""
        kind = type(self)
        return {
            name: value
            for name, value in vars(self).items()
            if not isinstance(getattr(kind, name, None), cached_property)
        }

    def __getstate__(self) -> dict[str, Any]:
        return self.without_caches()

    def __copy__(self) -> Any:
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        return other
