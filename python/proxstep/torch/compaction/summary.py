"""What `compact` did to a model, in numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .layers import Change


@dataclass(frozen=True)
class CompactionSummary:
    """What was removed, layer by layer; ``print`` shows it as a table.

    Attributes
    ----------
    changes : tuple of Change
        ``name`` of the module, ``what`` became fewer ("inputs", "outputs", "channels" of a batch
        norm or a depthwise convolution, "heads"), their number ``before`` and ``after``.
    parameters_before, parameters_after : int
        Elements of all parameters, tied ones once.
    """

    changes: tuple[Change, ...]
    parameters_before: int
    parameters_after: int

    def to_dict(self) -> dict[str, Any]:
        """Give the same as plain numbers and names, for JSON."""
        return asdict(self) | {"changes": [asdict(change) for change in self.changes]}

    def __str__(self) -> str:
        width = max([len("parameters"), *(len(change.name) for change in self.changes)])
        rows = [(c.name, c.what, c.before, c.after) for c in self.changes]
        rows.append(("parameters", "", self.parameters_before, self.parameters_after))
        return "\n".join(
            f"{name:<{width}}  {what:<8}  {before:>12,} -> {after:>12,}"
            for name, what, before, after in rows
        )
