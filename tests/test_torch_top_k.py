"""TopK in the optimizers for PyTorch: the core's bits, global over groups, by schedule."""

from __future__ import annotations

import copy
import io
from typing import Any

import proxstep as ps
import pytest
from proxstep.schedules import CubicRamp

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
cases = pytest.importorskip("torch_cases")

RAMP = CubicRamp(0.9, 0.2, begin_step=1, end_step=6)
scopes = pytest.mark.parametrize("scope", ["array", "global"])


def matrices(dtype: Any = torch.float32) -> list[Any]:
    return [p for p in cases.tensors(dtype) if p.ndim == 2]


def density(params: list[Any]) -> float:
    return sum(int((p != 0).sum()) for p in params) / sum(p.numel() for p in params)


@pytest.mark.parametrize("name", cases.RULES)
@scopes
@pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_a_step_has_the_bits_of_the_core(name, scope, metric, dtype):
    """Count, density and schedule."""
    for h in (ps.TopK(37, scope=scope), ps.TopK(1, scope=scope, schedule=RAMP)):
        mine = matrices(getattr(torch, dtype))
        theirs = [p.detach().clone() for p in mine]
        ours = cases.make(name, mine, penalty=h, metric=metric)
        core = ps.Optimizer(theirs, cases.RULES[name], h, metric=metric)
        for seed in range(8):
            cases.train(mine, ours, 1, seed)
            core.step([p.grad for p in mine])
            cases.assert_equal([p.detach() for p in mine], theirs)


def test_one_selection_over_groups():
    """Of other settings each; what bears another TopK, equal to it, has a selection of its own."""
    shared, equal = ps.TopK(0.3, scope="global"), ps.TopK(0.3, scope="global")
    mine = [torch.nn.Parameter(p.detach() * (1 + k)) for k, p in enumerate(matrices())]
    alone = [torch.nn.Parameter(p.detach() * 0.01) for p in matrices()]
    theirs = [[p.detach().clone() for p in some] for some in (mine[:1], mine[1:], alone)]
    kinds, rates = (shared, shared, equal), (0.011, 0.023, 0.031)
    ours = cases.make(
        "SGD",
        [
            {"params": some, "lr": lr, "penalty": h}
            for some, lr, h in zip((mine[:1], mine[1:], alone), rates, kinds, strict=True)
        ],
    )
    core = ps.Optimizer(
        [
            {"params": some, "rule": ps.SGD(lr, 0.29), "penalty": h}
            for some, lr, h in zip(theirs, rates, kinds, strict=True)
        ],
        ps.SGD(0.1),
    )
    for seed in range(4):
        cases.train([*mine, *alone], ours, 1, seed)
        core.step([p.grad for p in (*mine, *alone)])
    cases.assert_equal([p.detach() for p in (*mine, *alone)], [p for s in theirs for p in s])
    assert density(mine) == pytest.approx(0.3, abs=0.01)
    assert density(alone) == pytest.approx(0.3, abs=0.01)
    assert density(mine[:1]) < 0.299


def test_vectors_are_neither_counted_nor_selected():
    params = cases.tensors(torch.float32)
    optimizer = cases.make("AdamW", params, penalty=ps.TopK(0.25, scope="global"))
    cases.train(params, optimizer, 2)
    whole = [p for p in params if p.ndim >= 2]
    assert sum(int((p != 0).sum()) for p in whole) == int(
        0.25 * sum(p.numel() for p in whole) + 0.5
    )
    assert all((p != 0).all() for p in params if p.ndim < 2)


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_what_has_no_gradient_is_neither_counted_nor_changed(name):
    params = matrices()
    optimizer = cases.make(name, params, penalty=ps.TopK(0.5, scope="global"))
    cases.train(params, optimizer, 1)
    params[0].data.add_(1.0)
    before = params[0].detach().clone()
    cases.set_gradients(params, 1)
    params[0].grad = None
    optimizer.step()
    assert torch.equal(params[0], before)
    assert density(params[1:]) == 0.5


@pytest.mark.parametrize("name", cases.RULES)
@pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
@pytest.mark.parametrize("first", [True, False])
def test_what_is_frozen_at_a_rate_of_zero_is_neither_counted_nor_changed(name, metric, first):
    """The others step as without it, whatever a step of length zero makes of scores."""
    ended = []
    for beside in (True, False):
        frozen, moving = matrices()[0], matrices()[1:]
        groups = [{"params": [frozen], "lr": 0.0}] if beside else []
        groups.insert(len(groups) if first else 0, {"params": moving})
        h = ps.TopK(0.5, scope="global")
        optimizer = cases.make(name, groups, penalty=h, metric=metric)
        for seed in range(3):
            cases.set_gradients([*moving, frozen], seed)
            optimizer.step()
        assert torch.equal(frozen, matrices()[0])
        ended.append(moving)
    cases.assert_equal(*ended)
    assert density(ended[0]) == 0.5


@scopes
@pytest.mark.parametrize("name", ["momentum", "AdamW"])
def test_a_schedule_goes_on_with_a_restored_state(name, scope):
    def make(params: list[Any]) -> Any:
        return cases.make(name, params, penalty=ps.TopK(1, scope=scope, schedule=RAMP))

    straight, broken = matrices(), matrices()
    cases.train(straight, make(straight), 7)
    first = make(broken)
    cases.train(broken, first, 4)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    again = make(broken)
    again.load_state_dict(torch.load(file, weights_only=True))
    cases.train(broken, again, 3, 4)
    cases.assert_equal(straight, broken)
    assert density(straight) == pytest.approx(RAMP(6), abs=0.01)


def test_a_schedule_is_asked_once_a_step_for_the_steps_taken_before():
    """The largest count of the members, where one of them came later."""
    asked: list[int] = []
    h = ps.TopK(1, schedule=lambda t: asked.append(t) or 0.5)
    params = matrices()
    optimizer = cases.make("SGD", params, penalty=h)
    for seed in range(4):
        cases.set_gradients(params, seed)
        if seed < 2:
            params[0].grad = None
        optimizer.step()
    assert asked == [0, 1, 2, 3]
    assert float(optimizer.state[params[0]]["step"]) == 2


def test_a_bad_schedule_changes_nothing():
    params = matrices()
    optimizer = cases.make("AdamW", params, penalty=ps.TopK(1, schedule=lambda t: 1.5))
    before = [p.detach().clone() for p in params]
    with pytest.raises(ValueError, match=r"schedule\(0\) is 1.5"):
        cases.train(params, optimizer, 1)
    cases.assert_equal([p.detach() for p in params], before)


def test_an_optimizer_is_copied_with_one_selection():
    params = matrices()
    optimizer = cases.make("AdamW", params, penalty=ps.TopK(0.3, scope="global"))
    cases.train(params, optimizer, 1)
    others, other = copy.deepcopy((params, optimizer))
    for some, own in ((params, optimizer), (others, other)):
        cases.train(some, own, 2, 1)
    cases.assert_equal(params, others)


def test_clipping_and_layout():
    """As without TopK: by the norm in the pass; gradients of another layout are laid out."""
    params, norm = matrices(), 0.37
    theirs = [p.detach().clone() for p in params]
    h = ps.TopK(0.3, scope="global")
    optimizer = cases.make("SGD", params, penalty=h, max_norm=norm)
    core = ps.Optimizer(theirs, ps.SGD(0.017, 0.29), h)
    cases.set_gradients(params, 0)
    core.step([p.grad.clone() for p in params], max_norm=norm)
    params[0].grad = params[0].grad.t().contiguous().t()
    optimizer.step()
    cases.assert_equal([p.detach() for p in params], theirs)


def test_what_cannot_be_selected_is_refused_by_name():
    h, w = ps.TopK(0.3, scope="global"), matrices()[0]
    named = [("layer.weight", w)]
    with pytest.raises(ValueError, match="a step selects in whole arrays"):
        cases.make("SGD", named, penalty=ps.TopK(3, over="rows"))
    with pytest.raises(ValueError, match=r"TopK.*among all rows; skip_zero_rows"):
        cases.make("SGD", named, penalty=h, skip_zero_rows=True)
    with pytest.raises(TypeError, match=r"L1Ball.* couples all elements"):
        cases.make("SGD", named, penalty=ps.L1Ball(1.0))

    def both_ways(h: ps.TopK) -> Any:
        groups = [{"params": [w], "maximize": True}, {"params": [matrices()[0]]}]
        return cases.make("SGD", groups, penalty=h)

    with pytest.raises(ValueError, match=r"one place, not cpu .*False, cpu .*True"):
        both_ways(h)
    both_ways(ps.TopK(0.3))


def test_settings_that_change_later_are_looked_at():
    params = matrices()
    optimizer = cases.make("SGD", [{"params": [p]} for p in params], penalty=ps.TopK(0.3))
    cases.train(params, optimizer, 1)
    before = [p.detach().clone() for p in params]
    for bad in (ps.TopK(3, over="rows"), ps.L1Ball(1.0)):
        optimizer.param_groups[0]["penalty"] = bad
        with pytest.raises((TypeError, ValueError), match="serves prox and solve"):
            cases.train(params, optimizer, 1)
    cases.assert_equal([p.detach() for p in params], before)


def test_sparse_gradients_are_refused_by_name():
    table = torch.nn.Embedding(7, 3, sparse=True)
    optimizer = cases.make("SGD", table.named_parameters(), penalty=ps.TopK(0.3))
    before = table.weight.detach().clone()
    table(torch.tensor([2, 5])).sum().backward()
    with pytest.raises(ValueError, match=r"'weight': TopK.*all rows; this is stepped by rows"):
        optimizer.step()
    assert torch.equal(table.weight, before)


def test_scores_of_two_kinds_are_refused_by_name():
    h = ps.TopK(0.3, scope="global")
    for more, words in (
        ({"dtype": torch.float64}, "'b'.*float64.*'a', of the same global TopK, has float32"),
        ({"metric": "euclidean"}, "'b'.*one step.*'a'.*a step per element"),
    ):
        a, b = matrices()[0], matrices(more.pop("dtype", torch.float32))[0]
        groups = [{"params": [("a", a)]}, {"params": [("b", b)], **more}]
        optimizer = cases.make("AdamW", groups, penalty=h)
        cases.set_gradients([a, b], 0)
        before = [p.detach().clone() for p in (a, b)]
        with pytest.raises(ValueError, match=words):
            optimizer.step()
        cases.assert_equal([a.detach(), b.detach()], before)


@pytest.mark.gpu
@pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
def test_a_gpu_has_the_bits_of_the_cpu(metric):
    here = matrices()
    there = [torch.nn.Parameter(p.detach().to("cuda")) for p in here]
    h = ps.TopK(0.3, scope="global")
    for params in (here, there):
        optimizer = cases.make("AdamW", params, penalty=h, metric=metric)
        for t in range(2):
            cases.set_gradients(params, t)
            optimizer.step()
    cases.assert_equal([p.detach().cpu() for p in there], [p.detach() for p in here])
