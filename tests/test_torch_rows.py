"""Rows stepped by themselves, for sparse gradients and at rest: the bits of dense steps."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import proxstep as ps
import pytest
from refusals import refused

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
cases = pytest.importorskip("torch_cases")

each = pytest.mark.parametrize("name", cases.OPTIMIZERS)
ROWS, WIDTH = 50, 12


def penalties(strength: float = 1.0) -> dict[str, Any]:
    a, b = 0.02 * strength, 0.07 * strength
    return {
        "none": None,
        "L1": ps.L1(a),
        "MCP": ps.MCP(a, 2.7),
        "box": ps.Box(0.1, 0.5),
        "rows": ps.Group(ps.L1(b), over="rows"),
        "sparse group": ps.SparseGroup(a / 2, b / 2, over="rows"),
        "2:4": ps.NM(2, 4),
        "weights": ps.L1(a, weights=torch.arange(ROWS * WIDTH).view(ROWS, -1) % 7 / 3.0),
        "row weights": ps.Group(ps.L1(b), over="rows", group_weights=torch.arange(ROWS) / 20.0),
    }


PENALTIES = penalties()
each_penalty = pytest.mark.parametrize("penalty", PENALTIES)


def embedding(sparse: bool, dtype: Any = torch.float32) -> Any:
    torch.manual_seed(3)
    return torch.nn.Embedding(ROWS, WIDTH, sparse=sparse, dtype=dtype)


def indices(step: int) -> Any:
    """A few rows, some twice, the first ones more often than the others."""
    generator = torch.Generator().manual_seed(step)
    return (ROWS * torch.rand(2, 4, generator=generator) ** 3).long()


def loss(table: Any, step: int) -> Any:
    generator = torch.Generator().manual_seed(500 + step)
    out = table(indices(step))
    return (out * torch.randn(out.shape, generator=generator).to(out)).sum() + out.square().sum()


def learn(table: Any, optimizer: Any, steps: range, schedule: Any = None) -> None:
    for step in steps:
        optimizer.zero_grad()
        loss(table, step).backward()
        optimizer.step()
        if schedule:
            schedule.step()


def both(name: str, dtype: Any = torch.float32, **options: Any) -> tuple[list[Any], list[Any]]:
    """The same table and optimizer with sparse gradients, followed, and with dense ones."""
    tables = [embedding(True, dtype), embedding(False, dtype)]
    optimizers = [cases.make(name, t.parameters(), **options) for t in tables]
    optimizers[0].follow(tables[0])
    return tables, optimizers


@each
@each_penalty
@pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
def test_sparse_gradients_give_the_bits_of_dense_ones(name, penalty, metric):
    """Whatever the rule: momentum moves a row that is not looked at, and shrinkage goes on."""
    tables, optimizers = both(name, penalty=PENALTIES[penalty], metric=metric)
    for table, optimizer in zip(tables, optimizers, strict=True):
        learn(table, optimizer, range(40))
    optimizers[0].flush()
    assert torch.equal(tables[0].weight, tables[1].weight)
    for key, moment in optimizers[1].state[tables[1].weight].items():
        assert torch.equal(optimizers[0].state[tables[0].weight][key], moment)


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_in_other_dtypes_as_well(name, dtype):
    tables, optimizers = both(name, getattr(torch, dtype), penalty=PENALTIES["L1"])
    for table, optimizer in zip(tables, optimizers, strict=True):
        learn(table, optimizer, range(12))
    optimizers[0].flush()
    assert torch.equal(tables[0].weight, tables[1].weight)


@each
def test_every_step_is_made_up_for_with_the_rate_it_had(name):
    """A schedule goes on while rows wait."""
    tables, optimizers = both(name, penalty=PENALTIES["L1"])
    for table, optimizer in zip(tables, optimizers, strict=True):
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.93)
        learn(table, optimizer, range(30), schedule)
    optimizers[0].flush()
    assert torch.equal(tables[0].weight, tables[1].weight)


def test_rows_wait_until_they_are_named_and_a_forward_brings_them_up():
    (table, dense), optimizers = both("AdamW", penalty=PENALTIES["L1"])
    learn(table, optimizers[0], range(8))
    learn(dense, optimizers[1], range(8))
    waiting = (table.weight != dense.weight).any(1)
    assert waiting.any()
    assert torch.equal(table(torch.arange(ROWS)), dense(torch.arange(ROWS)))
    assert torch.equal(table.weight, dense.weight)


@each
def test_a_row_that_nothing_moves_waits_for_no_other_rate(name):
    """Steps of rate zero leave rows as they are; those after them do not."""
    tables, optimizers = both(name, penalty=PENALTIES["L1"])
    for table, optimizer in zip(tables, optimizers, strict=True):
        warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 0.01 * (t > 40))
        for _ in range(4):
            learn(table, optimizer, range(20), warm)
    optimizers[0].flush()
    assert torch.equal(tables[0].weight, tables[1].weight)


def test_zero_rows_that_were_never_read_stay_unless_a_step_divides_by_zero():
    """They need not be stepped, but where eps is lost in float32 all become NaN."""
    tables, optimizers = both("AdamW", penalty=ps.L1(0.3))
    for table, optimizer in zip(tables, optimizers, strict=True):
        with torch.no_grad():
            table.weight[20:] = 0
        learn(table, optimizer, range(3))
        for steps, eps, dead in [(70, 1e-8, False), (1, 1e-60, True), (40, 1e-8, True)]:
            optimizer.param_groups[0]["eps"] = eps
            for _ in range(steps):
                optimizer.step()
            if table is tables[1]:
                assert bool(table.weight.isnan().any()) == dead
    optimizers[0].flush()
    assert torch.equal(tables[0].weight.isnan(), tables[1].weight.isnan())
    assert torch.equal(tables[0].weight.nan_to_num(), tables[1].weight.nan_to_num())


@pytest.mark.parametrize("shape", [(700, 64), (3, 30_001), (1500, 5, 7)])
@pytest.mark.parametrize("penalty", ["L1", "rows", "row weights"])
def test_many_rows_make_up_for_steps_in_parts(shape, penalty):
    """More of them than fit together, shared among threads, after waits of different lengths."""
    strong = {"L1": ps.L1(0.3), "rows": ps.Group(ps.L1(0.3), over="rows")}
    strong["row weights"] = ps.Group(ps.L1(0.3), over="rows", group_weights=torch.rand(shape[0]))
    found = []
    for sparse in (True, False):
        torch.manual_seed(1)
        p = torch.nn.Parameter(torch.randn(shape))
        optimizer = cases.make("AdamW", [p], penalty=strong[penalty])
        for step in range(25):
            named = torch.randperm(shape[0])[: shape[0] // 10 if step else None].sort().values
            g = torch.zeros(shape).index_copy(0, named, torch.randn(len(named), *shape[1:]))
            p.grad = g.to_sparse(1) if sparse else g
            optimizer.step()
        optimizer.flush()
        found.append(p.detach())
    assert torch.equal(*found)


def test_all_rows_are_brought_up_before_their_steps_are_forgotten():
    """The history has an end; a row may wait longer than it."""
    tables, optimizers = both("SGD", penalty=ps.L1(1e-5))
    for table, optimizer in zip(tables, optimizers, strict=True):
        learn(table, optimizer, range(3))
        for _ in range(4200):
            table.weight.grad = table.weight.grad * 0.999
            optimizer.step()
    optimizers[0].flush()
    assert torch.equal(tables[0].weight, tables[1].weight)


def test_no_step_brings_up_more_than_a_part_of_the_rows():
    """What waits is spread over the steps: none stalls, and no row waits for ever."""
    p = torch.nn.Parameter(torch.ones(9000, 1))
    optimizer = cases.make("SGD", [p], penalty=ps.L1(1e-4))
    p.grad = torch.sparse_coo_tensor([[0]], [[0.0]], p.shape, check_invariants=False)
    most, before = 0, p.detach().clone()
    for _ in range(4300):
        optimizer.step()
        moved = p.detach() != before
        most = max(most, int(moved.sum()))
        before[moved] = p.detach()[moved]
    assert 0 < most <= 1 + 9000 // 2048 + 1
    assert (p < 1 - 1e-4).all()


@pytest.mark.parametrize("kind", ["Embedding", "EmbeddingBag"])
@pytest.mark.parametrize("max_norm", [0.6, 1e9])
def test_rows_that_an_embedding_scales_lose_no_steps_of_others(kind, max_norm):
    """It scales those it reads, which are at the present, in place."""
    tables, optimizers = [], []
    for sparse in (True, False):
        torch.manual_seed(3)
        tables.append(getattr(torch.nn, kind)(ROWS, WIDTH, sparse=sparse, max_norm=max_norm))
        optimizers.append(cases.make("AdamW", tables[-1].parameters(), penalty=PENALTIES["L1"]))
    optimizers[0].follow(tables[0])
    for table, optimizer in zip(tables, optimizers, strict=True):
        learn(table, optimizer, range(20))
    optimizers[0].flush()
    assert torch.equal(tables[0].weight, tables[1].weight)


@pytest.mark.parametrize("flushes", [True, False])
def test_who_writes_in_place_is_told_of_lost_steps(flushes, recwarn):
    """Once; after a flush nothing is lost."""
    tables, optimizers = both("SGD", penalty=PENALTIES["L1"])
    for table, optimizer in zip(tables, optimizers, strict=True):
        for step in range(12):
            learn(table, optimizer, range(step, step + 1))
            if flushes:
                optimizer.flush()
            with torch.no_grad():
                table.weight[2].zero_()
    optimizers[0].flush()
    assert torch.equal(tables[0].weight, tables[1].weight) == flushes
    told = [str(own.message) for own in recwarn]
    assert len(told) == (0 if flushes else 1)
    assert flushes or "parameter 0 of group 0 was written in place" in told[0]


def test_loading_a_followed_module_loses_no_steps(recwarn):
    """Also where only a part of it is loaded; what is loaded stands as it is."""
    tables, optimizers = both("SGD", penalty=PENALTIES["L1"])
    saved = embedding(False).state_dict()
    for table, optimizer in zip(tables, optimizers, strict=True):
        learn(table, optimizer, range(6))
        table.load_state_dict({}, strict=False)
        learn(table, optimizer, range(6, 12))
        table.load_state_dict(saved)
        assert torch.equal(table.weight, saved["weight"])
        learn(table, optimizer, range(12, 16))
    optimizers[0].flush()
    assert torch.equal(tables[0].weight, tables[1].weight)
    assert not recwarn.list


@pytest.mark.parametrize("how", ["state", "module", "pickle"])
def test_saving_brings_all_rows_up(how):
    tables, optimizers = both("AdamW", penalty=PENALTIES["L1"])
    for table, optimizer in zip(tables, optimizers, strict=True):
        learn(table, optimizer, range(9))
    if how == "state":
        optimizers[0].state_dict()
    elif how == "module":
        tables[0].state_dict()
    else:
        pickle.dumps(optimizers[0])
    assert torch.equal(tables[0].weight, tables[1].weight)


def through_torch_save(module: Any) -> Any:
    file = io.BytesIO()
    torch.save(module, file)
    assert file.tell() < 3 * 4 * ROWS * WIDTH  # the optimizer's moments are not in it
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda module: pickle.loads(pickle.dumps(module)),
    "torch.save": through_torch_save,
}


@pytest.mark.parametrize("way", COPIES)
def test_a_followed_module_is_copied_and_saved_whole(way):
    """The copy stands by itself: reading or saving it does not touch what it was made from."""
    (table, plain), optimizers = both("AdamW", penalty=PENALTIES["L1"])
    learn(table, optimizers[0], range(6))
    learn(plain, optimizers[1], range(6))
    optimizers[0].flush()
    other = COPIES[way](table)
    assert torch.equal(other.weight, plain.weight)
    learn(table, optimizers[0], range(6, 9))
    waiting = table.weight.detach().clone()
    other(torch.arange(ROWS))
    other.state_dict()
    assert torch.equal(table.weight, waiting)
    second = cases.make("AdamW", other.parameters(), penalty=PENALTIES["L1"])
    second.load_state_dict(optimizers[1].state_dict())
    second.follow(other)
    learn(other, second, range(6, 12))
    learn(plain, optimizers[1], range(6, 12))
    assert torch.equal(other(torch.arange(ROWS)), plain(torch.arange(ROWS)))


def test_a_saved_module_is_loaded_where_this_package_is_not():
    (table, _), _ = both("AdamW", penalty=PENALTIES["L1"])
    assert b"proxstep" not in pickle.dumps(table)


def test_a_restored_run_goes_on_with_rows():
    (table, again), optimizers = [embedding(True), embedding(True)], []
    for t in (table, again):
        optimizers.append(cases.make("AdamW", t.parameters(), penalty=PENALTIES["rows"]))
        optimizers[-1].follow(t)
    learn(table, optimizers[0], range(9))
    again.load_state_dict(table.state_dict())
    optimizers[1].load_state_dict(optimizers[0].state_dict())
    learn(table, optimizers[0], range(9, 20))
    learn(again, optimizers[1], range(9, 20))
    for optimizer in optimizers:
        optimizer.flush()
    assert torch.equal(table.weight, again.weight)


def test_sparse_and_dense_gradients_may_alternate():
    tables, optimizers = both("AdamW", penalty=PENALTIES["L1"])
    for step in range(12):
        tables[0].sparse = step % 3 > 0
        for table, optimizer in zip(tables, optimizers, strict=True):
            learn(table, optimizer, range(step, step + 1))
    optimizers[0].flush()
    assert torch.equal(tables[0].weight, tables[1].weight)


@pytest.mark.parametrize("max_norm", [0.7, 1e6])
def test_clipping_and_bad_numbers_of_sparse_gradients(max_norm):
    options = {"max_norm": max_norm, "nonfinite": "raise"}
    tables, optimizers = both("AdamW", penalty=PENALTIES["L1"], **options)
    for table, optimizer in zip(tables, optimizers, strict=True):
        learn(table, optimizer, range(10))
    optimizers[0].flush()
    torch.testing.assert_close(tables[0].weight, tables[1].weight, rtol=1e-5, atol=1e-6)
    kept = tables[0].weight.detach().clone()
    loss(tables[0], 77).backward()
    tables[0].weight.grad.coalesce().values()[0, 0] = float("nan")
    tables[0].weight.grad._values()[0, 0] = float("nan")
    with refused(FloatingPointError, "parameter 0 of group 0"):
        optimizers[0].step()
    assert torch.equal(tables[0].weight, kept)


def rested(name: str, skip: bool, **options: Any) -> tuple[Any, Any]:
    """Rows lose their gradients for a while; some of them lie at zero."""
    torch.manual_seed(5)
    p = torch.nn.Parameter(0.002 * torch.randn(ROWS, WIDTH))
    optimizer = cases.make(name, [p], skip_zero_rows=skip, **options)
    for step in range(60):
        generator = torch.Generator().manual_seed(step)
        g = 0.03 * torch.randn(ROWS, WIDTH, generator=generator)
        g[torch.rand(ROWS, generator=generator) < (0.5 if step % 20 < 3 else 0.95)] = 0.0
        if step > 8:
            g[:10] = 0.0
        p.grad = g
        optimizer.step()
    return p, optimizer


@each
@pytest.mark.parametrize("penalty", ["L1", "MCP", "rows", "sparse group", "row weights"])
@pytest.mark.parametrize("metric", ["diagonal", "euclidean"])
def test_rows_at_rest_have_the_bits_of_rows_that_are_stepped(name, penalty, metric):
    strength = 40.0 if (name, metric) == ("AdamW", "euclidean") else 1.0  # steps of the rate's size
    options = {"penalty": penalties(strength)[penalty], "metric": metric}
    (mine, ours), (theirs, plain) = (rested(name, skip, **options) for skip in (True, False))
    assert torch.equal(mine, theirs)  # before the flush: what rests is where it belongs
    assert (mine == 0).all(1).any()
    ours.flush()
    for key, moment in plain.state[theirs].items():
        assert torch.equal(ours.state[mine][key], moment)


def test_rows_at_rest_are_not_touched():
    """Their moments stay as they were until they are looked at."""
    p, optimizer = rested("AdamW", True, penalty=PENALTIES["rows"])
    resting = (p == 0).all(1)
    before = optimizer.state[p]["exp_avg_sq"].clone()
    p.grad = torch.zeros_like(p)
    optimizer.step()
    same = (optimizer.state[p]["exp_avg_sq"] == before).all(1)
    assert same[resting].any()
    assert not same[~resting].any()


def test_another_penalty_ends_the_rest():
    """A weaker one may free a row that rested."""
    found = []
    for skip in (True, False):
        p, optimizer = rested("AdamW", skip, penalty=ps.Group(ps.L1(0.3), over="rows"))
        optimizer.param_groups[0]["penalty"] = ps.Group(ps.L1(1e-4), over="rows")
        for _ in range(5):
            p.grad = torch.zeros_like(p)
            optimizer.step()
        found.append(p.detach())
    assert torch.equal(*found)


def test_what_cannot_be_stepped_by_rows_is_refused():
    p = torch.nn.Parameter(torch.zeros(4, 6))
    for penalty, pattern in [
        (ps.Group(ps.L1(0.1), over="columns"), "not the rows"),
        (ps.Group(ps.L1(0.1), over=3), "not the rows"),
    ]:
        with refused(ValueError, "'table'", pattern):
            cases.make("SGD", [("table", p)], penalty=penalty, skip_zero_rows=True)
    half = torch.nn.Parameter(torch.zeros(4, 6, dtype=torch.bfloat16))
    for param, options in [
        (p, {"moments": "bfloat16"}),
        (half, {"master": True}),
        (half, {"rounding": "stochastic"}),
    ]:
        with refused(ValueError, "'table'", "skip_zero_rows"):
            cases.make(
                "AdamW", [("table", param)], penalty=ps.L1(0.1), skip_zero_rows=True, **options
            )
        cases.make("AdamW", [("table", param)], penalty=ps.L1(0.1), **options)
    optimizer = cases.make("SGD", [("table", p)], penalty=ps.L1(0.1))
    p.grad = torch.ones(4, 6).to_sparse()
    with refused(TypeError, "the gradient of 'table'", "2 of its dimensions"):
        optimizer.step()
    assert not p.any()
