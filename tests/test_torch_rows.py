"""Rows stepped by themselves, for sparse gradients: the bits of dense steps."""

from __future__ import annotations

import proxstep as ps
import pytest
from refusals import refused

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
cases = pytest.importorskip("torch_cases")
rows = pytest.importorskip("torch_row_cases")

ROWS, PENALTIES = rows.ROWS, rows.PENALTIES
embedding, indices, loss, learn, both = (
    rows.embedding,
    rows.indices,
    rows.loss,
    rows.learn,
    rows.both,
)
each = pytest.mark.parametrize("name", cases.OPTIMIZERS)
each_penalty = pytest.mark.parametrize("penalty", PENALTIES)


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
