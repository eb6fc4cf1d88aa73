"""What `compact` did to a model, in numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .layers import Change
from .stays import Stay


@dataclass(frozen=True)
class CompactionSummary:
    """What was removed, layer by layer; ``print`` shows it as a table.

    Attributes
    ----------
    changes : tuple of Change
        ``name`` of the module, ``what`` became fewer ("inputs", "outputs", "channels" of a batch
        norm or a depthwise convolution, "heads"), their number ``before`` and ``after``.
    stays : tuple of Stay
        What is zero and stayed: ``name`` of the module, ``what`` ("outputs": rows, "inputs":
        columns, "heads"), their ``count``, and the ``reason``.
    parameters_before, parameters_after : int
        Elements of all parameters, tied ones once.
    """

    changes: tuple[Change, ...]
    stays: tuple[Stay, ...]
    parameters_before: int
    parameters_after: int

    def to_dict(self) -> dict[str, Any]:
        """Give the same as plain numbers and names, for JSON."""
        numbers = asdict(self)
        return numbers | {name: list(numbers[name]) for name in ("changes", "stays")}

    def __str__(self) -> str:
        names = [entry.name for entries in (self.changes, self.stays) for entry in entries]
        width = max(map(len, ["parameters", *names]))
        rows = [(c.name, c.what, c.before, c.after) for c in self.changes]
        rows.append(("parameters", "", self.parameters_before, self.parameters_after))
        lines = [
            f"{name:<{width}}  {what:<8}  {before:>12,} -> {after:>12,}"
            for name, what, before, after in rows
        ]
        lines += [
            f"{s.name:<{width}}  {s.what:<8}  {s.count:>12,} zero, stay: {s.reason}"
            for s in self.stays
        ]
        return "\n".join(lines)
