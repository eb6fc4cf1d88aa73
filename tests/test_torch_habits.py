"""What users and frameworks of torch do with an optimizer, beyond stepping it."""

from __future__ import annotations

import gc
import re
import weakref
from typing import Any

import proxstep as ps
import pytest
from refusals import refused

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
cases = pytest.importorskip("torch_cases")

each = pytest.mark.parametrize("name", cases.OPTIMIZERS)
TORCHS = ["foreach", "fused", "amsgrad", "capturable", "differentiable"]


@each
@pytest.mark.parametrize("version", ["1.13.1", "2.6.0+cu124", "2.8.1"])
def test_a_torch_that_does_not_say_what_is_read_only_is_refused(monkeypatch, name, version):
    monkeypatch.setattr(torch, "__version__", version)
    with pytest.raises(ImportError, match=re.escape(f"2.9 or later, this is torch {version}")):
        cases.make(name, [torch.nn.Parameter(torch.ones(2))])


@each
@pytest.mark.parametrize("option", TORCHS)
@pytest.mark.parametrize("value", [None, False])
def test_options_of_torch_that_ask_for_nothing_are_taken(name, option, value):
    """Frameworks pass them along with the rate."""
    mine, theirs = cases.tensors(), cases.tensors()
    cases.train(mine, cases.make(name, mine, penalty=ps.L1(0.05), **{option: value}), 2)
    cases.train(theirs, cases.make(name, theirs, penalty=ps.L1(0.05)), 2)
    cases.assert_equal(mine, theirs)


@pytest.mark.parametrize("option", TORCHS)
def test_those_that_ask_for_another_step_are_refused(option):
    """But how torch computes its step, in one pass or for each, is no matter here."""
    if option in ("foreach", "fused"):
        optimizer = cases.make("AdamW", cases.tensors(), **{option: True})
        assert option not in optimizer.param_groups[0]
        return
    with refused(ValueError, f"{option} is True, which is not served"):
        cases.make("AdamW", cases.tensors(), **{option: True})


@pytest.mark.parametrize("option", TORCHS)
@pytest.mark.parametrize("value", [False, True])
def test_the_same_holds_for_a_group(option, value):
    optimizer = cases.make("AdamW", cases.tensors()[:1])
    group = {"params": cases.tensors()[1:], option: value}
    if value and option not in ("foreach", "fused"):
        with refused(ValueError, f"{option} is True, which is not served"):
            optimizer.add_param_group(group)
        assert len(optimizer.param_groups) == 1
    else:
        optimizer.add_param_group(group)


@pytest.mark.parametrize("setting", [{"max_norm": 0.7}, {"master": True}, {"nonfinite": "skip"}])
def test_a_group_cannot_set_what_holds_for_all(setting):
    """It would be ignored."""
    with refused(ValueError, f"{next(iter(setting))} is a setting of the whole optimizer"):
        cases.make("AdamW", [{"params": cases.tensors(), **setting}])


MISSPELT = {"penalti": "penalty", "Penalty": "penalty", "weightdecay": "weight_decay", "LR": "lr"}
MISSPELT |= {"beta": "betas", "metrics": "metric", "min_dim": "min_ndim", "max_norms": "max_norm"}


@pytest.mark.parametrize("key", MISSPELT)
@pytest.mark.parametrize("late", [False, True])
def test_a_misspelt_setting_of_a_group_is_refused(key, late):
    """torch ignores it."""
    group = {"params": cases.tensors()[1:], key: 0.1}
    with refused(TypeError, f"{key!r}; did you mean {MISSPELT[key]!r}"):
        if late:
            cases.make("AdamW", cases.tensors()[:1]).add_param_group(group)
        else:
            cases.make("AdamW", [group])


@pytest.mark.parametrize(
    ("name", "meant"), [("lrr", "lr"), ("beta", "betas"), ("penalti", "penalty"), ("sed", "seed")]
)
def test_a_misspelt_option_is_refused_with_the_one_that_was_meant(name, meant):
    with refused(TypeError, f"no option {name!r}; did you mean {meant!r}"):
        cases.make("AdamW", cases.tensors(), **{name: 0.1})


@each
def test_what_others_note_in_groups_stays(name):
    """Schedulers in all their kinds, frameworks, and the groups of another optimizer."""
    notes = ["initial_lr", "max_lr", "min_lr", "swa_lr", "base_momentum", "max_momentum", "name"]
    notes += ["lr_scale", "lr_mult", "wd_mult", "lr_multiplier", "wd_multiplier", "layer_decay"]
    notes += ["is_last_layer", "fix_step", "decoupled_weight_decay"]
    noted = dict.fromkeys(notes, 0.7)
    groups = [{"params": cases.tensors(), **noted}]
    optimizer = cases.make(name, groups)
    assert optimizer.param_groups[0].items() >= noted.items()
    optimizer.load_state_dict(optimizer.state_dict())
    assert optimizer.param_groups[0].items() >= noted.items()
    for torchs in (torch.optim.AdamW, torch.optim.SGD, torch.optim.Adagrad, torch.optim.RMSprop):
        theirs = torchs(cases.tensors(), lr=0.01)
        torch.optim.lr_scheduler.LambdaLR(theirs, lambda k: 0.9**k)
        own = optimizer.defaults.keys()
        for group in theirs.param_groups:
            cases.make(name, [{k: v for k, v in group.items() if k not in own}])


REFUSED_OF_A_GROUP: dict[str, dict[str, Any]] = {
    "complex": {"params": [torch.nn.Parameter(torch.ones(2, 4) * 1j)]},
    "groups that do not fit": {"penalty": ps.Group(ps.L1(0.3), over=5)},
    "no rows": {"penalty": ps.Group(ps.L1(0.3), over="columns"), "skip_zero_rows": True},
    "listed twice": {"params": [torch.nn.Parameter(torch.ones(2, 4))] * 2},
}


@pytest.mark.filterwarnings("ignore:optimizer contains a parameter group with duplicate")
@pytest.mark.parametrize("how", REFUSED_OF_A_GROUP)
@pytest.mark.parametrize("late", [False, True])
def test_what_is_refused_is_named_by_its_group(how, late):
    params = cases.tensors()
    first = {"params": params[:1]}
    group = {"params": [torch.nn.Parameter(torch.ones(2, 4))], **REFUSED_OF_A_GROUP[how]}
    with refused((TypeError, ValueError), "parameter 0 of group 1"):
        if late:
            cases.make("AdamW", [first]).add_param_group(group)
        else:
            cases.make("AdamW", [first, group])


@pytest.mark.filterwarnings("ignore:optimizer contains a parameter group with duplicate")
def test_a_tied_weight_is_listed_once():
    p = cases.tensors()[0]
    with refused(ValueError, "'tied' is listed twice"):
        cases.make("AdamW", [("one", cases.tensors()[0]), ("tied", p), ("again", p)])


@each
@pytest.mark.parametrize("sparse", [False, True])
def test_a_backward_through_a_graph_from_before_the_step_fails(name, sparse):
    """It would use the new weights for a gradient at the old ones; autograd is told."""
    table = torch.nn.Embedding(7, 5, sparse=sparse)
    optimizer = cases.make(name, table.parameters(), penalty=ps.L1(0.01))
    table(torch.tensor([1, 2])).square().sum().backward()
    stale = table.weight.square().sum()
    optimizer.step()
    with refused(RuntimeError, "modified by an inplace operation"):
        stale.backward()


def test_parameters_that_were_not_stepped_may_be_used_further():
    params = cases.tensors()
    optimizer = cases.make("AdamW", params, penalty=ps.L1(0.05))
    cases.train(params, optimizer, 1)
    params[0].grad = None
    before = [p._version for p in params]
    optimizer.step()
    assert [p._version > v for p, v in zip(params, before, strict=True)] == [False, *[True] * 4]


@each
def test_the_count_of_steps_stays_on_the_cpu(name):
    """Whatever device new tensors are put on by default."""
    params = cases.tensors()
    optimizer = cases.make(name, params, penalty=ps.L1(0.05))
    cases.set_gradients(params, 0)
    with torch.device("meta"):
        optimizer.step()
        optimizer.load_state_dict(optimizer.state_dict())
        optimizer.step()
    for state in optimizer.state.values():
        assert (state["step"].device.type, float(state["step"])) == ("cpu", 2.0)


PATHS = [("float32", "float64"), ("float64", "float32"), ("float64", "bfloat16")]
PATHS += [("float32", "bfloat16"), ("bfloat16", "float32")]


@each
@pytest.mark.parametrize(("first", "second"), PATHS)
@pytest.mark.parametrize("master", [False, True])
def test_a_model_may_change_its_dtype_on_the_way(name, first, second, master):
    """The steps are those of an optimizer that was given the state."""
    mine = cases.tensors(getattr(torch, first))
    ours = cases.make(name, mine, penalty=ps.L1(0.05), master=master)
    cases.train(mine, ours, 3)
    for p in mine:
        p.grad, p.data = None, p.detach().to(getattr(torch, second))
    theirs = cases.copied(mine)
    other = cases.make(name, theirs, penalty=ps.L1(0.05), master=master)
    other.load_state_dict(ours.state_dict())
    cases.train(mine, ours, 3, 3)
    cases.train(theirs, other, 3, 3)
    cases.assert_equal(mine, theirs)
    assert all(("master" in s) == (master and second == "bfloat16") for s in ours.state.values())


def test_so_may_a_table_with_sparse_gradients():
    tables = [
        torch.nn.Embedding(9, 4, sparse=sparse, _weight=torch.ones(9, 4))
        for sparse in (False, True)
    ]
    for table in tables:
        optimizer = cases.make("AdamW", table.parameters(), penalty=ps.L1(0.02))
        for step in range(6):
            if step == 3:
                table.to(torch.float64)
            optimizer.zero_grad()
            (table(torch.tensor([step, 1])) * (step - 2.3)).sum().backward()
            optimizer.step()
        optimizer.flush()
    torch.testing.assert_close(tables[0].weight, tables[1].weight, rtol=1e-6, atol=1e-7)


def test_lazy_modules_are_stepped_once_they_have_a_shape():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.LazyLinear(6), torch.nn.Linear(6, 2))
    optimizer = cases.make("AdamW", model.named_parameters(), penalty=ps.L1(1e6))
    model(torch.ones(3, 5)).square().sum().backward()
    optimizer.step()
    assert not any(p.any() for p in model.parameters() if p.ndim > 1)


@pytest.mark.slow
def test_a_compiled_step_is_the_step_without_recompilations(recwarn):
    mine, theirs = cases.digits_mlp(), cases.digits_mlp()
    ours = cases.make("AdamW", mine.parameters(), penalty=ps.L1(0.02))
    plain = cases.make("AdamW", theirs.parameters(), penalty=ps.L1(0.02))

    @torch.compile(backend="aot_eager")
    def train(seed: Any) -> None:
        ours.zero_grad()
        cases.loss_of(mine, 3).backward()
        ours.step()

    for _ in range(4):
        train(3)
        plain.zero_grad()
        cases.loss_of(theirs, 3).backward()
        plain.step()
    for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    assert not [w for w in recwarn if "pybind" in str(w.message)]


@pytest.mark.parametrize("rows", [False, True])
def test_an_optimizer_that_is_dropped_is_gone(rows):
    """Its moments with it, and not at some later time of the garbage collector."""
    table = torch.nn.Embedding(6, 4, sparse=rows)
    optimizer = cases.make("AdamW", table.parameters(), penalty=ps.L1(0.1))
    gc.disable()
    try:
        for _ in range(2):
            optimizer.zero_grad()
            table(torch.tensor([1, 3])).sum().backward()
            optimizer.step()
        moment = weakref.ref(optimizer.state[table.weight]["exp_avg"])
        gone = weakref.ref(optimizer)
        del optimizer
        assert gone() is None
        assert moment() is None
    finally:
        gc.enable()
