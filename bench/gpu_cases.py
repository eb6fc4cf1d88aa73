"""What is measured on a device: torch's tensors, the same memory for every contestant."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import cupy_peers
import gpt_models
import proxstep as ps
import torch
import torch_peers
import torchao_cases
from attempts import those_that_run
from contest import OURS, Case, Contestant, Goal
from workload import ADAMW, LR, MOMENTUM, PENALTY, Arrays

COPY, ADAMW_ALONE, SHRUNK = "copy", "torch AdamW(fused)", "torch AdamW(fused) + softshrink"
FLAT = "proxstep, one flat array"
SHARE_OF_COPY = 0.92
# GPT-2 of 124 million parameters: embeddings, 12 blocks, the final norm
BLOCK = [(768,), (768,), (2304, 768), (2304,), (768, 768), (768,)]
BLOCK += [(768,), (768,), (3072, 768), (3072,), (768, 3072), (768,)]
GPT2 = [(50257, 768), (1024, 768), *(12 * BLOCK), (768,), (768,)]


def normal(shape: Any, device: str, seed: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator(device).manual_seed(seed)
    return torch.randn(shape, device=device, generator=generator).to(dtype)


def arrays_for(rule: ps.Rule, n: int, device: str, dtype: torch.dtype = torch.float32) -> Arrays:
    """Parameters, a gradient and moments that are not zero."""
    x, g = normal(n, device, 1, dtype), normal(n, device, 2, dtype)
    moments = tuple(normal(n, device, 3 + k).abs_() for k in range(len(rule.moments)))
    return Arrays(x, g, tuple(rule.moments), moments)


def bytes_of(*tensors: torch.Tensor) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


def copy_of(x: torch.Tensor) -> Contestant:
    """The copy whose bandwidth is the measure: as large as x, or 100 MB where x is smaller."""
    source = x if bytes_of(x) > 10**8 else torch.empty(25 * 10**6, device=x.device)
    return Contestant(COPY, partial(torch.empty_like(source).copy_, source), 2 * bytes_of(source))


def share_of_copy(moved: int, copy: Contestant) -> Goal:
    text = "bandwidth over the copy's"
    return Goal(text, COPY, OURS, moved / copy.moved, at_least=SHARE_OF_COPY)


def step_case(name: str, rule: ps.Rule, arrays: Arrays, peers: list[Contestant]) -> Case:
    """A step: x and the moments read and written, the gradient read."""
    moved = 2 * bytes_of(arrays.x, *arrays.moments) + bytes_of(arrays.g)
    state = arrays.state() if arrays.names else None
    run = partial(ps.step, arrays.x, arrays.g, rule, PENALTY, state)
    copy = copy_of(arrays.x)
    goals = [share_of_copy(moved, copy)]
    if any(peer.name == ADAMW_ALONE for peer in peers):
        goals.append(Goal("time over AdamW(fused) alone", OURS, ADAMW_ALONE, at_most=1.0))
        goals.append(Goal("times as fast as with softshrink", SHRUNK, OURS))
    return Case(name, arrays.n, moved, [Contestant(OURS, run, moved), *peers, copy], goals)


def adam(n: int, device: str) -> Case:
    arrays = arrays_for(ADAMW, n, device)
    alone = torch_peers.adamw(arrays)
    both = torch_peers.then_shrink(alone, arrays)
    peers = [Contestant(ADAMW_ALONE, alone), Contestant(SHRUNK, both)]
    return step_case("AdamW + L1, float32", ADAMW, arrays, peers)


def adam_bfloat16(n: int, device: str) -> Case:
    arrays = arrays_for(ADAMW, n, device, torch.bfloat16)
    return step_case("AdamW + L1, bfloat16, moments float32", ADAMW, arrays, [])


def momentum(n: int, device: str) -> Case:
    rule = ps.Momentum(LR, MOMENTUM)
    return step_case("momentum + L1, float32", rule, arrays_for(rule, n, device), [])


def soft_threshold(n: int, device: str) -> Case:
    x = normal(n, device, 1)
    out, copy = torch.empty_like(x), copy_of(x)
    theirs = partial(torch.nn.functional.softshrink, x, 0.1, out=out)
    ours = Contestant(OURS, partial(ps.soft_threshold, x, 0.1, out=out))
    peers = [Contestant("torch softshrink", theirs), copy]
    return Case(
        "soft threshold", n, 2 * bytes_of(x), [ours, *peers], [share_of_copy(2 * bytes_of(x), copy)]
    )


def gpt2(device: str, shapes: list[tuple[int, ...]] = GPT2) -> Case:
    """All tensors of a model in one call, beside one flat array of as many elements."""
    params = [normal(shape, device, k) for k, shape in enumerate(shapes)]
    grads = [normal(shape, device, k + 1000) for k, shape in enumerate(shapes)]
    opt = ps.Optimizer(params, ADAMW, PENALTY)
    n = sum(prod(shape) for shape in shapes)
    flat = arrays_for(ADAMW, n, device)
    one = partial(ps.step, flat.x, flat.g, ADAMW, PENALTY, flat.state())
    theirs = torch_peers.adamw_of_many(params, grads)
    contestants = [
        Contestant(OURS, partial(opt.step, grads)),
        Contestant(FLAT, one),
        Contestant(ADAMW_ALONE, theirs),
    ]
    goals = [
        Goal("time over one flat array", OURS, FLAT, at_most=1.1),
        Goal("time over AdamW(fused) alone", OURS, ADAMW_ALONE, at_most=1.0),
    ]
    return Case(f"{len(shapes)} tensors of a GPT-2", n, 28 * n, contestants, goals)


def call(device: str, n: int = 1000) -> Case:
    """What a call costs the host, with a thousand elements."""
    arrays = arrays_for(ADAMW, n, device)
    run = partial(ps.step, arrays.x, arrays.g, ADAMW, PENALTY, arrays.state())
    theirs = torch_peers.adamw(arrays)
    more, reasons = those_that_run(cupy_peers.MAKERS if device == "cuda" else {})
    contestants = [Contestant(OURS, run), Contestant(ADAMW_ALONE, theirs), *more]
    goals = [Goal("a call", OURS, at_most=10.0)]
    return Case(
        "call of a step", n, 28 * n, contestants, goals, note="; ".join(reasons), serial=True
    )


def groups(side: int, device: str) -> Case:
    """Row groups in both metrics beside the elementwise step on the same square matrix."""
    arrays = arrays_for(ADAMW, side * side, device)
    square = (side, side)
    x, g = arrays.x.view(square), arrays.g.view(square)
    moments = tuple(m.view(square) for m in arrays.moments)
    state = Arrays(x, g, arrays.names, moments).state()
    rows = ps.Group(ps.L1(0.1), over="rows")
    step = partial(ps.step, x, g, ADAMW)
    contestants = [
        Contestant("elements", partial(step, PENALTY, state)),
        Contestant("rows, euclidean", partial(step, rows, state, metric="euclidean")),
        Contestant("rows, diagonal", partial(step, rows, state)),
        Contestant("2:4", partial(step, ps.NM(2, 4), state)),
    ]
    goals = [Goal(f"time of {c.name} over elements", c.name, "elements") for c in contestants[1:]]
    return Case(f"AdamW + groups, {side} x {side}", side * side, 28 * side**2, contestants, goals)


def top_k(n: int, device: str) -> Case:
    """The tenth that is largest, beside torch's selection of as many (which also sorts them)."""
    x = normal(n, device, 1)
    out, k = torch.empty_like(x), n // 10
    contestants = [
        Contestant(OURS, partial(ps.prox, x, ps.TopK(k), out=out)),
        Contestant("torch.topk", partial(torch.topk, x.abs(), k)),
    ]
    goals = [Goal("times as fast as torch.topk", "torch.topk", OURS)]
    return Case("top tenth", n, 2 * bytes_of(x), contestants, goals)


def plan(quick: bool, device: str) -> list[Callable[[], Case]]:
    n = 10**6 if quick else 10**8
    model = [(257, 64), (64,), (3, 5, 7)] if quick else GPT2
    gpt = gpt_models.TINY if quick else gpt_models.LARGE
    cases: list[Callable[[], Case]] = [partial(call, device), partial(gpt2, device, model)]
    cases += [partial(torchao_cases.steps, gpt, device)]
    cases += [partial(make, n, device) for make in (adam, adam_bfloat16, momentum, soft_threshold)]
    cases += [partial(groups, 256 if quick else 8192, device), partial(top_k, n, device)]
    return cases
