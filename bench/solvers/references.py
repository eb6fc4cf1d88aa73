"""The best objective known of each case, how it was found, and the duality gap that bounds it.

Kept in a file from run to run: a better one, whoever finds it, takes its place.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from . import peers
from .accuracy import Line
from .cases import Case
from .peer import TOLERANCES

FILE = Path(__file__).with_name("references.json")
SETTLED = 1e-12  # relative duality gap, which bounds how far the reference is from the best


class References:
    """Entries by case: objectives, the smallest gap seen and by whom, checksum of the data."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.entries: dict[str, Any] = {}
        if path is not None and path.exists():
            self.entries = json.loads(path.read_text(encoding="utf-8"))

    def get(self, case: Case) -> dict[str, Any] | None:
        return self.entries.get(case.name)

    def is_settled(self, case: Case) -> bool:
        entry = self.get(case)
        return entry is not None and entry["gap"] <= SETTLED

    def keep(self, case: Case, solver: str, lines: list[Line]) -> None:
        """Take each objective that is below the one known, and the smallest gap seen."""
        data = next((line["data"] for line in lines if "data" in line), None)
        for line in lines:
            if "objectives" in line:
                self._merge(case, solver, line, data)
        self.save()

    def _merge(self, case: Case, solver: str, line: Line, data: Any) -> None:
        known = self.entries.get(case.name)
        if known is None or known["data"] != data:
            known = {"objectives": line["objectives"], "gap": math.inf}
        values = [min(pair) for pair in zip(known["objectives"], line["objectives"], strict=True)]
        better = line.get("gap", math.inf) < known["gap"]
        own = {"gap": line["gap"], "by": solver} if better else {}
        self.entries[case.name] = {**known, **own, "objectives": values, "data": data}

    def save(self) -> None:
        if self.path is not None:
            text = json.dumps(self.entries, indent=1, sort_keys=True)
            self.path.write_text(text + "\n", encoding="utf-8")


def candidates(case: Case) -> list[peers.Peer]:
    """Those worth asking, ours last: saga is left out, as nobody waits for its last digits."""
    ours, *others = peers.all_of()
    return [
        peer for peer in [*others, ours]
        if case.form in peer.makers and peer.settings is TOLERANCES and peers.is_installed(peer)
    ]  # fmt: skip
