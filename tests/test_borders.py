"""Arrays that are not NumPy's: torch CPU tensors, DLPack lenders new and old. No copy is made."""

from __future__ import annotations

import gc
import sys

import numpy as np
import proxstep as ps
import pytest
from cases import DTYPES, RULE_CASES, assert_same_bits, normal, penalty, rule
from reference import PENALTIES

MIXED = PENALTIES["MCP"].settings[0]


class Lender:
    """An array of a library that speaks DLPack and is not NumPy; old ones take no arguments."""

    def __init__(self, array, old=False):
        self.array = array
        if old:
            self.__class__ = OldLender

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        return self.array.__dlpack__(max_version=max_version)


class OldLender(Lender):
    def __dlpack__(self, stream=None):
        return self.array.__dlpack__()


def test_a_dlpack_lender_is_stepped_in_place():
    x, g = normal(33, seed=1), normal(33, seed=2)
    want = x.copy()
    ps.step(want, g, ps.SGD(0.17), ps.L1(0.37))
    ps.step(Lender(x), Lender(g), ps.SGD(0.17), ps.L1(0.37))
    assert_same_bits(x, want)


def test_a_read_only_lender_is_not_written():
    x, g = normal(33, seed=3), normal(33, seed=4)
    before = x.copy()
    x.flags.writeable = False
    with pytest.raises((ValueError, BufferError), match=r"read-only|readonly"):
        ps.step(Lender(x), g, ps.SGD(0.17), ps.L1(0.37))
    assert_same_bits(x, before)


def test_a_legacy_capsule_is_read_and_never_written():
    """It has no read-only flag: a JAX array written through it would corrupt the program."""
    x, g = normal(33, seed=5), normal(33, seed=6)
    want, before = x.copy(), x.copy()
    ps.step(want, g, ps.SGD(0.17), ps.L1(0.37))
    with pytest.raises(ValueError, match="x is read-only"):
        ps.step(Lender(x, old=True), g, ps.SGD(0.17), ps.L1(0.37))
    assert_same_bits(x, before)
    ps.step(x, Lender(g, old=True), ps.SGD(0.17), ps.L1(0.37))
    assert_same_bits(x, want)


@pytest.mark.parametrize("old", [False, True])
def test_borrowed_memory_is_given_back(old):
    """After the call, also a refused one, nobody holds the lender's array."""
    x, g = normal(33, seed=7), normal(33, seed=8)
    counts = sys.getrefcount(g)
    for _ in range(5):
        ps.step(x, Lender(g, old), ps.SGD(0.17), ps.L1(0.37))
        with pytest.raises(ValueError, match="shape"):
            ps.step(x[:5].copy(), Lender(g, old), ps.SGD(0.17))
    gc.collect()
    assert sys.getrefcount(g) == counts


def test_a_lender_s_own_error_is_not_hidden():
    class Broken(Lender):
        def __dlpack__(self, **_):
            raise RuntimeError("the array is being reshaped")

    with pytest.raises(RuntimeError, match="being reshaped"):
        ps.step(normal(3), Broken(normal(3)), ps.SGD(0.17))


def test_a_failed_call_leaves_no_exception_behind():
    with pytest.raises(TypeError):
        ps.soft_threshold([1.0], 0.3)
    assert ps.soft_threshold(np.array([1.0]), 0.3)[0] == 0.7


torch_only = pytest.mark.torch


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def as_torch(torch, array):
    """A tensor of its own memory with the bits of a NumPy array, bfloat16 included."""
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(array.copy())


def as_numpy(torch, tensor, dtype):
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(dtype)
    return tensor.numpy()


@torch_only
@pytest.mark.parametrize(("name", "r"), RULE_CASES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("leaf", [False, True])
def test_torch_tensors_have_the_bits_of_numpy_arrays(torch, name, r, dtype, leaf):
    x, g = normal((9, 7), dtype, seed=9), normal((9, 7), dtype, seed=10)
    tensor, gradient = as_torch(torch, x).requires_grad_(leaf), as_torch(torch, g)
    where = tensor.data_ptr()
    states = rule(name, r).init(x), rule(name, r).init(tensor)
    assert all(isinstance(m, torch.Tensor) for m in states[1].moments.values())
    for _ in range(3):
        ps.step(x, g, rule(name, r), penalty("MCP", MIXED), states[0])
        ps.step(tensor, gradient, rule(name, r), penalty("MCP", MIXED), states[1])
    assert tensor.data_ptr() == where
    assert tensor.requires_grad is leaf
    assert_same_bits(as_numpy(torch, tensor, x.dtype), x)


@torch_only
@pytest.mark.parametrize("dtype", DTYPES)
def test_results_are_of_the_library_of_the_point(torch, dtype):
    x = normal((9, 7), dtype, seed=11)
    tensor = as_torch(torch, x)
    for y, want in (
        (ps.prox(tensor, ps.L1(0.37), step=0.9), ps.prox(x, ps.L1(0.37), step=0.9)),
        (ps.soft_threshold(tensor, 0.31), ps.soft_threshold(x, 0.31)),
    ):
        assert isinstance(y, torch.Tensor)
        assert y.dtype == tensor.dtype
        assert_same_bits(as_numpy(torch, y, x.dtype), want)


@torch_only
def test_an_optimizer_of_torch_parameters(torch):
    torch.manual_seed(3)
    model = torch.nn.Linear(7, 5, dtype=torch.float64)
    x = [p.detach().numpy().copy() for p in model.parameters()]
    mine = ps.Optimizer(list(model.parameters()), ps.AdamW(0.11), ps.L1(0.37))
    theirs = ps.Optimizer(x, ps.AdamW(0.11), ps.L1(0.37))
    for _ in range(3):
        model(torch.ones(2, 7, dtype=torch.float64)).square().sum().backward()
        grads = [p.grad for p in model.parameters()]
        mine.step(grads)
        theirs.step([g.numpy().copy() for g in grads])
        model.zero_grad()
    for a, b in zip(model.parameters(), x, strict=True):
        assert_same_bits(a.detach().numpy(), b)


@torch_only
def test_torch_tensors_that_cannot_be_lent(torch):
    x = torch.ones(4, 6, dtype=torch.float64)
    g = torch.ones(4, 6, dtype=torch.float64)
    with pytest.raises(ValueError, match="strides"):
        ps.step(x, torch.ones(6, 4, dtype=torch.float64).t(), ps.SGD(0.17))
    with pytest.raises(ValueError, match="dense"):
        ps.step(x[:, ::2], g[:, ::2].contiguous(), ps.SGD(0.17))
    with pytest.raises((TypeError, ValueError, BufferError, RuntimeError)):
        ps.step(x, torch.ones(4, 6, dtype=torch.complex128).imag, ps.SGD(0.17))
    with pytest.raises((TypeError, ValueError, BufferError, RuntimeError)):
        ps.step(x, g.to_sparse(), ps.SGD(0.17))
    with pytest.raises((TypeError, ValueError, BufferError, RuntimeError)):
        ps.step(x, torch.ones(4, 6, dtype=torch.float64, device="meta"), ps.SGD(0.17))
    assert torch.equal(x, torch.ones(4, 6, dtype=torch.float64))


@torch_only
def test_a_negated_view_is_read_rightly_or_refused(torch):
    """torch marks conj().imag with a negative bit that DLPack cannot carry."""
    z = torch.ones(5, dtype=torch.complex128) * (0.3 + 0.7j)
    negated = torch._neg_view(torch.full((5,), 0.7, dtype=torch.float64))
    assert z.conj().imag.is_neg()
    assert negated.is_neg()
    x = torch.zeros(5, dtype=torch.float64)
    try:
        ps.step(x, negated, ps.SGD(0.1))
    except (TypeError, ValueError, BufferError, RuntimeError):
        assert torch.equal(x, torch.zeros(5, dtype=torch.float64))
    else:
        assert torch.allclose(x, torch.full((5,), 0.07, dtype=torch.float64))
