"""The report of torch's optimizers: its contestants take the same steps, its tables hold them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import proxstep as ps
import pytest
from timing import Pace

torch = pytest.importorskip("torch")
models = pytest.importorskip("gpt_models")
shrinks = pytest.importorskip("torch_shrinks")
cases = pytest.importorskip("optimizer_cases")
torchao_cases = pytest.importorskip("torchao_cases")
torch_report = pytest.importorskip("torch_report")

LR, EPS, DECAY = 0.03, 1e-3, 0.5
# Each with the form of ours that does the same, and a strength that makes a good share of the
# weights zero, but not all
PEERS = {
    cases.FUSED: (lambda model: shrinks.adamw(model, fused=True).step, cases.ALONE, 0.0),
    cases.SHRUNK: (shrinks.EagerShrink, cases.L1, 2e-3),
    cases.COMPILED: (shrinks.CompiledShrink, cases.L1, 2e-3),
    cases.SOFTSHRUNK: (shrinks.with_softshrink, cases.L1_EUCLIDEAN, 0.2),
}


@pytest.fixture
def strong(monkeypatch) -> Callable[[float], None]:
    """Settings with which a shrink, a decay or a correction left out would be seen."""

    def choose(lam: float) -> None:
        for module in ("torch_shrinks", "optimizer_cases", "torchao_cases"):
            for name, value in {"LR": LR, "EPS": EPS, "LAM": lam}.items():
                monkeypatch.setattr(f"{module}.{name}", value)
        monkeypatch.setattr("gpt_models.WEIGHT_DECAY", DECAY)
        monkeypatch.setattr("gpt_models.STEPS_TAKEN", 3.0)

    return choose


def after_steps(make: Callable[[Any], Callable[[], Any]], steps: int = 5) -> list[np.ndarray]:
    model = models.make_model(models.TINY)
    step = make(model)
    for _ in range(steps):
        step()
    return [p.detach().numpy() for p in model.params]


def in_one(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([a.ravel() for a in arrays])


@pytest.mark.parametrize("name", PEERS)
def test_torch_takes_the_same_steps(name, strong):
    make, form, lam = PEERS[name]
    if name == cases.COMPILED and not shutil.which("c++"):
        pytest.skip("no C++ compiler")
    strong(lam)
    own = cases.Form({**cases.FORMS[form].options, "penalty": ps.L1(lam)})
    ours = in_one(after_steps(lambda model: cases.prox_adamw(model, own).step))
    theirs = in_one(after_steps(make))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    zeros = np.mean(theirs == 0.0)
    assert 0.2 < zeros < 0.8 if lam else zeros == 0
    assert np.abs(np.mean(ours == 0.0) - zeros) < 1e-3


ROUGH = 0.9  # about as much as what the gradient moves
# Their names with our penalty, given the strength and the length of a row
FIRST_STEPS = {
    torchao_cases.LASSO: lambda lam, columns: ps.L1(lam),
    torchao_cases.ROW_GROUPS: lambda lam, columns: ps.Group(ps.L1(lam * columns**0.5), "rows"),
    torchao_cases.TWO_OF_FOUR: lambda lam, columns: ps.NM(2, 4),
}


@pytest.mark.parametrize("name", FIRST_STEPS)
def test_torchao_takes_the_same_first_step(name, strong):
    """The second starts from other points: theirs is dual averaging. PAT scales rows by length."""
    pytest.importorskip("torchao.prototype.pat.optim")
    strong(ROUGH)
    theirs = after_steps(lambda model: torchao_cases.MAKERS[name](model).step, 1)
    ours = after_steps(lambda model: fresh(model, FIRST_STEPS[name]).step, 1)
    np.testing.assert_allclose(in_one(ours), in_one(theirs), rtol=1e-4, atol=1e-6)
    assert 0.01 < np.mean(in_one(theirs) == 0.0) < 0.99


def fresh(model: Any, penalty: Callable[[float, int], ps.Penalty]) -> Any:
    """Without moments, as PAT has to start; a group for each length of rows."""
    matrices, vectors = model.groups()
    groups = [
        {**matrices, "params": [p], "penalty": penalty(ROUGH, p.shape[1])}
        for p in matrices["params"]
    ]
    return cases.ProxAdamW([*groups, vectors], lr=LR, eps=EPS, metric="euclidean")


def test_sizes_are_those_of_the_names():
    sizes = (models.SMALL, models.MEDIUM, models.LARGE)
    assert [round(gpt.n / 1e6, 1) for gpt in sizes] == [0.8, 10.7, 124.4]
    assert [len(gpt.shapes()) for gpt in sizes] == [27, 39, 148]


def test_only_matrices_decay():
    model = models.make_model(models.TINY)
    matrices, vectors = model.groups()
    assert matrices["weight_decay"] > 0 == vectors["weight_decay"]
    assert [p.ndim for p in matrices["params"]] == [2] * len(model.matrices)
    assert len(matrices["params"]) + len(vectors["params"]) == len(model.params)


def test_what_does_not_run_is_left_out(monkeypatch):
    def fails(model: Any) -> Any:
        raise ImportError("no such optimizer")

    monkeypatch.setattr(torchao_cases, "MAKERS", {"PAT lasso": fails})
    case = torchao_cases.steps(models.TINY)
    assert "PAT lasso left out: ImportError: no such optimizer" in case.note
    assert case.goals_at_hand() == []


def test_a_form_is_one_line(monkeypatch):
    monkeypatch.setitem(cases.FORMS, "new", cases.Form({"max_norm": 1.0}, 2.0))
    case = cases.steps(models.TINY)
    assert case.find("new").run() is None
    assert "≤ 2" in [goal.bound for goal in case.goals_at_hand() if goal.over == "new"]


def test_report(tmp_path, monkeypatch, threads, capsys):
    makers = [partial(own.steps, models.TINY) for own in (cases, torchao_cases)]
    plan = [(make, Pace(1, 1, 0.0, 0.0)) for make in makers]
    monkeypatch.setattr(torch_report, "plan", lambda quick: plan)
    paths = [tmp_path / name for name in ("figures.json", "tables.md")]
    torch_report.main(["--quick", "--json", str(paths[0]), "--markdown", str(paths[1])])
    found = json.loads(paths[0].read_text())
    assert found["facts"]["command"].startswith("python bench/torch_report.py --quick")
    names = {result["name"] for record in found["records"] for result in record["results"]}
    assert {*cases.FORMS, cases.FUSED} <= names
    tables = [line for line in paths[1].read_text().splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in tables}) == 2
    printed = capsys.readouterr().out
    assert all(name in printed for name in names)
