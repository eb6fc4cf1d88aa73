"""Steps and the soft threshold against NumPy and PyTorch, from the cache to main memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy_steps
import proxstep as ps
from contest import OURS, Case, Contestant, Goal
from workload import ADAMW, LR, MOMENTUM, PENALTY, Arrays, make_arrays, normal

try:
    import torch_peers
except ImportError:
    torch_peers = None

NUMPY, NUMPY_OUT = "NumPy expressions", "NumPy with out="
TORCH_ADAMW, TORCH_SGD = "torch AdamW", "torch SGD"
SHRUNK = " + softshrink"
TRIAD, TORCH_COPY, NUMPY_COPY = "triad b + s c", "torch copy_", "np.copyto"
NUMPY_UP_TO = 10**7
THRESHOLD = 1e-6


def ours(rule: ps.Rule, arrays: Arrays, penalty: ps.Penalty | None = PENALTY, **how: Any) -> Any:
    state = arrays.state() if arrays.names else None
    return partial(ps.step, arrays.x, arrays.g, rule, penalty, state, **how)


def numpy_forms(kind: str, arrays: Arrays) -> list[Contestant]:
    if arrays.n > NUMPY_UP_TO:
        return []
    return [
        Contestant(NUMPY, getattr(numpy_steps, kind)(arrays)),
        Contestant(NUMPY_OUT, getattr(numpy_steps, kind + "InPlace")(arrays)),
    ]


def torch_forms(
    name: str, make: Callable[[Arrays], Callable[[], Any]], arrays: Arrays, moved: int
) -> list[Contestant]:
    """PyTorch's optimizer alone and with the shrink, a second pass that reads and writes x."""
    step = make(arrays)
    both = torch_peers.then_shrink(step, arrays)
    return [
        Contestant(name, step, moved),
        Contestant(name + SHRUNK, both, moved + 2 * arrays.x.nbytes),
    ]


def against_two_passes(peer: str, passes: int, at_least: float | None = None) -> Goal:
    """A step of `passes` reads and writes, fused, against the same and two more for the shrink."""
    text = f"times as fast as {peer + SHRUNK} (fusion ceiling {1 + 2 / passes:.2f})"
    return Goal(text, peer + SHRUNK, OURS, at_least=at_least)


def adam(n: int, dtype: Any = np.float32) -> Case:
    """AdamW + L1: 7 numbers an element must move, and 9 where the shrink is a second pass."""
    arrays = make_arrays(ADAMW, n, dtype)
    moved = 7 * arrays.x.nbytes
    contestants = [
        Contestant(OURS, ours(ADAMW, arrays)),
        Contestant(OURS + ", euclidean", ours(ADAMW, arrays, metric="euclidean")),
        *numpy_forms("Adam", arrays),
    ]
    if torch_peers:
        scratch = np.zeros_like(arrays.x)
        triad = torch_peers.triad(arrays.g, arrays.moments[1], scratch)
        contestants += torch_forms(TORCH_ADAMW, torch_peers.adamw, arrays, moved)
        contestants.append(Contestant(TRIAD, triad, 3 * scratch.nbytes))
    return Case(f"Adam + L1, {np.dtype(dtype).name}", n, moved, contestants, adam_goals(n, dtype))


def adam_goals(n: int, dtype: Any) -> list[Goal]:
    """Set for float32; the share of the triad counts where nothing fits into a cache."""
    if dtype is not np.float32:
        return []
    share = 0.9 if n >= 10**8 else None
    return [
        Goal("time over " + TORCH_ADAMW, OURS, TORCH_ADAMW, at_most=1.05),
        against_two_passes(TORCH_ADAMW, 7, at_least=1.2),
        Goal("bandwidth over the triad's (12 bytes)", TRIAD, OURS, 7 / 3, at_least=share),
        Goal("the same, the triad's write-allocate counted (16 bytes)", TRIAD, OURS, 7 / 4),
    ]


def fista(n: int) -> Case:
    rule = ps.FISTA(lr=LR)
    arrays = make_arrays(rule, n)
    contestants = [Contestant(OURS, ours(rule, arrays)), *numpy_forms("Fista", arrays)]
    goals = [
        Goal("times as fast as " + NUMPY, NUMPY, OURS, at_least=8),
        Goal("times as fast as " + NUMPY_OUT, NUMPY_OUT, OURS),
    ]
    return Case("FISTA + L1, float32", n, 5 * arrays.x.nbytes, contestants, goals)


def momentum(n: int) -> Case:
    return gradient_case("Momentum + L1, float32", ps.Momentum(LR, MOMENTUM), "Momentum", n)


def sgd(n: int) -> Case:
    return gradient_case("SGD + L1, float32", ps.SGD(LR), "Gradient", n)


def gradient_case(name: str, rule: ps.Rule, numpy_kind: str, n: int) -> Case:
    """x and the moment are read and written, g is read."""
    arrays = make_arrays(rule, n)
    passes = 3 + 2 * len(arrays.moments)
    moved = passes * arrays.x.nbytes
    contestants = [Contestant(OURS, ours(rule, arrays)), *numpy_forms(numpy_kind, arrays)]
    if torch_peers:
        contestants += torch_forms(TORCH_SGD, torch_peers.sgd, arrays, moved)
    return Case(name, n, moved, contestants, [against_two_passes(TORCH_SGD, passes)])


def soft_threshold(n: int) -> Case:
    """In place. Copies read and write as many bytes; ordinary ones also fetch what they write."""
    x = normal(n, seed=1)
    arrays, out = Arrays(x, None, (), ()), np.zeros_like(x)
    contestants = [Contestant(OURS, partial(ps.soft_threshold, x, THRESHOLD, out=x))]
    in_numpy = partial(numpy_steps.soft_in_place, x, THRESHOLD, out)
    contestants.append(Contestant(NUMPY_OUT, in_numpy))
    copies = [NUMPY_COPY]
    contestants.append(Contestant(NUMPY_COPY, partial(np.copyto, out, x)))
    if torch_peers:
        shrink = torch_peers.shrink(arrays, THRESHOLD)
        contestants.append(Contestant("torch softshrink, in place", shrink))
        contestants.append(Contestant(TORCH_COPY, torch_peers.copy(x, out)))
        copies.append(TORCH_COPY)
    goals = [
        Goal(f"bandwidth over {name}'s", name, OURS, at_least=0.9 if n >= 10**8 else None)
        for name in copies
    ]
    return Case("Soft threshold in place, float32", n, 2 * x.nbytes, contestants, goals)
