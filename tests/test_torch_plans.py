"""Plans of one optimizer, for directions and for rows, step together or not at all."""

from __future__ import annotations

import copy
import gc
import math
import weakref
from typing import Any

import proxstep as ps
import pytest
from refusals import refused

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
cases = pytest.importorskip("torch_cases")

KINDS: dict[str, dict[str, Any]] = {  # of a group; each has a plan of its own
    "down": {},
    "up": {"maximize": True},
    "rows": {"skip_zero_rows": True},
    "sparse": {},
}
ORDERS = [list(KINDS), list(KINDS)[::-1]]


def of_kinds(kinds: list[str], **options: Any) -> tuple[list[Any], Any]:
    torch.manual_seed(11)
    params = [torch.nn.Parameter(torch.randn(5, 6)) for _ in kinds]
    groups = [{"params": [(kind, p)], **KINDS[kind]} for kind, p in zip(kinds, params, strict=True)]
    return params, cases.make("AdamW", groups, **{"penalty": ps.L1(0.05), **options})


def set_gradients(kinds: list[str], params: list[Any], seed: int) -> None:
    cases.set_gradients(params, seed)
    for kind, p in zip(kinds, params, strict=True):
        if kind == "sparse":
            p.grad[1::2] = 0
            p.grad = p.grad.to_sparse(1)


def another_dtype(p: Any) -> None:
    p.grad.data = p.grad.double()


def another_shape(p: Any) -> None:
    p.grad.data = torch.ones(7, 3).to_sparse(1) if p.grad.is_sparse else torch.ones(7, 3)


def its_own_memory(p: Any) -> None:
    if p.grad.is_sparse:
        rows = torch.arange(5)[None]
        how = {"is_coalesced": True, "check_invariants": False}
        p.grad = torch.sparse_coo_tensor(rows, p.detach(), **how)
    else:
        p.grad = p.detach()


def a_row_that_is_not_there(p: Any) -> None:
    if p.grad.is_sparse:
        p.grad._indices()[0, -1] = 99
    else:
        another_shape(p)


def nan(p: Any) -> None:
    (p.grad._values() if p.grad.is_sparse else p.grad)[1, 2] = math.nan


SPOILED = [another_dtype, another_shape, its_own_memory, a_row_that_is_not_there, nan]


@pytest.mark.parametrize("kinds", ORDERS, ids=" ".join)
@pytest.mark.parametrize("spoil", SPOILED)
@pytest.mark.parametrize("bad", KINDS)
@pytest.mark.parametrize("options", [{"nonfinite": "raise"}, {"max_norm": 0.7}, {}], ids=str)
def test_one_bad_gradient_leaves_everything_as_it_was(kinds, spoil, bad, options):
    """Whichever plan would have been first; the steps after it are those without the mishap."""
    if spoil is nan and "nonfinite" not in options:
        return  # taken, as by torch
    ended = []
    for mishap in (True, False):
        params, optimizer = of_kinds(kinds, **options)
        for seed in range(2):
            set_gradients(kinds, params, seed)
            optimizer.step()
        if mishap:
            set_gradients(kinds, params, 77)
            spoil(params[kinds.index(bad)])
            before = copy.deepcopy((params, list(optimizer.state.values())))
            with refused((TypeError, ValueError, FloatingPointError), f"the gradient of '{bad}'"):
                optimizer.step()
            cases.assert_equal(params, before[0])
            for state, old in zip(optimizer.state.values(), before[1], strict=True):
                assert all(torch.equal(state[key], old[key]) for key in old)
        for seed in range(2, 4):
            set_gradients(kinds, params, seed)
            optimizer.step()
        optimizer.flush()
        ended.append(params)
    cases.assert_equal(*ended)


@pytest.mark.parametrize("kinds", ORDERS, ids=" ".join)
def test_so_does_a_schedule_that_fails(kinds):
    for h in (ps.TopK(1, schedule=lambda t: 1.5), ps.Quantize(4, rho=lambda t: -1.0 if t else 0.1)):
        params, optimizer = of_kinds(kinds)
        group = optimizer.param_groups[kinds.index("up")]
        group["penalty"] = h
        set_gradients(kinds, params, 0)
        if isinstance(h, ps.Quantize):
            optimizer.step()
        optimizer.flush()
        before = copy.deepcopy(params)
        with pytest.raises(ValueError, match=r"schedule\(0\)|rho"):
            optimizer.step()
        cases.assert_equal(params, before)


def test_a_schedule_is_asked_once_a_step_beside_other_plans():
    asked: list[int] = []
    params, optimizer = of_kinds(list(KINDS))
    optimizer.param_groups[0]["penalty"] = ps.TopK(1, schedule=lambda t: asked.append(t) or 0.5)
    for seed in range(3):
        set_gradients(list(KINDS), params, seed)
        optimizer.step()
    assert asked == [0, 1, 2]


NARROW = {"rounding": "stochastic", "moments": "bfloat16", "seed": 41}


def stepped(signs: list[int], steps: range, restore: int = -1, gaps: int = -1) -> list[Any]:
    """bfloat16 parameters, all beginning equal; those of sign -1 go up, by negated gradients."""
    params = [torch.nn.Parameter(torch.linspace(-1, 1, 3000).bfloat16()) for _ in signs]

    def make() -> Any:
        groups = [{"params": [p], "maximize": s < 0} for p, s in zip(params, signs, strict=True)]
        return cases.make("AdamW", groups, **NARROW)

    optimizer = make()
    for step in steps:
        if step == restore:
            state = copy.deepcopy(optimizer.state_dict())
            optimizer = make()
            optimizer.load_state_dict(state)
        for k, (p, sign) in enumerate(zip(params, signs, strict=True)):
            generator = torch.Generator().manual_seed(step)
            p.grad = sign * torch.randn(3000, generator=generator).bfloat16()
            if k == gaps and step % 2 == 0:
                p.grad = None
        optimizer.step()
    return params


def test_random_bits_are_those_of_a_parameter_whatever_plan_steps_it():
    """By its place among all parameters; no two of them have the same bits."""
    alike = stepped([1, 1, 1], range(5))
    cases.assert_equal(stepped([1, -1, 1], range(5)), alike)
    cases.assert_equal(stepped([-1, 1, -1], range(5), restore=3), alike)
    cases.assert_equal(stepped([1, 1, -1], range(5), gaps=0)[1:], alike[1:])
    for k in range(3):
        differ = (alike[k] != alike[(k + 1) % 3]).float().mean()
        assert differ > 0.2  # equal parameters and gradients: only the rounding can do it


@pytest.mark.parametrize("options", [{"penalty": ps.TopK(3)}, {"master": True}], ids=str)
def test_gradients_do_not_outlive_a_step_whose_plans_cannot_be_made(options):
    """Those that the plans before had looked at already."""
    params = [torch.nn.Parameter(torch.ones(5, 6, dtype=torch.bfloat16)) for _ in range(2)]
    optimizer = cases.make("AdamW", params, **options)
    cases.set_gradients(params, 0)
    optimizer.step()
    params[1].grad = params[1].grad.to_sparse(1)
    gone = weakref.ref(params[0].grad)
    with refused(ValueError, "by rows|rows are stepped by themselves"):
        optimizer.step()
    optimizer.zero_grad()
    gc.collect()
    assert gone() is None


def test_a_graph_is_refused_before_anything_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    params, optimizer = of_kinds(["down"])
    set_gradients(["down"], params, 1)
    optimizer.step()
    before = [p.detach().clone() for p in params], copy.deepcopy(optimizer.state_dict())
    monkeypatch.setattr("proxstep.torch.plan.is_captured", lambda on_device: True)
    with refused(RuntimeError, "CUDA graph", "capturable=True"):
        optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(params, before[0], strict=True))
    assert str(optimizer.state_dict()) == str(before[1])
    monkeypatch.undo()
    optimizer.step()
    assert not torch.equal(params[0], before[0][0])


class Counted(list[Any]):
    """A list that knows how often it was gone through."""

    times = 0

    def __iter__(self) -> Any:
        self.times += 1
        return super().__iter__()


@pytest.mark.parametrize("skips", [False, True])
def test_no_parameter_is_looked_for_among_all_others(skips: bool) -> None:
    params = [torch.nn.Parameter(torch.ones(2, 2)) for _ in range(200)]
    optimizer = cases.make("AdamW", params, penalty=ps.L1(0.3), skip_zero_rows=skips)
    for p in params:
        p.grad = torch.ones(2, 2)
    listed = optimizer.param_groups[0]["params"] = Counted(params)
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.step()
    assert 0 < listed.times < 60
