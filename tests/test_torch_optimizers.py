"""The optimizers for PyTorch: torch's own numbers without a penalty, the core's bits with one."""

from __future__ import annotations

from typing import Any

import proxstep as ps
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
cases = pytest.importorskip("torch_cases")

each = pytest.mark.parametrize("name", cases.OPTIMIZERS)
peers = pytest.mark.parametrize("name", [n for n, (_, p, _) in cases.OPTIMIZERS.items() if p])
PLACES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def beside_torch(name: str, mine: list[Any], **common: Any) -> tuple[Any, list[Any], Any]:
    """Ours on `mine`; torch's on a copy."""
    ours, torchs, settings = cases.OPTIMIZERS[name]
    theirs = cases.copied(mine)
    return ours(mine, **settings, **common), theirs, torchs(theirs, **settings, **common)


@peers
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)])
def test_a_hundred_steps_without_a_penalty_are_those_of_torch(
    name, place, maximize, dtype, tolerance
):
    mine = cases.tensors(getattr(torch, dtype), place=place)
    ours, theirs, torchs = beside_torch(name, mine, maximize=maximize)
    for step in range(100):
        cases.train(mine, ours, 1, step)
        cases.train(theirs, torchs, 1, step)
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


PENALTIES: dict[str, Any] = {
    "L1": ps.L1(0.37),
    "MCP": ps.MCP(0.37, 2.7),
    "rows": ps.Group(ps.L1(1.7), over="rows"),
    "sparse group": ps.SparseGroup(0.13, 0.71, over="rows"),
    "2:4": ps.NM(2, 4),
    "box": ps.Box(-0.41, 0.53),
}


@pytest.mark.parametrize("name", cases.RULES)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_a_penalised_step_has_the_bits_of_the_core(name, penalty, metric, dtype):
    """ps.Optimizer steps arrays and knows nothing of torch's bookkeeping."""
    start = [p for p in cases.tensors(getattr(torch, dtype)) if p.ndim == 2]
    mine, theirs = start, [p.detach().clone() for p in start]
    ours = cases.make(name, mine, penalty=PENALTIES[penalty], metric=metric)
    core = ps.Optimizer(theirs, cases.RULES[name], PENALTIES[penalty], metric=metric)
    for seed in range(4):
        cases.train(mine, ours, 1, seed)
        core.step([p.grad for p in mine])
    cases.assert_equal([p.detach() for p in mine], theirs)


@each
def test_vectors_are_penalised_on_demand_alone(name):
    for min_ndim in (0, 1, 2, 3):
        params = cases.tensors()
        optimizer = cases.make(name, params, penalty=ps.L1(1e6), min_ndim=min_ndim)
        cases.train(params, optimizer, 1)
        for p in params:
            assert bool((p == 0).all()) == (p.ndim >= min_ndim or p.numel() == 0)


@each
def test_groups_have_their_own_settings(name):
    """Each group steps as if it were alone."""
    params, alone = cases.tensors(), cases.tensors()
    settings = [
        {"lr": 0.0071, "penalty": ps.L1(0.53), "min_ndim": 1},
        {"lr": 0.023, "penalty": ps.MCP(0.37, 2.9), "metric": "euclidean"},
        {"maximize": True},
    ]
    parts = [slice(0, 2), slice(2, 4), slice(4, 5)]
    groups = [{"params": params[s], **more} for s, more in zip(parts, settings, strict=True)]
    together = cases.make(name, groups)
    singles = [cases.make(name, alone[s], **m) for s, m in zip(parts, settings, strict=True)]
    for seed in range(3):
        cases.train(params, together, 1, seed)
        cases.set_gradients(alone, seed)
        for optimizer in singles:
            optimizer.step()
    cases.assert_equal(params, alone)


@peers
def test_a_parameter_without_a_gradient_is_left_alone(name):
    """And its count of steps with it, as by torch; the penalty does not touch it either."""
    mine = cases.tensors()
    ours, theirs, torchs = beside_torch(name, mine)
    for seed in range(12):
        for params, optimizer in ((mine, ours), (theirs, torchs)):
            cases.set_gradients(params, seed)
            for k, p in enumerate(params):
                if (seed + k) % 3 == 0:
                    p.grad = None
            optimizer.step()
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
    penalised = cases.tensors()
    optimizer = cases.make(name, penalised, penalty=ps.L1(1e6), min_ndim=0)
    cases.set_gradients(penalised, 0)
    penalised[0].grad = None
    optimizer.step()
    assert torch.equal(penalised[0], cases.tensors()[0])
    assert not penalised[1].any()
    assert penalised[0] not in optimizer.state


def test_frozen_parameters_are_never_touched():
    model = cases.digits_mlp()
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    optimizer = cases.make("AdamW", model.parameters(), penalty=ps.L1(0.1))
    cases.learn(model, optimizer, 5)
    assert torch.equal(model[0].weight, before)
    assert (model[2].weight == 0).any()


def test_tied_weights_are_stepped_once():
    """model.parameters() names a shared tensor once; its two gradients are one."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(6, 6)
    tied, params = torch.nn.Sequential(layer, layer), list(layer.parameters())
    optimizer = cases.make("AdamW", tied.parameters(), penalty=ps.L1(0.1))
    tied(torch.ones(2, 6)).sum().backward()
    alone = cases.copied(params)
    for p, q in zip(alone, params, strict=True):
        p.grad = q.grad.clone()
    optimizer.step()
    cases.make("AdamW", alone, penalty=ps.L1(0.1)).step()
    cases.assert_equal(params, alone)


def test_exact_zeros_come_and_stay():
    """A model trained with L1 has exact zeros, and a strong penalty leaves nothing else."""
    model = cases.digits_mlp()
    optimizer = cases.make("AdamW", model.parameters(), penalty=ps.L1(0.3), metric="euclidean")
    cases.learn(model, optimizer, 60)
    weights = torch.cat([p.detach().flatten() for p in model.parameters() if p.ndim > 1])
    assert 0.3 < (weights == 0).float().mean() < 1
    group = optimizer.param_groups[0]
    group["penalty"] = ps.L1(1e4)  # annealing: followed from the next step on
    cases.learn(model, optimizer, 1)
    assert all(not p.any() for p in model.parameters() if p.ndim > 1)


def test_a_closure_is_called_once_with_gradients_enabled():
    model, calls = cases.digits_mlp(), []
    optimizer = cases.make("momentum", model.parameters())

    def closure():
        optimizer.zero_grad()
        loss = cases.loss_of(model, 3)
        loss.backward()
        calls.append(loss)
        return loss

    before = [p.detach().clone() for p in model.parameters()]
    assert optimizer.step(closure) is calls[0]
    assert len(calls) == 1
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert optimizer.step() is None


def schedulers(name: str) -> dict[str, Any]:
    made = torch.optim.lr_scheduler
    every = {
        "cosine": lambda o: made.CosineAnnealingLR(o, 20),
        "lambda": lambda o: made.LambdaLR(o, lambda k: 0.9**k),
    }
    if name in ("AdamW", "momentum"):
        every["one cycle"] = lambda o: made.OneCycleLR(o, 0.05, total_steps=20)
    return every


@peers
def test_schedulers_of_torch_are_followed(name):
    """OneCycleLR moves the momentum as well as the rate."""
    for schedule in schedulers(name).values():
        mine = cases.tensors()
        ours, theirs, torchs = beside_torch(name, mine)
        both = [schedule(ours), schedule(torchs)]
        for seed in range(20):
            cases.train(mine, ours, 1, seed)
            cases.train(theirs, torchs, 1, seed)
            for scheduler in both:
                scheduler.step()
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)


@each
def test_a_rate_that_is_a_tensor_is_read_every_step(name):
    rate, mine, theirs = torch.tensor(0.013), cases.tensors(), cases.tensors()
    ours = cases.make(name, mine, lr=rate)
    cases.train(mine, ours, 2)
    rate.mul_(0.5)
    cases.train(mine, ours, 2, 2)
    plain = cases.make(name, theirs, lr=float(rate) * 2)
    cases.train(theirs, plain, 2)
    plain.param_groups[0]["lr"] = float(rate)
    cases.train(theirs, plain, 2, 2)
    cases.assert_equal(mine, theirs)


@each
@pytest.mark.parametrize(
    "move",
    ["data", "state", "state entry", "add group", "half", "channels_last", "min_ndim", "metric"],
)
def test_what_moves_is_followed(name, move):
    """The same bits as a new optimizer that was given the state, whatever was moved."""
    mine = cases.tensors()
    ours = cases.make(name, mine[:4], penalty=ps.L1(0.05))
    cases.train(mine, ours, 3)
    more: dict[str, Any] = {}
    if move == "data":
        mine[0].data = mine[0].detach().clone()
    elif move == "state":
        ours.load_state_dict(ours.state_dict())
    elif move == "state entry":
        ours.state[mine[0]] = {k: v.clone() for k, v in ours.state[mine[0]].items()}
    elif move == "add group":
        ours.add_param_group({"params": mine[4:], "penalty": ps.MCP(0.1)})
    elif move == "half":
        for p in mine:
            p.data = p.detach().to(torch.float64, copy=True)
    elif move == "channels_last":
        mine[2].data = mine[2].detach().to(memory_format=torch.channels_last)
    elif move == "min_ndim":
        more["min_ndim"] = ours.param_groups[0]["min_ndim"] = 1
    else:
        more["metric"] = ours.param_groups[0]["metric"] = "euclidean"
    theirs = cases.copied(mine)
    groups = [{"params": theirs[:4], "penalty": ps.L1(0.05)}]
    if move == "add group":
        groups.append({"params": theirs[4:], "penalty": ps.MCP(0.1)})
    fresh = cases.make(name, groups)
    fresh.load_state_dict(ours.state_dict())
    for key, value in more.items():
        fresh.param_groups[0][key] = value
    cases.train(mine, ours, 3, 3)
    cases.train(theirs, fresh, 3, 3)
    cases.assert_equal(mine, theirs)


def test_a_compiled_model_trains_as_it_does_uncompiled():
    mine, theirs = cases.digits_mlp(), cases.digits_mlp()
    ours = cases.make("AdamW", mine.parameters(), penalty=ps.L1(0.02))
    plain = cases.make("AdamW", theirs.parameters(), penalty=ps.L1(0.02))
    cases.learn(mine, ours, 5, torch.compile(mine, backend="aot_eager"))
    cases.learn(theirs, plain, 5)
    for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_the_rate_of_dual_averaging_is_that_of_all_steps_so_far() -> None:
    began = torch.tensor([[1.0, -0.3, 0.7]])
    p = torch.nn.Parameter(began.clone())
    optimizer = cases.make("RDA", [p], lr=0.3, penalty=ps.L1(0.1))
    for _ in range(5):
        p.grad = p.detach() - 3
        optimizer.step()
    assert bool((p != began).all())
    optimizer.param_groups[0]["lr"] = 0.0
    optimizer.step()
    assert torch.equal(p, began)
