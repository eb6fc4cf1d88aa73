"""Gradients as the core takes them: dense, in the memory order of their parameters.

Those of ``backward()`` are so. Those that users assign may be expanded, as
``torch.autograd.grad(p.sum(), p)`` is, transposed, slices, or lazily negated: these are copied.
"""

from __future__ import annotations

from typing import Any

import torch

from .inputs import local

__all__ = ["dense_rows", "laid_out", "local_gradient"]


def local_gradient(param: Any, grad: Any) -> Any:
    """Return what this process holds of a gradient, where it lies as its parameter does.

    Tensor parallelism leaves summands of the gradient of a replicated parameter on the processes:
    these are added up, by a collective call, as by torch's optimizers.
    """
    placements = getattr(param, "placements", None)
    if placements is None:
        return grad
    if getattr(grad, "placements", placements) != placements:
        grad = grad.redistribute(param.device_mesh, placements)
    return local(grad)


def laid_out(param: Any, grad: Any) -> Any:
    """Return the gradient in the parameter's layout: itself, or a copy where only that differs."""
    fits = grad.stride() == param.stride() and not grad.is_neg()
    alike = grad.dtype == param.dtype and grad.shape == param.shape and grad.device == param.device
    if fits or not alike or grad.layout is not torch.strided:
        return grad
    return torch.empty_like(param).copy_(grad)


def dense_rows(grad: Any) -> tuple[Any, Any]:
    """Return the rows that a sparse gradient names, and their values in C order.

    Raises
    ------
    TypeError
        Where more dimensions are sparse than the first.
    """
    if grad.sparse_dim() != 1:
        raise TypeError(f"{grad.sparse_dim()} of its dimensions are sparse; 1 is served, the rows")
    return grad.indices()[0].contiguous(), grad.values().resolve_neg().contiguous()
