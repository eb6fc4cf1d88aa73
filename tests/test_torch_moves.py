"""Whatever others do to parameters, states and groups between steps, a step sees it.

Rows that wait, or rest, are the hard case: they owe steps under terms that have changed since.
"""

from __future__ import annotations

import copy
from typing import Any

import proxstep as ps
import pytest
from refusals import refused

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
cases = pytest.importorskip("torch_cases")


def start(rows: bool, name: str = "AdamW", **options: Any) -> tuple[list[Any], Any]:
    """Two matrices of one group each, stepped by rows or whole; the first rows rest."""
    torch.manual_seed(7)
    params = [torch.nn.Parameter(0.3 * torch.randn(6, 4)) for _ in range(2)]
    for p in params:
        p.data[:2] = 0
    settings = [{"lr": 0.013}, {"lr": 0.17, "penalty": ps.L1(0.04)}]
    groups = [{"params": [p], **own} for p, own in zip(params, settings, strict=True)]
    options = {"penalty": ps.L1(0.02), "skip_zero_rows": rows, **options}
    return params, cases.make(name, groups, **options)


def go_on(params: list[Any], optimizer: Any, steps: int = 4, first: int = 0) -> None:
    for step in range(first, first + steps):
        for k, p in enumerate(params):
            generator = torch.Generator().manual_seed(10 * step + k)
            p.grad = torch.randn(p.shape, generator=generator).to(p.dtype) * 0.05
            p.grad[:2] = 0
            p.grad[2 + step % 3] = 0
        optimizer.step()


def new_memory(params: list[Any], optimizer: Any) -> None:
    for p in params:
        p.data = p.data.clone()


def new_memory_and_penalty(params: list[Any], optimizer: Any) -> None:
    new_memory(params, optimizer)
    optimizer.param_groups[0]["penalty"] = ps.L1(0.0003)


def other_metric(params: list[Any], optimizer: Any) -> None:
    optimizer.param_groups[0]["metric"] = "euclidean"


def reversed_groups(params: list[Any], optimizer: Any) -> None:
    optimizer.param_groups.reverse()


def a_group_less(params: list[Any], optimizer: Any) -> None:
    optimizer.param_groups.pop(0)


def no_state(params: list[Any], optimizer: Any) -> None:
    optimizer.flush()
    optimizer.state.clear()


def counts_from_zero(params: list[Any], optimizer: Any) -> None:
    optimizer.flush()
    for p in params:
        for tensor in optimizer.state[p].values():
            tensor.zero_()


def written_in_place(params: list[Any], optimizer: Any) -> None:
    optimizer.flush()
    with torch.no_grad():
        for p in params:
            p.copy_(torch.arange(24.0).view(6, 4) / 40)


def no_longer_by_rows(params: list[Any], optimizer: Any) -> None:
    for group in optimizer.param_groups:
        group["skip_zero_rows"] = False


def in_double(params: list[Any], optimizer: Any) -> None:
    optimizer.flush()
    for p in params:
        p.data = p.data.double()


MOVES = [
    new_memory,
    new_memory_and_penalty,
    other_metric,
    reversed_groups,
    a_group_less,
    no_state,
    counts_from_zero,
    written_in_place,
    no_longer_by_rows,
    in_double,
]


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("name", ["SGD", "AdamW", "Adagrad"])
def test_rows_follow_as_whole_parameters_do(move, name):
    ended = []
    for rows in (True, False):
        params, optimizer = start(rows, name)
        go_on(params, optimizer)
        move(params, optimizer)
        go_on(params, optimizer, first=4)
        optimizer.flush()
        ended.append([p.detach() for p in params])
    cases.assert_equal(*ended)


def table() -> tuple[Any, Any]:
    torch.manual_seed(1)
    embedding = torch.nn.Embedding(200, 8, sparse=True)
    optimizer = cases.make("AdamW", embedding.parameters(), penalty=ps.L1(0.05))
    optimizer.follow(embedding)
    return embedding, optimizer


def read(embedding: Any, optimizer: Any, rows: list[int]) -> None:
    optimizer.zero_grad()
    embedding(torch.tensor(rows)).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("look", ["forward", "flush", "state_dict", "step"])
def test_rows_that_wait_are_brought_up_in_their_new_memory(look):
    """model.double() frees the memory in which they began to wait."""
    for convert in (torch.nn.Module.double, torch.nn.Module.bfloat16, lambda m: None):
        embedding, optimizer = table()
        for rows in ([0, 1], [1, 2], [2, 3]):
            read(embedding, optimizer, rows)
        before = embedding.weight.detach().double()
        convert(embedding)
        embedding.weight.data = embedding.weight.data.clone()
        {
            "forward": lambda e, o: e(torch.arange(200)),
            "flush": lambda e, o: o.flush(),
            "state_dict": lambda e, o: o.state_dict(),
            "step": lambda e, o: (read(e, o, [5]), o.flush()),
        }[look](embedding, optimizer)
        after = embedding.weight.detach().double()
        shrunk = after[10:].abs() < before[10:].abs()
        assert shrunk.float().mean() > 0.9
        assert torch.isfinite(after).all()


@pytest.mark.parametrize("model_first", [True, False])
def test_a_checkpoint_is_loaded_into_a_running_optimizer(model_first):
    """What rows owe is not taken from weights that were loaded."""
    embedding, optimizer = table()
    for rows in ([0, 1], [1, 2]):
        read(embedding, optimizer, rows)
    saved = copy.deepcopy((embedding.state_dict(), optimizer.state_dict()))
    for rows in ([0, 3], [4, 5], [1, 2]):
        read(embedding, optimizer, rows)
    if model_first:
        embedding.load_state_dict(saved[0])
        optimizer.load_state_dict(saved[1])
    else:
        optimizer.load_state_dict(saved[1])
        embedding.load_state_dict(saved[0])
    optimizer.flush()
    assert torch.equal(embedding.weight, saved[0]["weight"])


def test_what_is_written_into_waiting_rows_stands():
    embedding, optimizer = table()
    for rows in ([0, 1], [1, 2]):
        read(embedding, optimizer, rows)
    with torch.no_grad():
        embedding.weight.fill_(10.0)
    with pytest.warns(UserWarning, match="while rows owed steps"):
        optimizer.flush()
    assert torch.equal(embedding.weight, torch.full((200, 8), 10.0))


def test_bringing_rows_up_is_seen_by_autograd():
    embedding, optimizer = table()
    read(embedding, optimizer, [0, 1])
    loss = embedding.weight.square().sum()
    optimizer.flush()  # all rows but two have waited
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    again = embedding.weight.square().sum()
    optimizer.flush()  # none waits any more, so nothing is written
    again.backward()


@pytest.mark.parametrize("penalty", [ps.TopK(4), ps.TopK(0.5, scope="global"), ps.NM(2, 4)])
@pytest.mark.parametrize("name", ["AdamW", "Adagrad", "SGD"])
def test_a_rate_of_zero_keeps_the_largest(penalty, name):
    """The first step of a warm-up: with no step to measure by, magnitudes tell."""
    p = torch.nn.Parameter(torch.arange(1.0, 9).reshape(2, 4))
    optimizer = cases.make(name, [p], lr=0.0, penalty=penalty)
    p.grad = torch.ones_like(p)
    optimizer.step()
    largest = torch.tensor([[0, 0, 3, 4], [0, 0, 7, 8]]) if isinstance(penalty, ps.NM) else None
    want = torch.tensor([[0, 0, 0, 0], [5, 6, 7, 8]]) if largest is None else largest
    assert torch.equal(p.detach(), want.float())
    x = torch.arange(1.0, 9).reshape(2, 4)
    rule = ps.AdamW(0.0)
    ps.step(x, torch.ones(2, 4), rule, penalty, rule.init(x))
    assert torch.equal(x, want.float())


def test_a_penalty_is_known_by_itself_and_not_by_its_place_in_memory():
    p = torch.nn.Parameter(torch.ones(2, 2))
    optimizer = cases.make("SGD", [p], lr=0.1, weight_decay=0.0)
    for lam in (0.1, 5.0, 0.3, 2.0) * 5:
        group = optimizer.param_groups[0]
        group["penalty"] = None
        group["penalty"] = ps.L1(lam)
        p.data.fill_(1.0)
        p.grad = torch.zeros(2, 2)
        optimizer.step()
        torch.testing.assert_close(p.detach(), torch.full((2, 2), max(1 - 0.1 * lam, 0.0)))


def test_another_parameter_in_a_group_is_stepped_and_the_old_one_left():
    old, new = (torch.nn.Parameter(torch.ones(2, 2)) for _ in range(2))
    optimizer = cases.make("SGD", [old], lr=0.1, weight_decay=0.0)
    old.grad = new.grad = torch.ones(2, 2)
    optimizer.step()
    optimizer.param_groups[0]["params"][0] = new
    optimizer.step()
    assert torch.equal(old, new)


def test_a_transposed_parameter_gets_its_gradient_where_it_belongs():
    p = torch.nn.Parameter(torch.zeros(3, 3))
    optimizer = cases.make("SGD", [p], lr=1.0, weight_decay=0.0)
    p.grad = torch.zeros(3, 3)
    optimizer.step()
    p.data = p.data.t()
    p.grad = torch.arange(9.0).view(3, 3)
    optimizer.step()
    assert torch.equal(p.detach(), -p.grad)


def test_a_parameter_cut_short_in_its_memory_is_stepped_as_it_is():
    """The rows in front have the address and the strides of the whole."""
    p = torch.nn.Parameter(torch.ones(6, 4))
    optimizer = cases.make("SGD", [p], penalty=ps.L1(0.5), lr=0.25, weight_decay=0.0)
    p.grad = torch.zeros(6, 4)
    optimizer.step()
    whole = p.data
    p.data = p.data[:3]
    p.grad = torch.zeros(3, 4)
    optimizer.step()
    assert torch.equal(p.data, torch.full((3, 4), 0.75))
    assert torch.equal(whole[3:], torch.full((3, 4), 0.875))


def test_moments_are_known_by_name_and_completed():
    p, q = (torch.nn.Parameter(torch.ones(2, 2)) for _ in range(2))
    one, two = (cases.make("AdamW", [x]) for x in (p, q))
    cases.train([p], one, 2)
    cases.train([q], two, 2)
    state = one.state[p]
    one.state[p] = {k: state[k] for k in ("exp_avg_sq", "step", "exp_avg")}
    cases.train([p], one, 2, 2)
    cases.train([q], two, 2, 2)
    assert torch.equal(p, q)
    optimizer = cases.make("SGD", [p])
    cases.train([p], optimizer, 2)
    optimizer.param_groups[0]["momentum"] = 0.9  # a schedule may begin at zero
    cases.train([p], optimizer, 2, 2)
    assert "momentum_buffer" in optimizer.state[p]


def test_settings_changed_in_place_are_seen():
    p, q = (torch.nn.Parameter(torch.ones(2, 2)) for _ in range(2))
    one, two = cases.make("AdamW", [p], betas=[0.9, 0.95]), cases.make("AdamW", [q])
    cases.train([p], one, 1)
    two.param_groups[0]["betas"] = (0.9, 0.95)
    cases.train([q], two, 1)
    one.param_groups[0]["betas"][0] = 0.3
    two.param_groups[0]["betas"] = (0.3, 0.95)
    cases.train([p], one, 2, 1)
    cases.train([q], two, 2, 1)
    assert torch.equal(p, q)


@pytest.mark.parametrize(
    ("name", "bad", "words"),
    [
        ("min_ndim", None, "min_ndim is None; an integer is needed"),
        ("min_ndim", "2", "min_ndim is '2'; an integer is needed"),
        ("metric", None, "metric is None; known are"),
        ("lr", "0.1", "lr is '0.1'; a number is needed"),
    ],
)
@pytest.mark.parametrize("skips", [False, True])
def test_a_setting_that_goes_bad_later_is_refused_with_its_value(name, bad, words, skips):
    p = torch.nn.Parameter(torch.ones(2, 3))
    optimizer = cases.make("AdamW", [p], penalty=ps.L1(0.3), skip_zero_rows=skips)
    cases.train([p], optimizer, 1)
    before = p.detach().clone()
    optimizer.param_groups[0][name] = bad
    with pytest.raises((TypeError, ValueError), match=words):
        cases.train([p], optimizer, 1)
    assert torch.equal(p, before)
    assert float(optimizer.state[p]["step"]) == 1


def test_a_refused_group_is_not_left_behind_whatever_the_error():
    optimizer = cases.make("SGD", cases.tensors()[:1])
    with pytest.raises(OverflowError):
        optimizer.add_param_group({"params": cases.tensors()[1:2], "lr": 10**400})
    assert len(optimizer.param_groups) == 1


def test_a_state_with_bad_settings_is_refused_before_a_first_step():
    optimizer = cases.make("AdamW", cases.tensors())
    state = optimizer.state_dict()
    state["param_groups"][0]["lr"] = -1.0
    with refused(ValueError, "lr is -1"):
        optimizer.load_state_dict(state)


def test_a_norm_that_overflows_is_no_reason_to_name_a_parameter():
    p = torch.nn.Parameter(torch.ones(2, 2, dtype=torch.float64))
    optimizer = cases.make("SGD", [("p", p)], nonfinite="raise")
    p.grad = torch.full((2, 2), 1e200, dtype=torch.float64)
    with refused(FloatingPointError, "all parameters together"):
        optimizer.step()
