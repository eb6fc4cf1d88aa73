"""Whole steps of `ProxAdamW` and of torch's AdamW on the parameters of GPTs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import proxstep as ps
from attempts import those_that_run
from contest import Case, Contestant, Goal
from gpt_models import GPT, LARGE, SMALL, Model, make_model
from proxstep.torch import ProxAdamW
from torch_shrinks import LAM, LR, CompiledShrink, EagerShrink, adamw, with_softshrink
from workload import BETAS, EPS

FUSED = "torch AdamW(fused)"
SOFTSHRUNK, SHRUNK = FUSED + " + softshrink", FUSED + " + diagonal shrink"
COMPILED = FUSED + " + compiled diagonal shrink"
ALONE, L1, L1_EUCLIDEAN = "ProxAdamW", "ProxAdamW + L1", "ProxAdamW + L1, euclidean"
ROWS, ROWS_EUCLIDEAN = "ProxAdamW + rows", "ProxAdamW + rows, euclidean"
NM = "ProxAdamW + 2:4"
TOP_K, TOP_K_EUCLIDEAN = "ProxAdamW + TopK 10 %", "ProxAdamW + TopK 10 %, euclidean"
NARROW = "ProxAdamW + L1, bfloat16 moments"
ADAM_BYTES = 28  # an element: parameter and two moments read and written, gradient read


@dataclass(frozen=True)
class Form:
    """Options of a ProxAdamW, and how many times as long as AdamW(fused) it may take.

    A selection begins where the step before it ended, which the steps of other contestants on its
    parameters would undo: it has a model of its own. There it learns slowly: constant gradients
    make steps of one length, and where these alone decide, millions of elements nearly tie.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    at_most: float | Mapping[str, float] = field(default_factory=dict)  # or by model
    bytes_each: int = ADAM_BYTES
    narrow_moments: bool = False
    own_model: bool = False

    def bound(self, gpt: GPT) -> float | None:
        return self.at_most.get(gpt.name) if isinstance(self.at_most, Mapping) else self.at_most


LASSO = ps.L1(LAM)
GROUP_LASSO = ps.Group(LASSO, over="rows")
TENTH = {"penalty": ps.TopK(0.1, scope="global"), "lr": 0.01 * LR}
EUCLIDEAN = {"metric": "euclidean"}
# One line each; the rest of the report follows.
FORMS = {
    ALONE: Form(),
    L1: Form({"penalty": LASSO}, {SMALL.name: 1.0, LARGE.name: 1.05}),
    L1_EUCLIDEAN: Form({"penalty": LASSO, **EUCLIDEAN}),
    ROWS: Form({"penalty": GROUP_LASSO}, 1.3),
    ROWS_EUCLIDEAN: Form({"penalty": GROUP_LASSO, **EUCLIDEAN}, 1.3),
    NM: Form({"penalty": ps.NM(2, 4)}, 1.5),
    TOP_K: Form(TENTH, 2.0, own_model=True),
    TOP_K_EUCLIDEAN: Form({**TENTH, **EUCLIDEAN}, 2.0, own_model=True),
    NARROW: Form(
        {"penalty": LASSO, "moments": "bfloat16"}, {LARGE.name: 0.85}, 20, narrow_moments=True
    ),
}


def prox_adamw(model: Model, form: Form) -> ProxAdamW:
    settings = {"lr": LR, "betas": BETAS, "eps": EPS, **form.options}
    optimizer = ProxAdamW(model.groups(), **settings)
    (model.with_narrow_moments() if form.narrow_moments else model).lend_moments(optimizer)
    return optimizer


def ours(model: Model, gpt: GPT, name: str) -> Contestant:
    form = FORMS[name]
    optimizer = prox_adamw(make_model(gpt) if form.own_model else model, form)
    return Contestant(name, optimizer.step, form.bytes_each * gpt.n)


def fused(model: Model, gpt: GPT) -> Contestant:
    return Contestant(FUSED, adamw(model, fused=True).step, ADAM_BYTES * gpt.n)


def peers(model: Model, gpt: GPT) -> list[Contestant]:
    """torch's own, and shrinks after it; without `moved` where it depends on the caches."""
    both_passes = ADAM_BYTES * gpt.n + 8 * sum(p.numel() for p in model.matrices)
    return [
        Contestant(SOFTSHRUNK, with_softshrink(model), both_passes),
        Contestant(SHRUNK, EagerShrink(model)),
        Contestant("torch AdamW(foreach)", adamw(model, foreach=True).step),
        Contestant("torch AdamW()", adamw(model).step),
    ]


def goals(gpt: GPT) -> list[Goal]:
    over_fused = [
        Goal(f"time of {name} over {FUSED}", name, FUSED, at_most=form.bound(gpt))
        for name, form in FORMS.items()
    ]
    return [
        *over_fused,
        Goal(f"times as fast as {SOFTSHRUNK}", SOFTSHRUNK, L1_EUCLIDEAN),
        *(Goal(f"times as fast as {name}", name, L1) for name in (SHRUNK, COMPILED)),
    ]


def steps(gpt: GPT) -> Case:
    """The first contestant is the fused AdamW: ratios say how much longer others take."""
    model = make_model(gpt)
    contestants = [fused(model, gpt), *(ours(model, gpt, name) for name in FORMS)]
    compiled, reasons = those_that_run({COMPILED: partial(CompiledShrink, model)})
    contestants += peers(model, gpt) + compiled
    tensors = f"{len(model.params)} tensors, {len(model.matrices)} of them matrices"
    note = "; ".join([tensors, *reasons])
    return Case(gpt.name, gpt.n, ADAM_BYTES * gpt.n, contestants, goals(gpt), note)
