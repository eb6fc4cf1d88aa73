"""Unknown names bring the nearest known one; what is not a rule or a penalty is said to be none."""

from __future__ import annotations

import proxstep as ps
import pytest
from refusals import fresh, refused


@pytest.mark.parametrize(
    ("call", "wrong", "nearest"),
    [
        (lambda x, g: ps.step(x, g, ps.SGD(0.1), metric="diagnoal"), "diagnoal", "diagonal"),
        (lambda x, g: ps.step(x, g, ps.SGD(0.1), metric="euclid"), "euclid", "euclidean"),
        (lambda x, g: ps.Optimizer([x], ps.SGD(0.1), metric="digonal"), "digonal", "diagonal"),
        (lambda x, g: ps.prox(x, ps.Group(ps.L1(0.3), over="row")), "row", "rows"),
        (lambda x, g: ps.prox(x, ps.Group(ps.L1(0.3), over="cols")), "cols", "columns"),
        (lambda x, g: ps.prox(x, ps.L1(0.3), dtype="bfloat"), "bfloat", "bfloat16"),
        (lambda x, g: ps.Optimizer([{"parms": [x]}], ps.SGD(0.1)), "parms", "params"),
        (
            lambda x, g: ps.Optimizer([{"params": [x], "penlty": None}], ps.SGD(0.1)),
            "penlty",
            "penalty",
        ),
    ],
)
def test_unknown_names_bring_the_nearest_known_one(call, wrong, nearest):
    x, g, _ = fresh()
    with refused((ValueError, KeyError, TypeError), wrong, rf"\b{nearest}\b", keep=[x]):
        call(x, g)


@pytest.mark.parametrize("thing", ["adam", ps.L1(0.3), ps.SGD, 0.1, None])
def test_what_is_not_a_rule(thing):
    x, g, _ = fresh()
    with refused(TypeError, "rule", keep=[x]):
        ps.step(x, g, thing)
    with refused(TypeError, "rule", keep=[x]):
        ps.Optimizer([x], thing)


@pytest.mark.parametrize("thing", ["l1", ps.SGD(0.1), ps.L1, 0.1])
def test_what_is_not_a_penalty(thing):
    x, g, _ = fresh()
    for call in (
        lambda: ps.step(x, g, ps.SGD(0.1), thing),
        lambda: ps.prox(x, thing),
        lambda: ps.Optimizer([x], ps.SGD(0.1), thing),
        lambda: ps.Group(thing, over="rows"),
    ):
        with refused(TypeError, "penalty", keep=[x]):
            call()
