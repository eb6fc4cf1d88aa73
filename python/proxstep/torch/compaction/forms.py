"""What the nodes of a graph have made on the example: shapes and dtypes, but no tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import fx


@dataclass(frozen=True)
class Form:
    """The shape and the dtype of a tensor."""

    shape: tuple[int, ...]
    dtype: Any


def note(node: Any, result: Any) -> None:
    """Keep with a node what it has made."""
    with torch._C.DisableTorchFunction():
        node.meta["form"] = _form(result)


def _form(result: Any) -> Any:
    """Give a tensor's form, of a list or tuple those of its parts, and of all else None."""
    if isinstance(result, torch.Tensor):
        return Form(tuple(result.shape), result.dtype)
    return [_form(part) for part in result] if isinstance(result, (list, tuple)) else None


class Noting(fx.Interpreter):  # type: ignore[misc]
    """Runs a graph and notes of all nodes what they make; torch's own prints what fails."""

    def run_node(self, node: Any) -> Any:
        """Run a node."""
        result = super().run_node(node)
        note(node, result)
        return result
