"""Muon among other rules in one Optimizer: clipping, selections, storage, state, threads."""

from __future__ import annotations

import numpy as np
import proxstep as ps
import pytest
from cases import DTYPES, NARROW, assert_same_bits, normal
from proxstep.directions import blas_threads
from refusals import refused

SHAPES = [(12, 4), (4, 4), (16, 4), (4, 16), (9, 3)]
ADAM = ps.AdamW(0.11, eps=0.017, weight_decay=0.31)
MUON = ps.Muon(0.13, momentum=0.71, weight_decay=0.29, scale="rms")
FUSED = ps.Muon(0.17, momentum=0.83, nesterov=False, parts=3)


def arrays(dtype, seed):
    """Five matrices for Muon, then two arrays for AdamW."""
    shapes = [*SHAPES, (7, 4), (4,)]
    return [normal(shape, dtype, seed=seed + k) for k, shape in enumerate(shapes)]


def grouped(params, penalty=None):
    return [
        {"params": params[:1], "rule": FUSED, "penalty": penalty},
        {"params": params[1:5], "rule": MUON, "penalty": penalty},
        {"params": params[5:], "rule": ADAM},
    ]


RULES = [FUSED, MUON, MUON, MUON, MUON, ADAM, ADAM]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("h", [ps.L1(0.37), ps.Group(ps.L1(0.7), over="columns")], ids=str)
def test_mixed_groups_equal_single_steps(dtype, h):
    together, alone = arrays(dtype, 1), arrays(dtype, 1)
    optimizer = ps.Optimizer(grouped(together, h), ADAM)
    states = [r.init(x) for r, x in zip(RULES, alone, strict=True)]
    for t in range(3):
        grads = arrays(dtype, 20 + 10 * t)
        optimizer.step(grads, grad_scale=0.83)
        for k, (x, g, r, state) in enumerate(zip(alone, grads, RULES, states, strict=True)):
            ps.step(x, g, r, h if k < 5 else None, state, grad_scale=0.83)
    for a, b in zip(together, alone, strict=True):
        assert_same_bits(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("max_norm", [0.7, 1e9])
def test_max_norm_leaves_directions_out(dtype, max_norm):
    """The norm is of the other gradients, and they alone are clipped."""
    clipped, plain, grads = arrays(dtype, 1), arrays(dtype, 1), arrays(dtype, 30)
    info = ps.Optimizer(grouped(clipped, ps.L1(0.2)), ADAM).step(
        grads, grad_scale=-0.83, max_norm=max_norm, stats=True
    )
    norm = 0.83 * ps.global_norm(grads[5:])
    assert info.grad_norm == pytest.approx(norm, rel=1e-12)
    optimizer = ps.Optimizer(grouped(plain, ps.L1(0.2)), ADAM)
    optimizer.step(grads, grad_scale=-0.83)
    for a, b in zip(clipped[:5], plain[:5], strict=True):
        assert_same_bits(a, b)
    rest, scale = arrays(dtype, 1)[5:], min(1.0, max_norm / norm)
    ps.Optimizer(rest, ADAM).step(grads[5:], grad_scale=-0.83 * scale)
    for a, b in zip(clipped[5:], rest, strict=True):
        assert_same_bits(a, b)


def test_where_all_are_directions_the_norm_is_zero():
    x, g = normal((4, 6), seed=1), normal((4, 6), seed=2)
    info = ps.Optimizer([x], MUON).step([g], max_norm=0.5, stats=True)
    assert info.grad_norm == 0.0


@pytest.mark.parametrize(
    "h",
    [ps.TopK(0.3, scope="global"), ps.TopK(5), ps.NM(2, 4), ps.Quantize(bits=2, rho=0.4)],
    ids=str,
)
def test_penalties_see_the_point_of_the_step(h):
    """Step with a penalty = step without, then the prox (TopK's by hand, over all arrays)."""
    shapes = [(8, 4), (4, 12)]
    made = [normal(s, seed=k) for k, s in enumerate(shapes)]
    points, grads = [x.copy() for x in made], [normal(s, seed=9 + k) for k, s in enumerate(shapes)]
    ps.Optimizer(made, MUON, h).step(grads)
    ps.Optimizer(points, MUON).step(grads)
    if isinstance(h, ps.TopK) and h.scope == "global":
        flat = np.concatenate([np.abs(z).ravel() for z in points])
        edge = np.sort(flat)[-round(0.3 * flat.size)]
        want = [np.where(np.abs(z) >= edge, z, 0.0) for z in points]
    else:
        want = [ps.prox(z, h, step=MUON.lr) for z in points]
    for x, z in zip(made, want, strict=True):
        assert_same_bits(x, z)


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("h", [None, ps.L1(0.3)], ids=str)
def test_masters_take_the_step_and_parameters_are_rounded(dtype, h):
    x, g = normal((6, 10), dtype, seed=1), normal((6, 10), dtype, seed=2)
    wide = x.astype(np.float32)
    optimizer = ps.Optimizer([x], MUON, h, master=True, moments="bfloat16")
    optimizer.step([g])
    ps.step(wide, g.astype(np.float32), MUON, h, MUON.init(wide))
    master = optimizer.state_dict()["0.master"]
    np.testing.assert_allclose(master, wide, atol=1e-3)
    assert_same_bits(x, master.astype(x.dtype))


@pytest.mark.parametrize("options", [{}, {"moments": "bfloat16", "seed": 5}], ids=str)
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_resumed_run_goes_on_to_the_same_bits(library, options):
    make = np.array if library == "numpy" else pytest.importorskip("torch").tensor
    grads = [[make(g) for g in arrays("float32", 20 + 10 * t)] for t in range(5)]
    params = [make(x) for x in arrays("float32", 1)]
    whole = ps.Optimizer(grouped(params, ps.L1(0.1)), ADAM, **options)
    for t in range(5):
        if t == 3:
            copies = [x * 1 for x in params]
            saved = {k: v if k == "steps" else v * 1 for k, v in whole.state_dict().items()}
        whole.step(grads[t], max_norm=0.9)
    resumed = ps.Optimizer(grouped(copies, ps.L1(0.1)), ADAM, **options)
    resumed.load_state_dict(saved)
    for t in (3, 4):
        resumed.step(grads[t], max_norm=0.9)
    for a, b in zip(params, copies, strict=True):
        assert_same_bits(np.asarray(a), np.asarray(b))


def test_torch_tensors_step_as_numpy_arrays():
    torch = pytest.importorskip("torch")
    plain, grads = arrays("float32", 1), arrays("float32", 20)
    tensors = [torch.from_numpy(x.copy()) for x in plain]
    ps.Optimizer(grouped(plain), ADAM).step(grads)
    ps.Optimizer(grouped(tensors), ADAM).step([torch.from_numpy(g) for g in grads])
    for a, b in zip(plain, tensors, strict=True):
        assert_same_bits(a, b.numpy())
    narrow = [torch.ones(4, 6, dtype=torch.bfloat16), normal((4, 6), "bfloat16")]
    narrow[0].copy_(torch.from_numpy(narrow[1].astype(np.float32)))
    for x in narrow:
        ps.Optimizer([x], MUON).step([x * 3])
    assert_same_bits(narrow[0].float().numpy(), narrow[1].astype(np.float32))


def test_threads_change_no_bit(threads, monkeypatch):
    """Every block is made by one thread, whichever it is, with a BLAS of one thread."""
    pytest.importorskip("threadpoolctl")
    monkeypatch.setattr(blas_threads, "_WORTH_THREADS", 0.0)
    results = []
    for count in (2, 3):
        ps.set_num_threads(count)
        params = [normal((96, 64), "float32", seed=k) for k in range(5)]
        ps.Optimizer(params, FUSED).step([normal((96, 64), "float32", seed=9)] * 5)
        results.append(params)
    for a, b in zip(*results, strict=True):
        assert_same_bits(a, b)


def test_a_refused_gradient_changes_no_velocity():
    params, grads = arrays("float64", 1), arrays("float64", 20)
    optimizer = ps.Optimizer(grouped(params), ADAM)
    optimizer.step(grads)
    kept = [v for k, v in optimizer.state_dict().items() if k != "steps"]
    with refused(ValueError, r"grads\[6\]", r"\(3,\)", keep=[*params, *kept]):
        optimizer.step([*grads[:6], np.ones(3)])
    with refused(ValueError, "lr is -1", keep=[*params, *kept]):
        optimizer.step(grads, lr=-1.0)
    for own in (params[0], optimizer.state_dict()["0.velocity"]):
        with refused(ValueError, "overlap", keep=[*params, *kept]):
            optimizer.step([own, *grads[1:]])
    assert optimizer.steps == 1


def test_train_steps_matrices_and_refuses_an_intercept():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 5)), rng.integers(0, 3, 60)
    run = {"batch_size": 20, "epochs": 15}
    free = ps.Softmax(X, y, fit_intercept=False)
    history = ps.train(free, ps.Muon(0.05), ps.L1(0.01), **run)
    assert history.loss[-1] < free.value(np.zeros((5, 3)))
    with refused(ValueError, r"\(3,\)", "Muon"):
        ps.train(ps.Softmax(X, y), ps.Muon(0.05), **run)
    with refused(ValueError, r"\(5,\)", "Muon"):
        ps.train(ps.LeastSquares(X, y.astype(float), fit_intercept=False), ps.Muon(0.05), **run)
