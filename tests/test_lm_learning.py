"""A short run on Python's help topics learns, and its zeros cost little. Slow."""

from __future__ import annotations

from typing import Any

import pytest
from lm_cases import make_trainer
from proxstep.lm.data import read_text

pytestmark = pytest.mark.slow
SIZES = {"layers": 2, "heads": 4, "channels": 64, "context": 32}


def final_record(**settings: Any) -> Any:
    settings = {"steps": 400, "batch": 16, "lr": 1e-2, "warmup": 40, "eval_every": 400, **settings}
    *_, last = make_trainer(read_text([]), SIZES, **settings).records()
    return last


def test_many_weights_can_go_at_no_cost() -> None:
    dense = final_record(optimizer="adamw", penalty="none")
    sparse = final_record(optimizer="adamw", penalty="l0", lam=1e-3)
    assert dense.val_loss < 2.5  # log(103) = 4.6 at the start
    assert dense.zeros == 0
    assert sparse.zeros > 0.4
    assert sparse.val_loss < dense.val_loss + 0.05


def test_half_the_weights_cost_little_under_the_default_rule() -> None:
    dense = final_record(penalty="none")
    sparse = final_record(penalty="l0", sparsity=0.5)
    assert dense.val_loss < 1.8
    assert abs(sparse.zeros - 0.5) < 0.02
    assert sparse.val_loss < dense.val_loss + 0.15
