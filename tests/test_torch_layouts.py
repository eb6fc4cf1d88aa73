"""Gradients of another layout than their parameters, as users assign them, step as dense ones."""

from __future__ import annotations

from typing import Any

import proxstep as ps
import pytest
from refusals import refused

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
cases = pytest.importorskip("torch_cases")

SHAPE = (6, 4)


def randn(*shape: int, dtype: Any = torch.float32) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


GRADIENTS = {
    "of a sum": lambda p: torch.autograd.grad(0.37 * p.sum(), p)[0],
    "of torch.func": lambda p: torch.func.grad(lambda q: 0.37 * q.sum())(p.detach()),
    "expanded along rows": lambda p: randn(6, 1).expand(SHAPE),
    "expanded along columns": lambda p: randn(4).expand(SHAPE),
    "transposed": lambda p: randn(4, 6).t(),
    "a slice": lambda p: randn(6, 9)[:, 1::2],
    "negated": lambda p: randn(*SHAPE, dtype=torch.complex64).conj().imag,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "raise": {"nonfinite": "raise"},
    "skip": {"nonfinite": "skip", "max_norm": 0.21},
    "clipped": {"max_norm": 0.21},
    "rows": {"skip_zero_rows": True},
    "rows clipped": {"skip_zero_rows": True, "max_norm": 0.21},
}
each_option = pytest.mark.parametrize("option", OPTIONS)


@pytest.mark.parametrize("kind", GRADIENTS)
@each_option
@pytest.mark.parametrize("transposed", [False, True])
def test_a_gradient_steps_as_its_dense_copy_does(kind, option, transposed):
    """And is left as it was."""
    if transposed and "rows" in option:
        return  # rows lie in C order
    ended = []
    for dense in (False, True):
        p = torch.nn.Parameter(torch.linspace(-1, 1, 24).reshape(SHAPE))
        p.data = p.data.t().contiguous().t() if transposed else p.data
        other = torch.nn.Parameter(torch.ones(3, 3))
        optimizer = cases.make("AdamW", [other, p], penalty=ps.L1(0.05), **OPTIONS[option])
        for _ in range(3):
            other.grad = torch.full((3, 3), 0.3)
            grad = GRADIENTS[kind](p)
            p.grad = torch.empty_like(p).copy_(grad) if dense else grad
            optimizer.step()
            assert p.grad is grad or dense
        optimizer.flush()
        ended.append([p, other])
    cases.assert_equal(*ended)


VALUES = {
    "transposed": lambda: randn(4, 2).t(),
    "expanded": lambda: torch.full((1, 1), 0.37).expand(2, 4),
    "negated": lambda: randn(2, 4, dtype=torch.complex64).conj().imag,
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("option", ["plain", "raise", "clipped"])
def test_so_do_the_values_of_a_sparse_one(kind, option):
    ended = []
    for dense in (False, True):
        p = torch.nn.Parameter(torch.linspace(-1, 1, 24).reshape(SHAPE))
        optimizer = cases.make("AdamW", [p], penalty=ps.L1(0.05), **OPTIONS[option])
        for _ in range(3):
            rows = torch.tensor([[1, 0], [4, 0]]).t()[:1]  # with a stride of 2
            values = VALUES[kind]().clone() if dense else VALUES[kind]()
            how = {"is_coalesced": True, "check_invariants": False}
            p.grad = torch.sparse_coo_tensor(rows, values, SHAPE, **how)
            optimizer.step()
        optimizer.flush()
        ended.append([p])
    cases.assert_equal(*ended)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_convolutions_in_channels_last_memory(dtype):
    """Whose gradients are not."""
    plain = torch.nn.Parameter(torch.randn(4, 3, 2, 2).to(getattr(torch, dtype)))
    last = torch.nn.Parameter(plain.detach().to(memory_format=torch.channels_last))
    for p in (plain, last):
        cases.train([p], cases.make("AdamW", [p], penalty=ps.L1(0.1)), 3)
    assert not last.is_contiguous()
    assert torch.equal(plain, last)


@each_option
def test_an_odd_layout_does_not_hide_what_else_is_wrong(option):
    """Of whichever parameter, by name."""
    for bad in ("a", "b"):
        params = {name: torch.nn.Parameter(torch.ones(SHAPE)) for name in ("a", "b")}
        optimizer = cases.make("SGD", params.items(), penalty=ps.L1(0.1), **OPTIONS[option])
        for p in params.values():
            p.grad = torch.ones(4, 6).t()
        params[bad].grad = params[bad].detach()
        with refused(ValueError, f"the gradient of '{bad}'", "overlap"):
            optimizer.step()
        assert all(torch.equal(p, torch.ones(SHAPE)) for p in params.values())
