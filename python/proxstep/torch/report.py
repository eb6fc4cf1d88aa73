"""How sparse the parameters of a model are: elements, rows, columns and blocks that are zero."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from ..checks import integer
from .inputs import check_filled


@dataclass(frozen=True)
class TensorSparsity:
    """The zeros of one parameter.

    Attributes
    ----------
    name : str
        Its first name in the model.
    shape : tuple of int
    elements, zeros : int
    rows, zero_rows : int or None
        Slices along the first axis: the outputs of linear layers and convolutions. None for what
        has one axis.
    columns, zero_columns : int or None
        Slices along the second axis: the inputs of linear layers, the input channels of
        convolutions. None for what has one axis.
    blocks, zero_blocks : int or None
        Blocks of consecutive elements, None if not asked for.
    """

    name: str
    shape: tuple[int, ...]
    elements: int
    zeros: int
    rows: int | None = None
    zero_rows: int | None = None
    columns: int | None = None
    zero_columns: int | None = None
    blocks: int | None = None
    zero_blocks: int | None = None

    @property
    def density(self) -> float:
        """The share of elements that are not zero; 1 for no elements."""
        return _density(self.elements, self.zeros)


@dataclass(frozen=True)
class SparsityReport:
    """The zeros of all parameters of a model; ``print`` shows them as a table.

    Attributes
    ----------
    tensors : tuple of TensorSparsity
        One for each parameter, tied ones once.
    """

    tensors: tuple[TensorSparsity, ...]

    @property
    def elements(self) -> int:
        """The number of elements of all parameters."""
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def zeros(self) -> int:
        """The number of those that are zero."""
        return sum(tensor.zeros for tensor in self.tensors)

    @property
    def density(self) -> float:
        """The share of all elements that are not zero; 1 for no elements."""
        return _density(self.elements, self.zeros)

    def to_dict(self) -> dict[str, Any]:
        """Give the same as plain numbers and names, for JSON."""
        total = {"elements": self.elements, "zeros": self.zeros, "density": self.density}
        tensors = [asdict(t) | {"shape": list(t.shape), "density": t.density} for t in self.tensors]
        return total | {"tensors": tensors}

    def __str__(self) -> str:
        head = ("parameter", "shape", "elements", "density", "zero rows", "columns", "blocks")
        lines = [head, *map(_line, self.tensors)]
        lines.append(("total", "", f"{self.elements:,}", f"{self.density:.4f}", "", "", ""))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join([*_cells(line[:2], widths, "<"), *_cells(line[2:], widths[2:], ">")]).rstrip()
            for line in lines
        )


def sparsity_report(model: Any, *, block: int | None = None) -> SparsityReport:
    """Count the zeros of a model's parameters: ``density = 1 - zeros / elements``.

    NaN is not zero. Buffers are not counted, and a tied parameter is, once, under its first name.

    Parameters
    ----------
    model : torch.nn.Module
        On any device, with parameters of any dense dtype. Those that are spread over processes are
        gathered, one after the other: then all processes have to ask.
    block : int, optional
        Count blocks of so many consecutive elements in C order as well, as
        ``Group(penalty, over=block)`` makes them. The last of a parameter may be shorter.

    Returns
    -------
    SparsityReport
        Numbers per parameter and in total, with `to_dict` for JSON.

    Raises
    ------
    TypeError
        For what is no module, and a block that is not an integer.
    ValueError
        For a block below 1, and for parameters without elements yet: on the meta device, or lazy.

    Examples
    --------
    >>> import torch
    >>> from proxstep.torch import sparsity_report
    >>> layer = torch.nn.Linear(4, 3)
    >>> with torch.no_grad():
    ...     layer.weight.copy_(torch.tensor([[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 0, 4]]))
    ...     layer.bias.fill_(0.5)
    Parameter containing: ...
    >>> report = sparsity_report(layer)
    >>> print(report)
    parameter  shape  elements  density  zero rows  columns  blocks
    weight     3 x 4        12   0.3333      1 / 3    1 / 4
    bias       3             3   1.0000
    total                   15   0.4667
    >>> report.tensors[0].zero_rows
    1
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is a {type(model).__name__}; a torch.nn.Module is needed")
    if block is not None and integer("block", block) < 1:
        raise ValueError(f"block is {block}; a block has at least 1 element")
    return SparsityReport(
        tuple(_count(name, _whole(name, p), block) for name, p in model.named_parameters())
    )


def _whole(name: str, parameter: Any) -> Any:
    """Return all elements of a parameter.

    Raises
    ------
    ValueError
        Where it has none yet.
    """
    check_filled(name, parameter)
    parameter = parameter.detach()
    return parameter.full_tensor() if hasattr(parameter, "full_tensor") else parameter


def _count(name: str, parameter: Any, block: int | None) -> TensorSparsity:
    nonzero = parameter != 0
    counts = [nonzero.count_nonzero()]
    if nonzero.ndim > 1:
        counts += [_used(nonzero, 0), _used(nonzero, 1)]
    if block is not None:
        counts.append(_used_blocks(nonzero.flatten(), block))
    used = torch.stack(counts).tolist()  # the one wait for a device
    found: dict[str, int] = {}
    if block is not None:
        found["blocks"] = -(-parameter.numel() // block)
        found["zero_blocks"] = found["blocks"] - used.pop()
    if nonzero.ndim > 1:
        found["rows"], found["columns"] = parameter.shape[:2]
        found |= {"zero_rows": found["rows"] - used[1], "zero_columns": found["columns"] - used[2]}
    elements = parameter.numel()
    return TensorSparsity(name, tuple(parameter.shape), elements, elements - used[0], **found)


def _used(nonzero: Any, axis: int) -> Any:
    """Count the slices along an axis that are not zero."""
    others = [k for k in range(nonzero.ndim) if k != axis]
    return nonzero.any(dim=others).count_nonzero()


def _used_blocks(nonzero: Any, block: int) -> Any:
    whole = nonzero.numel() // block * block
    return nonzero[:whole].view(-1, block).any(1).count_nonzero() + nonzero[whole:].any()


def _density(elements: int, zeros: int) -> float:
    return 1 - zeros / elements if elements else 1.0


def _line(tensor: TensorSparsity) -> tuple[str, ...]:
    pairs = (
        (tensor.zero_rows, tensor.rows),
        (tensor.zero_columns, tensor.columns),
        (tensor.zero_blocks, tensor.blocks),
    )
    shares = ("" if zero is None else f"{zero:,} / {count:,}" for zero, count in pairs)
    shape = " x ".join(map(str, tensor.shape)) or "scalar"
    return (tensor.name, shape, f"{tensor.elements:,}", f"{tensor.density:.4f}", *shares)


def _cells(texts: tuple[str, ...], widths: list[int], side: str) -> list[str]:
    return [f"{text:{side}{width}}" for text, width in zip(texts, widths, strict=False)]
