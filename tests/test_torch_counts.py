"""Counts of steps beyond what a float32 can: plans count on, also where they are made anew."""

from __future__ import annotations

from typing import Any

import proxstep as ps
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
cases = pytest.importorskip("torch_cases")

NARROW = {"rounding": "stochastic", "moments": "bfloat16", "seed": 41}
FAR = 2**24 - 3  # steps; three more, and a float32 counts by ones no longer


@pytest.mark.parametrize("name", cases.RULES)
def test_steps_are_counted_beyond_what_a_float32_can(name):
    """Random bits go on, and rules whose step depends on the count."""
    mine = [p for p in cases.tensors(torch.bfloat16) if p.ndim == 2]
    theirs = [p.detach().clone() for p in mine]
    ours = cases.make(name, mine, **NARROW)
    core = ps.Optimizer(theirs, cases.RULES[name], **NARROW)
    for seed in range(9):
        cases.set_gradients(mine, seed)
        ours.step()
        core.step([p.grad for p in mine])
        if seed == 0:
            core.steps = FAR
            for state in ours.state.values():
                state["step"].fill_(FAR)
    cases.assert_equal([p.detach() for p in mine], theirs)
    assert all(float(state["step"]) == torch.tensor(FAR + 8.0) for state in ours.state.values())


def test_so_are_those_of_rows():
    """A plan that no longer knows its count would be made anew, with no row at rest."""
    p = torch.nn.Parameter(torch.zeros(6, 4))
    optimizer = cases.make("RDA", [p], penalty=ps.L1(0.5), skip_zero_rows=True)
    p.grad = torch.zeros(6, 4)
    optimizer.step()
    optimizer.state[p]["step"].fill_(FAR)
    plans = []
    for _ in range(9):
        p.grad = torch.ones(6, 4)
        optimizer.step()
        plans.append(optimizer._plans.of_rows(p))
    assert len(set(map(id, plans))) == 1
    assert plans[0]._core.now == FAR + 9


def on_another_penalty(optimizer: Any) -> None:
    optimizer.param_groups[0]["penalty"] = ps.L1(0.01)


def on_another_group(optimizer: Any) -> None:
    new = torch.nn.Parameter(torch.ones(3, 2))
    new.grad = torch.ones(3, 2)
    optimizer.add_param_group({"params": [new]})


def on_other_metric(optimizer: Any) -> None:
    group = optimizer.param_groups[0]
    group["metric"] = {"diagonal": "euclidean", "euclidean": "diagonal"}[group["metric"]]


def by_rows_or_not(optimizer: Any) -> None:
    group = optimizer.param_groups[0]
    group["skip_zero_rows"] = not group["skip_zero_rows"]


def in_another_dtype(optimizer: Any) -> None:
    p = optimizer.param_groups[0]["params"][0]
    p.data = p.data.float() if p.dtype == torch.float64 else p.data.double()


REMADE = [on_another_penalty, on_another_group, on_other_metric, by_rows_or_not, in_another_dtype]


def far_steps(remake: Any, **options: Any) -> tuple[Any, Any]:
    """Steps around 2^24; before each of them the plans have to be made anew."""
    p = torch.nn.Parameter(torch.linspace(-1, 1, 3000).reshape(1000, 3))
    optimizer = cases.make("AdamW", [p], penalty=ps.L1(0.01), **options)
    for _ in range(9):
        p.grad = torch.ones_like(p)
        optimizer.step()
        if float(optimizer.state[p]["step"]) == 1:
            optimizer.state[p]["step"].fill_(FAR)
        remake(optimizer)
    optimizer.flush()
    return p, optimizer


def counts(optimizer: Any) -> list[tuple[Any, float]]:
    return [own for plan in optimizer._plans._plans for own in plan.counts()]


@pytest.mark.parametrize("remake", REMADE)
def test_the_count_goes_on_where_plans_are_made_anew(remake):
    p, optimizer = far_steps(remake)
    [exact] = [n for step, n in counts(optimizer) if step is optimizer.state[p]["step"]]
    assert exact == FAR + 8


def test_so_do_the_random_bits():
    """A new penalty before each step, as in a ramp, changes none."""
    alike = far_steps(lambda _: None, moments="bfloat16", seed=41)[0]
    cases.assert_equal([far_steps(on_another_penalty, moments="bfloat16", seed=41)[0]], [alike])


@pytest.mark.parametrize("count", [77.0, 2.0**24 + 4])
def test_a_count_that_others_have_set_holds(count):
    """Also where it is what the one before is rounded to, but in a tensor of its own."""
    p, optimizer = far_steps(on_another_penalty)
    assert float(optimizer.state[p]["step"]) == 2**24 + 4
    optimizer.state[p]["step"] = torch.tensor(count)
    p.grad = torch.ones_like(p)
    optimizer.step()
    assert counts(optimizer)[0][1] == count + 1
