"""Rows that wait, where others read, write, save and load what they belong to."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
cases = pytest.importorskip("torch_cases")
rows = pytest.importorskip("torch_row_cases")

ROWS, WIDTH, PENALTIES = rows.ROWS, rows.WIDTH, rows.PENALTIES
embedding, learn, both = rows.embedding, rows.learn, rows.both


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


def test_loading_an_older_state_loses_no_steps_of_the_parameters(recwarn):
    """The parameters are where training by dense gradients has left them."""
    tables, optimizers = both("AdamW", penalty=PENALTIES["L1"])
    for table, optimizer in zip(tables, optimizers, strict=True):
        learn(table, optimizer, range(4))
        older = copy.deepcopy(optimizer.state_dict())
        learn(table, optimizer, range(4, 9))
        optimizer.load_state_dict(older)
    assert torch.equal(tables[0].weight, tables[1].weight)
    assert not recwarn.list


def test_what_was_written_stands_where_a_state_is_loaded(recwarn):
    (table, plain), optimizers = both("AdamW", penalty=PENALTIES["L1"])
    saved = copy.deepcopy(optimizers[1].state_dict())
    learn(table, optimizers[0], range(6))
    with torch.no_grad():
        table.weight.copy_(plain.weight)
    optimizers[0].load_state_dict(saved)
    optimizers[0].flush()
    assert torch.equal(table.weight, plain.weight)
    assert not recwarn.list
