"""The cases: which problem on which data, and the ratio that is asked of it. Nothing runs here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from . import data
from .duality import lambda_max
from .task import (
    FIT,
    GROUP,
    GROUPS,
    L1,
    LEAST_SQUARES,
    LOGISTIC,
    MANY,
    PATH,
    ROWS,
    SOFTMAX,
    SPARSE_GROUPS,
    Form,
    Task,
)

FRACTIONS = (0.1, 0.01)
STRENGTHS, SHORTEST = 100, 1e-3  # of a path: how many, and the last over the first
Make = Callable[[], tuple[Any, Any]]


@dataclass(frozen=True)
class Case:
    """One line of the report. `goal` bounds our time over that of `rival`, or of the best peer.

    All solvers of a case fit an unpenalised intercept, or, where one of them cannot, none does.
    """

    name: str
    form: Form
    make: Make
    goal: float
    fraction: float = 1.0  # of the smallest strength that gives zeros
    intercept: bool = False
    rival: str | None = None

    def task(self) -> Task:
        task = Task(self.form, *self.make(), 1.0, self.intercept)
        path = np.geomspace(1.0, SHORTEST, STRENGTHS)
        shares = path if self.form.kind == PATH else self.fraction
        return replace(task, lam=lambda_max(task) * shares)


@dataclass(frozen=True)
class Row:
    """Cases that differ in the strength only."""

    name: str
    form: Form
    make: Make
    goal: float
    intercept: bool = False
    rival: str | None = None

    def cases(self) -> Iterable[Case]:
        for fraction in (1.0,) if self.form.kind == PATH else FRACTIONS:
            end = "" if self.form.kind == PATH else f", {fraction:g} λmax"
            name = self.name + end
            own = self.form, self.make, self.goal, fraction, self.intercept, self.rival
            yield Case(name, *own)


def plan(quick: bool) -> list[Case]:
    return [case for row in rows(quick) for case in row.cases()]


def rows(quick: bool) -> list[Row]:
    """The rows of the table; --quick makes all of them small."""
    return [*softmax_rows(quick), *group_rows(quick), *logistic_rows(quick), *lasso_rows(quick)]


def softmax_rows(quick: bool) -> list[Row]:
    l1, by_rows = (Form(FIT, SOFTMAX, penalty) for penalty in (L1, ROWS))
    made = partial(data.classification, *((60, 20, 3) if quick else (10_000, 1000, 20)))
    words = partial(data.documents, *((60, 200, 3) if quick else (4500, 130_000, 20)))
    sets = {"digits": partial(head, data.digits, 100) if quick else data.digits}
    sets |= {"10000x1000x20": made, "tf-idf 4500x130000x20": words}
    saga = "scikit-learn saga"
    ours = [Row(f"multinomial L1, {at}", l1, sets[at], 0.1, True, saga) for at in sets]
    rest = [Row(f"multinomial rows, {at}", by_rows, sets[at], 0.5, True) for at in sets]
    return ours + rest[:2]


def group_rows(quick: bool) -> list[Row]:
    n, p, outputs = (40, 60, 3) if quick else (2000, 20_000, 10)
    made = partial(data.grouped_regression, n, p, GROUP)
    tasks = partial(data.regression, n, p // 4, outputs)
    forms = [Form(FIT, LEAST_SQUARES, penalty) for penalty in (GROUPS, SPARSE_GROUPS, ROWS)]
    return [
        Row("group lasso, 2000x20000", forms[0], made, 0.5, True),
        # skglm fits sparse groups without an intercept only
        Row("sparse-group lasso, 2000x20000", forms[1], made, 0.5),
        Row("multi-task lasso, 2000x5000x10", forms[2], tasks, 0.5, True),
    ]


def logistic_rows(quick: bool) -> list[Row]:
    form, path = Form(FIT, LOGISTIC, L1), Form(PATH, LOGISTIC, L1)
    sets: dict[str, Make] = {name: partial(data.expression, name) for name in ("golub", "alon")}
    sets |= {"a9a": data.adult, "sms": data.messages}
    if quick:
        sets = {name: partial(head, make, 60) for name, make in sets.items()}
    fits = [Row(f"logistic L1, {name}", form, make, 0.8) for name, make in sets.items()]
    return [*fits, Row("logistic path, a9a", path, sets["a9a"], 0.7)]


def lasso_rows(quick: bool) -> list[Row]:
    form, path, many = (Form(kind, LEAST_SQUARES, L1) for kind in (FIT, PATH, MANY))
    wide, tall, long = ((40, 60),) * 3 if quick else ((1000, 20_000), (50_000, 500), (10_000, 1000))
    sparse = partial(data.sparse_regression, *((60, 200, 10) if quick else (10_000, 100_000)))
    small = partial(data.many, 5 if quick else 10_000, 100, 50)
    loop = {"goal": 0.05, "rival": "scikit-learn loop"}
    return [
        Row("lasso, 1000x20000", form, partial(data.regression, *wide), 0.8, True),
        Row("lasso, 50000x500", form, partial(data.regression, *tall), 0.8, True),
        Row("lasso, sparse 10000x100000", form, sparse, 0.8, True),
        Row("lasso path, 10000x1000", path, partial(data.centred_regression, *long), 0.7),
        Row("many lassos, one X", many, partial(small, True), **loop),
        Row("many lassos, own X", many, partial(small, False), **loop),
    ]


def head(make: Make, n: int) -> tuple[Any, Any]:
    """Return rows spread over the data and the first columns: all labels are among them."""
    X, y = make()
    chosen = np.linspace(0, len(y) - 1, n).astype(int)
    return X[chosen][:, :200], y[chosen]
