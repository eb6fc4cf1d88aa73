"""What a call costs: small arrays, and many of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy_steps
import proxstep as ps
from contest import OURS, Case, Contestant, Goal
from step_cases import SHRUNK, THRESHOLD, TORCH_ADAMW, ours, torch_forms, torch_peers
from workload import ADAMW, PENALTY, Arrays, make_arrays, normal


def soft_threshold_call(n: int = 1000) -> Case:
    x, work = normal(n, seed=1), np.zeros(n, np.float32)
    contestants = [
        Contestant(OURS, partial(ps.soft_threshold, x, THRESHOLD, out=x)),
        Contestant("NumPy with out=", partial(numpy_steps.soft_in_place, x, THRESHOLD, work)),
    ]
    if torch_peers:
        shrink = torch_peers.shrink(Arrays(x, None, (), ()), THRESHOLD)
        contestants.append(Contestant("torch softshrink, in place", shrink))
    goals = [Goal("a call of ps.soft_threshold", OURS, at_most=1.5)]
    return Case("Call of soft_threshold", n, 2 * x.nbytes, contestants, goals, serial=True)


def step_call(n: int = 1000) -> Case:
    arrays = make_arrays(ADAMW, n)
    moved = 7 * arrays.x.nbytes
    contestants = [
        Contestant(OURS, ours(ADAMW, arrays)),
        Contestant("NumPy with out=", numpy_steps.AdamInPlace(arrays)),
    ]
    if torch_peers:
        contestants += torch_forms(TORCH_ADAMW, torch_peers.adamw, arrays, moved)
    goals = [Goal("a call of ps.step", OURS, at_most=3.0)]
    return Case("Call of step, Adam + L1", n, moved, contestants, goals, serial=True)


def many_arrays(count: int = 100, n: int = 8000) -> Case:
    """An Optimizer over many arrays, and over one as large as all; each has moments of its own."""
    x, g = normal(count * n, seed=1), normal(count * n, seed=2)
    pieces = [list(whole.reshape(count, n)) for whole in (x, g)]
    one, many = f"one array of {count * n}", f"{count} arrays of {n}"
    contestants = [
        Contestant(f"{OURS}, {many}", optimizer_step(*pieces)),
        Contestant(f"{OURS}, {one}", optimizer_step([x], [g])),
    ]
    if torch_peers:
        step = torch_peers.adamw_of_many(*pieces)
        contestants.append(Contestant(f"{TORCH_ADAMW}, {many}", step))
        both = torch_peers.then_shrink_many(step, pieces[0])
        both_moved = 9 * x.nbytes
        contestants.append(Contestant(f"{TORCH_ADAMW}{SHRUNK}, {many}", both, both_moved))
    goal = Goal(f"time over {one}", f"{OURS}, {many}", f"{OURS}, {one}", at_most=1.2)
    return Case("Optimizer, Adam + L1", count * n, 7 * x.nbytes, contestants, [goal])


def optimizer_step(params: list[Any], grads: list[Any]) -> Callable[[], Any]:
    return partial(ps.Optimizer(params, ADAMW, PENALTY).step, grads)
