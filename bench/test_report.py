"""The report itself: its contestants do the same work, and its tables hold what was measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy_steps
import proxstep as ps
import pytest
import report
import workload
from call_cases import many_arrays, soft_threshold_call, step_call
from contest import Goal
from step_cases import adam, fista, momentum, ours, sgd, soft_threshold
from variant_cases import (
    bfloat16,
    bfloat16_moments,
    groups,
    instruction_sets,
    masters,
    statistics,
)

RULES = {
    "Adam": workload.ADAMW,
    "Fista": ps.FISTA(workload.LR),
    "Momentum": ps.Momentum(workload.LR, workload.MOMENTUM),
    "Gradient": ps.SGD(workload.LR),
}
TINY = [
    *(soft_threshold_call, step_call, partial(many_arrays, 3, 70), partial(groups, 16, 24)),
    *(partial(make, 700) for make in (adam, fista, momentum, sgd, soft_threshold)),
    *(partial(make, 700) for make in (statistics, instruction_sets, bfloat16_moments, masters)),
    partial(adam, 700, np.float64),
]


def after_steps(run: Callable[[], Any], x: np.ndarray, steps: int = 5) -> np.ndarray:
    """Return the parameters, which some contestants keep as their own x."""
    for _ in range(steps):
        run()
    return getattr(run, "x", x)


def ours_after(rule: ps.Rule, **how: Any) -> np.ndarray:
    arrays = workload.make_arrays(rule, 1000)
    return after_steps(ours(rule, arrays, **how), arrays.x)


@pytest.mark.parametrize("form", ["", "InPlace"])
@pytest.mark.parametrize("kind", RULES)
def test_numpy_takes_the_same_steps(kind, form):
    arrays = workload.make_arrays(RULES[kind], 1000)
    start = arrays.x.copy()
    theirs = after_steps(getattr(numpy_steps, kind + form)(arrays), arrays.x)
    np.testing.assert_allclose(theirs, ours_after(RULES[kind]), rtol=1e-5, atol=1e-6)
    assert np.abs(theirs - start).max() > 1e-3


@pytest.mark.parametrize("kind", ["Adam", "Momentum", "Gradient"])
def test_torch_takes_the_same_steps(kind):
    pytest.importorskip("torch")
    import torch_peers

    arrays = workload.make_arrays(RULES[kind], 1000)
    step = (torch_peers.adamw if kind == "Adam" else torch_peers.sgd)(arrays)
    theirs = after_steps(torch_peers.then_shrink(step, arrays), arrays.x)
    np.testing.assert_allclose(
        theirs, ours_after(RULES[kind], metric="euclidean"), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (Goal("", "a", "b", at_most=0.5), True),
        (Goal("", "a", "b", at_most=0.4), False),
        (Goal("", "b", "a", factor=0.25, at_least=0.5), True),
        (Goal("", "a", at_most=1.9), False),
        (Goal("", "a", "b"), None),
    ],
)
def test_goals(goal, met):
    assert goal.is_met(goal.value({"a": 2e-6, "b": 4e-6})) is met


def test_report(tmp_path, monkeypatch, threads, capsys):
    cases = [*TINY, partial(bfloat16, 700)] if report.torch_peers else TINY
    monkeypatch.setattr(report, "plan", lambda quick: cases)
    monkeypatch.setattr(report, "QUICK", report.Pace(1, 1, 0.0, 0.0))
    paths = [tmp_path / "results" / name for name in ("figures.json", "tables.md")]
    report.main(["--quick", "--json", str(paths[0]), "--markdown", str(paths[1])])
    found = json.loads(paths[0].read_text())
    names = [record["case"] for record in found["records"]]
    assert set(names) == {make().name for make in cases}
    assert found["facts"]["command"].startswith("python bench/report.py --quick")
    tables = [line for line in paths[1].read_text().splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in tables}) == 2
    printed = capsys.readouterr().out
    assert all(name in printed for name in names)
