"""Clipping, loss scaling, gradients that are not finite, and what is refused by name."""

from __future__ import annotations

import copy
import math
from typing import Any

import proxstep as ps
import pytest
from refusals import refused

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
TwoTensor = pytest.importorskip("torch.testing._internal.two_tensor").TwoTensor
cases = pytest.importorskip("torch_cases")

each = pytest.mark.parametrize("name", cases.OPTIMIZERS)
NAN, INF = math.nan, math.inf


@each
@pytest.mark.parametrize("max_norm", [0.71, 1e6])
@pytest.mark.parametrize("groups", ["one", "up and down"])
def test_max_norm_clips_as_torch_does_beforehand(name, max_norm, groups):
    """The norm is that of all parameters, also where some go up and others down."""
    mine, theirs = cases.tensors(), cases.tensors()
    kind = [
        [{"params": p[:2]}, {"params": p[2:], "maximize": groups != "one"}] for p in (mine, theirs)
    ]
    ours = cases.make(name, kind[0], penalty=ps.L1(0.05), max_norm=max_norm)
    plain = cases.make(name, kind[1], penalty=ps.L1(0.05))
    for seed in range(4):
        cases.train(mine, ours, 1, seed)
        cases.set_gradients(theirs, seed)
        torch.nn.utils.clip_grad_norm_(theirs, max_norm)
        plain.step()
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)  # torch adds 1e-6 to the norm


@each
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_scaler_of_torch_scales_and_skips(name, dtype):
    """A step with infinities is left out; float16 gradients are unscaled in the pass."""
    mine, theirs = cases.tensors(getattr(torch, dtype)), cases.tensors(getattr(torch, dtype))
    ours, plain = (cases.make(name, p, penalty=ps.L1(0.05)) for p in (mine, theirs))
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0, growth_interval=100)
    for seed in range(6):
        bad = seed == 2
        cases.set_gradients(mine, seed)
        cases.set_gradients(theirs, seed)
        scale = scaler.get_scale() if seed else 256.0
        scaler.scale(torch.ones(()))
        for p in mine:
            p.grad.mul_(scale)
        if bad:
            mine[0].grad[3, 5] = INF
        else:
            plain.step()
        scaler.step(ours)
        scaler.update()
    assert scaler.get_scale() == 128.0
    assert ours._step_supports_amp_scaling == (dtype == "float16")  # or Lightning clips nothing
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("clip", [None, 1.3])
def test_a_gradient_that_is_not_finite_is_named(bad, clip):
    model = cases.digits_mlp()
    kept = copy.deepcopy(list(model.parameters()))
    optimizer = cases.make(
        "AdamW", model.named_parameters(), penalty=ps.L1(0.1), nonfinite="raise", max_norm=clip
    )
    cases.loss_of(model, 1).backward()
    model[2].weight.grad[1, 7] = bad
    with refused(FloatingPointError, r"the gradient of '2\.weight' is not finite"):
        optimizer.step()
    cases.assert_equal(list(model.parameters()), kept)
    assert all(float(state["step"]) == 0 for state in optimizer.state.values())


@pytest.mark.parametrize("bad", [NAN, INF])
def test_a_step_can_be_skipped_where_gradients_are_not_finite(bad):
    mine, theirs = cases.tensors(), cases.tensors()
    ours = cases.make("AdamW", mine, penalty=ps.L1(0.05), nonfinite="skip")
    plain = cases.make("AdamW", theirs, penalty=ps.L1(0.05))
    for seed in range(4):
        cases.set_gradients(mine, seed)
        cases.set_gradients(theirs, seed)
        if seed == 1:
            mine[2].grad[0, 0, 0, 0] = bad
        else:
            plain.step()
        ours.step()
    cases.assert_equal(mine, theirs)


@pytest.mark.parametrize("nonfinite", ["skip", "raise"])
def test_nor_is_a_norm_beyond_the_largest_number(nonfinite):
    """Each element may be finite."""
    params = cases.tensors(torch.float64)
    optimizer = cases.make("AdamW", params, penalty=ps.L1(0.05), nonfinite=nonfinite)
    kept = copy.deepcopy(params)
    for p in params:
        p.grad = torch.full_like(p, 1e200)
    if nonfinite == "skip":
        optimizer.step()
    else:
        with refused(FloatingPointError, "all parameters together is not finite"):
            optimizer.step()
    cases.assert_equal(params, kept)
    assert all(float(state["step"]) == 0 for state in optimizer.state.values())


def test_by_default_nan_is_stepped_as_by_torch_and_stays_visible():
    params = cases.tensors()
    optimizer = cases.make("AdamW", params, penalty=ps.L1(1e6))
    cases.set_gradients(params, 0)
    params[0].grad[3, 5] = NAN
    optimizer.step()
    assert params[0][3, 5].isnan()
    assert int((params[0] != 0).sum()) == 1


def bad_parameter(kind: str) -> tuple[Any, dict[str, Any]]:
    made = {
        "complex": torch.zeros(3, 3, dtype=torch.complex64),
        "float8": torch.zeros(3, 3).to(torch.float8_e4m3fn),
        "sparse": torch.eye(3).to_sparse(),
        "wrapper": TwoTensor(torch.zeros(3, 3), torch.zeros(3, 3)),
        "gaps": torch.zeros(6, 6)[:, ::2],
        "expanded": torch.zeros(1, 4).expand(3, 4),
        "2:4": torch.zeros(4, 6),
        "heads": torch.zeros(6, 4),
        "weights": torch.zeros(4, 4),
        "segments": torch.zeros(4, 4),
    }[kind]
    penalty = {
        "2:4": ps.NM(2, 4),
        "heads": ps.Group(ps.L1(0.1), over=("heads", 4)),
        "weights": ps.L1(0.1, weights=[1.0, 2.0]),
        "segments": ps.Group(ps.L1(0.1), over=[3, 4]),
    }.get(kind)
    return made, {"penalty": penalty}


BAD_PARAMETERS = {
    "complex": (TypeError, "complex64"),
    "float8": (TypeError, "float8"),
    "sparse": (TypeError, "'bad': layout torch.sparse_coo"),
    "wrapper": (TypeError, "'bad': a TwoTensor wraps other tensors"),
    "gaps": (ValueError, r"'bad'.*\(6, 3\)"),
    "expanded": (ValueError, "'bad'"),
    "2:4": (ValueError, r"'bad': blocks of 4.*\(4, 6\)"),
    "heads": (ValueError, r"'bad': 4 heads do not divide.*\(6, 4\)"),
    "weights": (ValueError, r"'bad': weights have shape \(2,\)"),
    "segments": (ValueError, "'bad': segments of 7 elements"),
}


@pytest.mark.parametrize("kind", BAD_PARAMETERS)
@pytest.mark.parametrize("late", [False, True])
def test_a_parameter_that_cannot_be_stepped_is_named(kind, late):
    """When the optimizer is made or when the group is added, which is not added then."""
    param, options = bad_parameter(kind)
    if param.is_floating_point() or param.is_complex():
        param.requires_grad_()
    named = [("bad", param)]
    error, pattern = BAD_PARAMETERS[kind]
    if not late:
        with refused(error, pattern):
            cases.make("AdamW", named, **options)
        return
    optimizer = cases.make("AdamW", [("good", cases.tensors()[0])])
    with refused(error, pattern):
        optimizer.add_param_group({"params": named, **options})
    assert len(optimizer.param_groups) == 1


BAD_SETTINGS = [
    ({"lr": -0.1}, ValueError, "lr is -0.1"),
    ({"lr": NAN}, ValueError, "lr"),
    ({"lr": None}, TypeError, "lr is None; a number"),
    ({"lr": "0.1"}, TypeError, "lr is '0.1'; a number"),
    ({"lr": torch.ones(2)}, TypeError, r"lr is tensor\(\[1., 1.\]\); a number"),
    ({"betas": (0.9, 1.0)}, ValueError, r"betas\[1\] is 1.0"),
    ({"betas": 0.9}, TypeError, "betas is 0.9; a pair"),
    ({"betas": (0.9,)}, TypeError, r"betas is \(0.9,\); a pair"),
    ({"maximize": "no"}, TypeError, "maximize is 'no'; True or False"),
    ({"skip_zero_rows": None}, TypeError, "skip_zero_rows is None; True or False"),
    ({"penalty": 0.1}, TypeError, "penalty"),
    ({"penalty": ps.L1Ball(1.0)}, TypeError, "L1Ball"),
    ({"metric": "diag"}, ValueError, "'diag'.*diagonal"),
    ({"metric": None}, ValueError, "metric is None; known are 'diagonal', 'euclidean'"),
    ({"metric": ["euclidean"]}, ValueError, r"metric is \['euclidean'\]"),
    ({"min_ndim": -1}, ValueError, "min_ndim"),
    ({"max_norm": 0.0}, ValueError, "max_norm"),
    ({"nonfinite": "rise"}, ValueError, "'rise'.*raise"),
    ({"penalti": ps.L1(0.1)}, TypeError, "'penalti'.*penalty"),
]


@pytest.mark.parametrize(("settings", "error", "pattern"), BAD_SETTINGS)
def test_a_bad_setting_is_refused_with_its_value(settings, error, pattern):
    with refused(error, pattern):
        cases.make("AdamW", cases.tensors(), **settings)


def test_a_momentum_that_is_none_is_refused():
    with refused(TypeError, "momentum is None"):
        cases.make("momentum", cases.tensors(), momentum=None)
    with refused(TypeError, "nesterov is 'no'"):
        cases.make("momentum", cases.tensors(), nesterov="no")


def test_parameters_that_share_memory_are_named():
    """Tied by their data, or views of one tensor."""
    tied = torch.zeros(7, 4)
    views = {"one": tied[:4], "alone": torch.zeros(4, 4), "two": tied[3:]}
    params = {name: torch.nn.Parameter(tensor) for name, tensor in views.items()}
    for p in params.values():
        p.grad = torch.ones(4, 4)
    with refused(ValueError, "'one': x and 'two': x overlap in memory; list tied weights once"):
        cases.make("SGD", list(params.items())).step()
    assert not tied.any()


def test_what_its_library_does_not_lend_is_named():
    """A parameter that got no memory before its first step."""
    params = [("here", torch.ones(3, 3)), ("meta", torch.ones(3, 3, device="meta"))]
    named = [(name, torch.nn.Parameter(tensor)) for name, tensor in params]
    for _, p in named:
        p.grad = torch.ones_like(p)
    optimizer = cases.make("AdamW", named)
    with refused(ValueError, "'meta': x cannot be lent: Cannot pack tensors on meta$"):
        optimizer.step()
    assert torch.equal(named[0][1].detach(), params[0][1])


def test_only_embeddings_are_followed():
    optimizer = cases.make("SGD", cases.tensors())
    for module in (torch.nn.Linear(3, 3), "table"):
        with refused(TypeError, f"a {type(module).__name__} cannot be followed"):
            optimizer.follow(module)


def test_nesterov_needs_momentum_and_no_dampening():
    for settings in ({"momentum": 0.0}, {"dampening": 0.1}):
        with refused(ValueError, "nesterov"):
            cases.make("Nesterov", cases.tensors(), **settings)


def test_what_has_a_size_but_no_memory_is_refused():
    """A wrapper of other tensors, and a storage that was freed, as sharding frees them."""
    p = torch.nn.Parameter(torch.ones(4, 4))
    optimizer = cases.make("AdamW", [("own", p)])
    p.grad = TwoTensor(torch.ones(4, 4), torch.ones(4, 4))
    with refused(ValueError, "the gradient of 'own'", r"shape \(4, 4\)", "no memory", "TwoTensor"):
        optimizer.step()
    assert torch.equal(p.detach(), torch.ones(4, 4))
    p.grad = torch.ones(4, 4)
    p.data.untyped_storage().resize_(0)
    with refused(ValueError, "'own'", "no memory"):
        optimizer.step()


def test_a_gradient_that_overlaps_its_parameter_is_refused():
    p = torch.nn.Parameter(torch.ones(4, 4))
    p.grad = p.detach()
    optimizer = cases.make("SGD", [("own", p)])
    with refused(ValueError, "the gradient of 'own'", "overlap"):
        optimizer.step()
    assert torch.equal(p.detach(), torch.ones(4, 4))
