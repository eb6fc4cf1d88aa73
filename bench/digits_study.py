"""Accuracy at 50 to 98 % zeros on scikit-learn's digits: penalties beside pruning.

    python bench/digits_study.py                     an MLP, five seeds; minutes on two cores
    python bench/digits_study.py --models mlp cnn    and a small CNN, which takes longer
    python bench/digits_study.py --quick             a few short runs, to see that all of it works

Writes digits.json and digits.md to --out and the plot to --plot. The seeds fix every number but
the times. Each method's learning rate is the one with the best validation accuracy over the seeds;
the test images choose nothing.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import proxstep as ps
import torch
from digits_methods import DENSE, METHODS, Goal, Method
from digits_report import draw, table
from digits_rows import RowStudy
from digits_search import search, tolerance
from digits_train import BATCH, MODELS, SIZES, Score, score, train
from machine import facts

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Study:
    """What is run: every method with every setting."""

    models: tuple[str, ...] = ("mlp",)
    targets: tuple[float, ...] = (0.5, 0.8, 0.9, 0.95, 0.98)
    rates: tuple[float, ...] = (5e-3, 1.5e-2, 4e-2, 0.1)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    steps: int = 400
    rows: RowStudy = field(default_factory=RowStudy)


QUICK = Study(("mlp",), (0.8,), (1.5e-2,), (0,), 50, RowStudy(width=32, lams=(0.3,), rounds=5))


@dataclass(frozen=True)
class Cell:
    """One method with one setting, over all seeds."""

    model: str
    method: str
    zeros: float  # the target
    lr: float


def cells(study: Study) -> list[Cell]:
    return [
        Cell(model, method, zeros, lr)
        for model in study.models
        for method in ["dense", *METHODS]
        for zeros in ([0.0] if method == "dense" else study.targets)
        for lr in study.rates
    ]


def run_once(model: str, method: Method, goal: Goal, seed: int) -> Score:
    torch.manual_seed(seed)
    net = MODELS[model]()
    optimizer, after_step = method.start(net, goal)
    train(net, optimizer, after_step, goal.steps, seed)
    return score(net)


def run_cell(cell: Cell, study: Study) -> dict[str, Any]:
    """Every seed has its own lam; its search begins at that of the seed before."""
    method, runs = {"dense": DENSE, **METHODS}[cell.method], []
    lam = method.lam
    for seed in study.seeds:

        def run(lam: float, seed: int = seed) -> Score:
            return run_once(cell.model, method, Goal(cell.zeros, cell.lr, study.steps, lam), seed)

        if lam is None:
            found = run(0.0)
        else:
            lam, found = search(run, lambda done: done.zeros, cell.zeros, lam)
        runs.append({"seed": seed, "lam": lam, **asdict(found)})
    return {**asdict(cell), "runs": runs}


def mean(runs: list[dict[str, Any]], name: str) -> float:
    return sum(run[name] for run in runs) / len(runs)


def reached(cell: dict[str, Any]) -> bool:
    slack = tolerance(cell["zeros"]) + 1e-9
    return all(abs(run["zeros"] - cell["zeros"]) <= slack for run in cell["runs"])


def best(found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The learning rate that validates best; of equals the one with the smaller loss."""

    def merit(cell: dict[str, Any]) -> tuple[bool, float, float]:
        accuracy, loss = mean(cell["runs"], "validation"), mean(cell["runs"], "validation_loss")
        return reached(cell), round(accuracy, 6), -loss

    chosen = max(found, key=merit)
    return {**chosen, "reached": reached(chosen)}


def choose(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One cell for each network, method and target."""
    keys = dict.fromkeys((c["model"], c["method"], c["zeros"]) for c in found)
    return [best(c for c in found if (c["model"], c["method"], c["zeros"]) == k) for k in keys]


def one_thread() -> None:
    torch.set_num_threads(1)
    ps.set_num_threads(1)


def _call(job: tuple[Callable[..., Any], tuple[Any, ...]]) -> Any:
    function, arguments = job
    return function(*arguments)


def in_turn(jobs: list[Any], workers: int) -> list[Any]:
    """Run all jobs, in processes of one thread each: the numbers do not depend on how many."""
    if workers == 1:
        one_thread()
        return [_call(job) for job in jobs]
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, initializer=one_thread) as pool:
        return [told(done, k, len(jobs)) for k, done in enumerate(pool.imap(_call, jobs))]


def told(done: Any, k: int, count: int) -> Any:
    print(f"\r{k + 1} of {count} settings", end="", file=sys.stderr, flush=True)
    return done


def processor_seconds() -> int:
    """Of this process and its workers; other processes do not disturb it much."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return round(sum(u.ru_utime + u.ru_stime for u in used))


def measure(study: Study, workers: int) -> dict[str, Any]:
    began, jobs = time.perf_counter(), [(run_cell, (cell, study)) for cell in cells(study)]
    row_jobs = study.rows.jobs(study)
    found = in_turn(jobs + row_jobs, workers)
    one_thread()
    chosen = choose(found[: len(jobs)])
    rows = study.rows.report(study, found[len(jobs) :])
    seconds = {"wall": round(time.perf_counter() - began), "processors": processor_seconds()}
    return {
        "facts": {**facts(), "seconds": seconds, "workers": workers},
        "protocol": {**asdict(study), "batch": BATCH, "images": SIZES},
        "chosen": chosen,
        "rows": rows,
        "all": found[: len(jobs)],
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--models", nargs="+", choices=MODELS)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results")
    parser.add_argument("--plot", type=Path, default=ROOT / "docs" / "sparse-training.png")
    options = parser.parse_args(arguments)
    study = QUICK if options.quick else Study()
    if options.models:
        study = replace(study, models=tuple(options.models))
    report = measure(study, options.workers)
    (options.out / "digits.json").write_text(json.dumps(report) + "\n")
    (options.out / "digits.md").write_text(table(report))
    draw(report, options.plot)
    print(table(report))


if __name__ == "__main__":
    main()
