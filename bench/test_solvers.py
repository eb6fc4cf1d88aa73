"""The comparison of solvers: all solve one problem, and what is judged is judged by NumPy alone."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from solvers import (
    cases,
    data,
    duality,
    ours,
    peers,
    ratios,
    references,
    report,
    results,
    runner,
    texts,
)
from solvers.peer import PASSES
from solvers.task import FIT, L1, LOGISTIC, PATH, Form, objectives
from solvers.worker import Order, checksum

PLAN = cases.plan(quick=True)
HARD = [case for case in PLAN if case.fraction != 0.1]  # the weaker strength, and the paths
OURS = [case for case in HARD if ours.PROXSTEP.makers.get(case.form) is ours.single]
FITS = [
    (case, peer) for case in PLAN for peer in peers.that_solve(case.form)
    if (case in HARD) == (peer.settings is not PASSES)
]  # fmt: skip
SLOW = {"adelie": 1e-3, "scikit-learn saga": 1e-3}  # gaps they come to in a second


def named(pair: object) -> str:
    return getattr(pair, "name", "")


@pytest.fixture
def task(request):
    try:
        return request.param.task()
    except data.AbsentData as reason:
        pytest.skip(str(reason))


def solved(task, tol: float = 1e-10):
    return ours.PROXSTEP.makers[task.form](task)(tol)


@pytest.mark.parametrize(("task", "peer"), FITS, indirect=["task"], ids=named)
def test_every_solver_solves_the_same_problem(task, peer):
    if not peers.is_installed(peer):
        pytest.skip(f"{peer.name} is not installed")
    setting = PASSES[-1] // 5 if peer.settings is PASSES else 1e-12
    w, b = peer.makers[task.form](task)(setting)
    enough = 1e-4 if task.form.kind == PATH else 1e-7  # a gap falls with the root of the objective
    assert -1e-14 < duality.gap(task, w, b) < SLOW.get(peer.name, enough)
    assert np.count_nonzero(w) > 0


@pytest.mark.parametrize("task", OURS, indirect=True, ids=named)
def test_objective_gap_and_largest_strength_are_those_of_the_library(task):
    """Written twice, from the formulas; away from the optimum, where they could differ."""
    problem, penalty = ours.problem_of(task), ours.penalty_of(task, task.lam)
    w, b = solved(task, 1e-2)
    w = 0.9 * w
    b = duality.best_intercept(task, task.X @ w, b)
    value = problem.value(w) + penalty.value(w)
    np.testing.assert_allclose(objectives(task, w, b), [value], rtol=1e-10)
    gap = problem.duality_gap(w, penalty) * problem.scale / value
    np.testing.assert_allclose(duality.gap(task, w, b), gap, rtol=1e-6)
    weaker, stronger = (ours.penalty_of(task, 100 * c * task.lam) for c in (0.99, 1 + 1e-9))
    assert problem.duality_gap(0.0 * w, weaker) > 1e-7
    assert problem.duality_gap(0.0 * w, stronger) < 1e-14


@pytest.mark.parametrize("task", OURS, indirect=True, ids=named)
def test_a_worse_point_is_judged_worse(task):
    w, b = solved(task)
    best = objectives(task, w, b)
    assert (objectives(task, 1.01 * w, b) > best).all()
    if task.intercept:  # the same shift of all classes changes nothing
        shift = 0.01 * np.arange(1, np.size(b) + 1).reshape(np.shape(b))
        assert (objectives(task, w, b + shift) > best).all()


def test_settings_go_from_rough_to_fine():
    for peer in peers.all_of():
        order = np.diff(peer.settings) * (1 if peer.settings is PASSES else -1)
        assert (order > 0).all(), peer.name


def fit(setting: float, seconds: list[float], above: float, first: bool = False):
    return {
        "setting": setting, "seconds": seconds, "suboptimality": above, "first": first,
        "peak_mib": setting,
    }  # fmt: skip


LINES = [
    {"import_s": 0.25},
    {"setting": 9, "most_s": 60.0},
    fit(9, [5.0], 3e-5, first=True),
    fit(1, [0.5], 2e-2),
    fit(2, [0.7, 0.9, 0.8], 3e-5),
    fit(3, [1.5], 2e-6),
]


def test_a_target_takes_the_median_of_its_fits_and_never_the_first_call():
    found = results.record("case", "solver", 1, LINES)
    assert found["to"] == {"0.0001": 0.8, "1e-06": None}
    assert (found["import_s"], found["first_s"], found["warm_s"]) == (0.25, 5.0, 0.5)
    assert (found["peak_mib"], found["best"], found["stopped"]) == (3, 2e-6, False)
    assert texts.time_text(found, "1e-06") == "only 2e-06"


def test_a_fit_that_was_stopped_bounds_the_time():
    found = results.record("case", "solver", 1, [*LINES, {"setting": 4, "most_s": 45.0}])
    assert texts.time_text(found, "1e-06") == "> 45 s"
    assert texts.time_text(found, "0.0001") == "800 ms"


def contender(solver: str, seconds: float | None, **more: object):
    case = PLAN[0].name
    to = {"0.0001": seconds, "1e-06": seconds}
    own = {"threads": 1, "over_s": 9.0, "stopped": seconds is None} | more
    return {"case": case, "solver": solver, "to": to, **own}


@pytest.mark.parametrize(
    ("others", "text"),
    [
        ([("scikit-learn saga", 40.0)], "0.05 ✓ (scikit-learn saga)"),
        ([("scikit-learn saga", 4.0)], "0.5 ✗ (scikit-learn saga)"),
        ([("scikit-learn saga", None)], "< 0.22 open (none arrived, the first was stopped at 9 s)"),
        ([("celer", 0.1)], "no peer"),
    ],
)
def test_ratio_is_over_the_named_rival(others, text):
    records = [contender("proxstep", 2.0), *(contender(*other) for other in others)]
    assert ratios.ratio_text(records, PLAN[0], 1, "1e-06") == text


@pytest.mark.parametrize(
    ("stop", "text"),
    [(9.0, "0.2 to 0.22 ✓ (skglm; celer stopped at 9 s)"),
     (3.0, "0.2 to 0.67 ✗ (skglm; celer stopped at 3 s)"),
     (12.0, "0.2 ✓ (skglm)")],
)  # fmt: skip
def test_a_peer_that_was_stopped_before_the_best_one_makes_a_range(stop, text):
    case = replace(PLAN[0], rival=None, goal=0.5)
    records = [contender("proxstep", 2.0), contender("skglm", 10.0)]
    records.append(contender("celer", None, over_s=stop))
    assert ratios.ratio_text(records, case, 1, "1e-06") == text


def test_a_solver_without_threads_stands_for_two():
    records = [contender("proxstep", 2.0, threads=2), contender("scikit-learn saga", 40.0)]
    assert ratios.ratio_text(records, PLAN[0], 2, "1e-06") == "0.05 ✓ (scikit-learn saga)"
    celer = [records[0], contender("celer", 40.0)]
    assert ratios.ratio_text(celer, replace(PLAN[0], rival=None), 2, "1e-06") == "no peer"
    options = report.parse(["--threads", "1", "--threads", "2"], "")
    counts = {peer.name: report.counts(peer, options) for peer in peers.PEERS}
    assert counts["scikit-learn"] == [1, 2]
    assert counts["scikit-learn saga"] == counts["scikit-learn loop"] == [1]


def test_references_keep_the_least_objectives_and_the_smallest_gap(tmp_path):
    known, case = references.References(tmp_path / "found.json"), PLAN[0]
    start = {"data": 7}
    known.keep(case, "a", [start, {"objectives": [2.0, 5.0], "gap": 1e-3}])
    known.keep(case, "b", [start, {"objectives": [3.0, 4.0], "gap": 1e-13}])
    known.keep(case, "c", [start, {"objectives": [1.5, 9.0]}])
    again = references.References(tmp_path / "found.json")
    assert again.get(case) == {"objectives": [1.5, 4.0], "gap": 1e-13, "by": "b", "data": 7}
    assert again.is_settled(case)
    again.keep(case, "d", [{"data": 8}, {"objectives": [6.0, 6.0], "gap": 1e-2}])
    assert again.get(case)["objectives"] == [6.0, 6.0]


def worker(tmp_path, solver: str, **changes: object):
    case = next(c for c in PLAN if c.form == Form(FIT, LOGISTIC, L1) or c.name.startswith("lasso"))
    module = "sklearn.linear_model"
    limits = {"cap": 20.0, "budget": 40.0, "repeats": 2}
    own = {"limits": limits, "best": [1.0], "data": checksum(case.task())} | changes
    out = str(tmp_path / "lines.jsonl")
    return runner.run(Order(case.name, solver, module, 1, True, out, **own))


def test_a_worker_is_stopped_at_the_cap(tmp_path):
    limits = {"cap": 1e-6, "budget": 40.0, "repeats": 2}
    lines = worker(tmp_path, "scikit-learn liblinear", limits=limits)
    assert lines[-1] == {"setting": 0.1, "most_s": 1e-6}
    assert results.record("case", "s", 1, lines)["over_s"] == 1e-6


def test_a_reference_of_other_data_is_refused(tmp_path):
    lines = worker(tmp_path, "scikit-learn liblinear", data=3)
    assert lines[-1] == {"error": "these are not the data of the reference"}


def test_report(tmp_path, capsys):
    paths = [tmp_path / name for name in ("figures.json", "tables.md")]
    files = ["--json", str(paths[0]), "--markdown", str(paths[1])]
    how = ["--quick", "--only", "lasso, 1000x20000, 0.1", "--repeats", "2", "--threads", "1"]
    names = ["--solver", "proxstep", "--solver", "scikit-learn"]
    report.main([*how, *names, *files])
    found = json.loads(paths[0].read_text())
    assert [r["solver"] for r in found["records"]] == ["proxstep", "scikit-learn"]
    for r in found["records"]:
        assert 0 < r["to"]["0.0001"] <= r["to"]["1e-06"]
        assert r["x_mib"] == 40 * 60 * 8 / 2**20
        assert r["w_mib"] == 60 * 8 / 2**20
    (entry,) = found["references"].values()
    assert entry["gap"] <= references.SETTLED
    assert asdict(PLAN[0])  # cases are data
    printed, tables_text = capsys.readouterr().out, paths[1].read_text()
    for name in ("proxstep", "scikit-learn"):
        assert f"lasso, 1000x20000, 0.1 λmax, {name}, 1 thr" in printed
        assert f"| lasso, 1000x20000, 0.1 λmax | {name} | 1 |" in tables_text
    assert "not measured" in tables_text
