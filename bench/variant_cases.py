"""What variations cost: groups, storage types, statistics, instruction sets. All Adam."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import proxstep as ps
from contest import OURS, Case, Contestant, Goal
from proxstep import _core
from step_cases import TORCH_ADAMW, ours, torch_forms, torch_peers
from workload import ADAMW, LAM, Arrays, make_arrays

ELEMENTS = OURS + ", elements"
ROWS, ROWS_DIAGONAL = "rows, euclidean", "rows, diagonal"
STRONG = 3.0  # the norms shrink visibly, so the roots must be searched for
GROUPS = {
    ROWS: ("rows", LAM, "euclidean"),
    ROWS_DIAGONAL: ("rows", LAM, "diagonal"),
    f"rows, diagonal, lam = {STRONG:g}": ("rows", STRONG, "diagonal"),
    "columns, euclidean": ("columns", LAM, "euclidean"),
    "columns, diagonal": ("columns", LAM, "diagonal"),
    "blocks of 8, euclidean": (8, LAM, "euclidean"),
    "blocks of 8, diagonal": (8, LAM, "diagonal"),
}


def groups(rows: int = 4096, columns: int = 4096) -> Case:
    """Group penalties read their point more than once, but out of a cache."""
    arrays = make_arrays(ADAMW, (rows, columns))
    contestants = [Contestant(ELEMENTS, ours(ADAMW, arrays))]
    for name, (over, lam, metric) in GROUPS.items():
        penalty = ps.Group(ps.L1(lam), over)
        contestants.append(Contestant(name, ours(ADAMW, arrays, penalty, metric=metric)))
    goals = [
        Goal(f"time of {name} over elements", name, ELEMENTS, at_most=1.3)
        for name in (ROWS, ROWS_DIAGONAL)
    ]
    name = f"Adam + Group(L1), {rows} x {columns}"
    return Case(name, rows * columns, 7 * arrays.x.nbytes, contestants, goals)


def bfloat16(n: int) -> Case:
    """Parameters and gradients in 2 bytes; ours keeps the moments in 4, torch in 2."""
    import torch

    wide = make_arrays(ADAMW, n)
    x, g, m, v = (torch_peers.as_bfloat16(a) for a in (wide.x, wide.g, *wide.moments))
    arrays = Arrays(x, g, wide.names, tuple(torch.from_numpy(a) for a in wide.moments))
    narrow = Arrays(x, g, wide.names, (m, v))
    contestants = [
        Contestant(OURS, ours(ADAMW, arrays)),
        *torch_forms(TORCH_ADAMW, torch_peers.adamw, narrow, 14 * n),
    ]
    note = "proxstep keeps float32 moments, 22 bytes an element; torch bfloat16 ones, 14"
    return Case("Adam + L1, bfloat16", n, 22 * n, contestants, note=note)


def statistics(n: int) -> Case:
    """What `stats=True` costs beside a step without it."""
    arrays = make_arrays(ADAMW, n)
    contestants = [
        Contestant(OURS, ours(ADAMW, arrays)),
        Contestant(OURS + ", stats=True", ours(ADAMW, arrays, stats=True)),
    ]
    return Case("Statistics of a step, Adam + L1", n, 7 * arrays.x.nbytes, contestants)


@contextmanager
def instruction_set(name: str) -> Iterator[None]:
    before = _core.isa()
    _core.set_isa(name)
    yield
    _core.set_isa(before)


def instruction_sets(n: int) -> Case:
    """All that this processor has, best first; they give the same bits."""
    arrays = make_arrays(ADAMW, n)
    contestants = [
        Contestant(f"{OURS}, {isa}", ours(ADAMW, arrays), within=partial(instruction_set, isa))
        for isa in _core.isas()
    ]
    moved = 7 * arrays.x.nbytes
    return Case("Instruction sets, Adam + L1", n, moved, contestants, serial=n < 65_536)
