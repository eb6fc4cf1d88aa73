"""What variations cost: groups, storage types, statistics, instruction sets. All Adam."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import proxstep as ps
from contest import OURS, Case, Contestant, Goal
from proxstep import _core
from step_cases import TORCH_ADAMW, ours, torch_forms, torch_peers
from workload import ADAMW, LAM, PENALTY, Arrays, make_arrays, normal

HALVED = ", bfloat16 moments"
PRECISIONS: dict[str, dict[str, Any]] = {
    OURS: {},
    OURS + ", stochastic": {"rounding": "stochastic"},
    OURS + ", master": {"master": True},
    OURS + ", master" + HALVED: {"master": True, "moments": "bfloat16"},
}
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


def bfloat16_moments(n: int) -> Case:
    """Float32 parameters and gradients; moments in 2 bytes move 20 an element instead of 28."""
    arrays = make_arrays(ADAMW, n)
    narrow = ADAMW.init(arrays.x, moments="bfloat16").moments
    halved = Arrays(arrays.x, arrays.g, tuple(narrow), tuple(narrow.values()))
    contestants = [
        Contestant(OURS, ours(ADAMW, arrays)),
        Contestant(OURS + HALVED, ours(ADAMW, halved), 20 * n),
    ]
    goals = [Goal("time over float32 moments (traffic 0.71)", OURS + HALVED, OURS, at_most=0.85)]
    if torch_peers:
        contestants += torch_forms(TORCH_ADAMW, torch_peers.adamw, arrays, 28 * n)
        goals.append(Goal("time over " + TORCH_ADAMW, OURS + HALVED, TORCH_ADAMW, at_most=1.0))
    return Case("Adam + L1, bfloat16 moments", n, 28 * n, contestants, goals if n >= 10**7 else [])


def masters(n: int) -> Case:
    """What 16-bit parameters cost that keep small changes."""
    x, g = (normal(n, seed=k).astype(np.float16) for k in (1, 2))
    contestants = []
    for name, options in PRECISIONS.items():
        optimizer = ps.Optimizer([x], ADAMW, PENALTY, **options)
        contestants.append(Contestant(name, partial(optimizer.step, [g]), bytes_moved(name, n)))
    return Case("Adam + L1, float16 parameters", n, bytes_moved(OURS, n), contestants)


def bytes_moved(name: str, n: int) -> int:
    """Of the gradient and the parameter, moments and master."""
    options = PRECISIONS[name]
    master = 8 - 2 if options.get("master") else 0  # the parameter is then not read
    return n * (6 + (8 if "moments" in options else 16) + master)


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
