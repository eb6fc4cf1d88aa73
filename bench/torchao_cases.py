"""torchao's proximal optimizers around AdamW, as its documentation shows them.

PAT and PARQ keep a latent copy of every parameter, which AdamW steps, and apply the prox to a copy
of that with the sum of the learning rates as its step: dual averaging, so only their first step is
the same as one of ours. They are prototypes; what does not run is left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from attempts import those_that_run
from contest import Case, Goal
from gpt_models import GPT, Model, make_model
from optimizer_cases import ADAM_BYTES, FUSED, L1_EUCLIDEAN, NM, ROWS_EUCLIDEAN, fused, ours
from torch_shrinks import LAM, LR
from workload import BETAS, EPS

FOREVER = 10**9  # steps; PARQ's values are all quantized only then


def base(model: Model, **settings: Any) -> torch.optim.AdamW:
    groups = model.groups(**settings)
    return torch.optim.AdamW(groups, lr=LR, betas=BETAS, eps=EPS, fused=True)


def pat(prox: str, grouper: str, model: Model, **settings: Any) -> torch.optim.Optimizer:
    from torchao.prototype.pat.optim import PruneOptimizer

    own = base(model, prox_type=prox, group_type=grouper, **settings)
    return PruneOptimizer(own, reg_lambda=LAM)


def parq(model: Model) -> torch.optim.Optimizer:
    """Its levels are renewed in every tenth step only, which a median does not see."""
    from torchao.prototype.parq.optim import ProxPARQ, QuantOptimizer
    from torchao.prototype.parq.quant import LSBQuantizer

    annealing = ProxPARQ(anneal_start=0, anneal_end=FOREVER)
    return QuantOptimizer(base(model, quant_bits=2), LSBQuantizer(), annealing)


LASSO, ROW_GROUPS, TWO_OF_FOUR = "PAT lasso", "PAT row groups", "PAT 2:4"
MAKERS: dict[str, Callable[[Model], torch.optim.Optimizer]] = {
    LASSO: partial(pat, "ProxLasso", "ElemGrouper"),
    ROW_GROUPS: partial(pat, "ProxGroupLasso", "Dim0Grouper"),
    TWO_OF_FOUR: partial(pat, "NMSparseConstraint", "KElementGrouper", k=4, n_nonzero=2),
    "PARQ, 2 bits": parq,
}
SAME_PENALTY = {LASSO: L1_EUCLIDEAN, ROW_GROUPS: ROWS_EUCLIDEAN, TWO_OF_FOUR: NM}


def started(
    make: Callable[[Model], torch.optim.Optimizer], model: Model, latent: dict[Any, torch.Tensor]
) -> Callable[[], Any]:
    """Take the first step, which makes the state, then lend it the memory of the others."""
    optimizer = make(model)
    optimizer.step()
    own = optimizer.base_optimizer
    model.lend_moments(own)
    for p in model.matrices:
        own.state[p]["latent"] = latent.setdefault(p, own.state[p]["latent"])
    return optimizer.step


def steps(gpt: GPT, device: str = "cpu") -> Case:
    model = make_model(gpt, device)
    latent: dict[Any, torch.Tensor] = {}
    makers = {name: partial(started, make, model, latent) for name, make in MAKERS.items()}
    theirs, reasons = those_that_run(makers)
    first = [fused(model, gpt), *(ours(model, gpt, name) for name in SAME_PENALTY.values())]
    goals = [Goal(f"times as fast as {name}", name, own) for name, own in SAME_PENALTY.items()]
    name, note = f"{gpt.name}, torchao around {FUSED}", "; ".join(reasons)
    return Case(name, gpt.n, ADAM_BYTES * gpt.n, [*first, *theirs], goals, note)
