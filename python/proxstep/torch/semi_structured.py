"""Linear layers with 2:4 sparsity, handed over to the sparse tensor cores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

_DTYPES = (torch.float16, torch.bfloat16)
_OLDEST = (8, 0)  # compute capability


def to_semi_structured(model: Any, layers: Iterable[str] | None = None) -> tuple[str, ...]:
    r"""Store linear weights that have 2:4 sparsity as `torch.sparse.to_sparse_semi_structured`.

    A weight W of shape (outputs, inputs) has 2:4 sparsity if at most two of the four elements
    :math:`W_{i,4j}, \dots, W_{i,4j+3}` are not zero, for all i and j. That is what training with
    ``proxstep.NM(2, 4)`` leaves. The model is changed in place, and nothing is rounded or dropped:
    a weight is converted exactly or not at all, and if one cannot be, none is.

    A GPU of compute capability 8.0 or later is needed; without one only the checks are of use, and
    only they are tested there.

    Parameters
    ----------
    model : torch.nn.Module
        On a CUDA device, in float16 or bfloat16.
    layers : iterable of str, optional
        Names of the `torch.nn.Linear` layers to convert. By default all whose weight has the
        pattern, but those which share it with another layer.

    Returns
    -------
    tuple of str
        The names of the layers converted.

    Raises
    ------
    TypeError
        For what is no module, layers that are no list of names, a name of what is no
        `torch.nn.Linear`, and a dtype other than float16 and bfloat16.
    ValueError
        For an unknown name; a named weight without the pattern, with the first block that has more
        than two nonzeros; a shared weight; a weight that is not in CUDA memory or on a device too
        old; a shape that PyTorch's kernels do not take; and if there is nothing to convert.

    References
    ----------
    Mishra et al., *Accelerating sparse deep neural networks*, arXiv:2104.08378 (2021).

    Examples
    --------
    >>> import torch
    >>> from proxstep.torch import to_semi_structured
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 2, bias=False)).half()
    >>> with torch.no_grad():
    ...     model[0].weight.copy_(torch.tensor([1, 0, 2, 0, 0, 3, 0, 4]))
    Parameter containing: ...
    >>> to_semi_structured(model)
    Traceback (most recent call last):
    ValueError: layer 0: the weight is in cpu memory; 2:4 sparsity needs a CUDA device
    >>> with torch.no_grad():
    ...     model[0].weight[1, 4] = 5
    >>> to_semi_structured(model, ["0"])
    Traceback (most recent call last):
    ValueError: layer 0: weight[1, 4:8] is [5.0, 3.0, 0.0, 4.0], 3 nonzeros; 2:4 allows 2
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is a {type(model).__name__}; a torch.nn.Module is needed")
    chosen = _candidates(model) if layers is None else _named(model, layers)
    if not chosen:
        without = "no torch.nn.Linear of the model has a weight with 2:4 sparsity"
        raise ValueError(without if layers is None else "layers names none; None stands for all")
    for name, layer in chosen.items():
        _check_place(name, layer.weight)
    converted = {name: _converted(name, layer.weight) for name, layer in chosen.items()}
    for name, weight in converted.items():
        chosen[name].weight = weight
    return tuple(converted)


def _candidates(model: Any) -> dict[str, Any]:
    """Find the linear layers with the pattern in a weight of their own."""
    return {
        name: layer
        for name, layer in model.named_modules()
        if type(layer) is nn.Linear
        and type(layer.weight) is nn.Parameter  # not converted already
        and not _is_shared(model, layer.weight)
        and _violation(layer.weight) is None
    }


def _named(model: Any, layers: Iterable[str]) -> dict[str, Any]:
    """Find the layers of these names, which must have the pattern."""
    if isinstance(layers, str) or not isinstance(layers, Iterable):
        raise TypeError(f"layers is {layers!r}; a list of names is needed")
    modules = dict(model.named_modules())
    chosen = {}
    for name in layers:
        if name not in modules:
            raise ValueError(f"the model has no layer {name!r}")
        layer = modules[name]
        if type(layer) is not nn.Linear:
            raise TypeError(f"layer {name} is a {type(layer).__name__}; a Linear is needed")
        if type(layer.weight) is not nn.Parameter:
            raise TypeError(f"layer {name}: the weight is a {type(layer.weight).__name__} already")
        if _is_shared(model, layer.weight):
            raise ValueError(f"layer {name}: the weight is shared with another layer")
        violation = _violation(layer.weight)
        if violation is not None:
            raise ValueError(f"layer {name}: {violation}")
        chosen[name] = layer
    return chosen


def _is_shared(model: Any, weight: Any) -> bool:
    owners = (p is weight for m in model.modules() for p in m.parameters(recurse=False))
    return sum(owners) > 1


def _violation(weight: Any) -> str | None:
    """Say what is against the pattern, None if nothing; NaN is not zero."""
    if weight.shape[1] % 4:
        return f"the weight has {weight.shape[1]} inputs; 2:4 sparsity needs a multiple of 4"
    blocks = weight.detach().unflatten(1, (-1, 4))
    crowded = ((blocks != 0).sum(-1) > 2).flatten()
    if not bool(crowded.any()):
        return None
    row, column = divmod(int(crowded.byte().argmax()), blocks.shape[1])
    values = blocks[row, column].tolist()
    found = f"weight[{row}, {4 * column}:{4 * column + 4}] is {values}"
    return f"{found}, {sum(v != 0 for v in values)} nonzeros; 2:4 allows 2"


def _check_place(name: str, weight: Any) -> None:
    if weight.dtype not in _DTYPES:
        known = " or ".join(str(dtype) for dtype in _DTYPES)
        raise TypeError(f"layer {name}: the weight is {weight.dtype}; {known} is needed")
    if weight.device.type != "cuda":
        place = f"the weight is in {weight.device.type} memory"
        raise ValueError(f"layer {name}: {place}; 2:4 sparsity needs a CUDA device")
    capability = torch.cuda.get_device_capability(weight.device)
    if capability < _OLDEST:
        found = ".".join(map(str, capability))
        raise ValueError(f"layer {name}: the device has compute capability {found}; 8.0 is needed")


def _converted(name: str, weight: Any) -> Any:
    try:
        sparse = torch.sparse.to_sparse_semi_structured(weight.detach().contiguous())
    except RuntimeError as error:  # sizes that the kernels do not take
        shape = tuple(weight.shape)
        raise ValueError(f"layer {name}: a weight of shape {shape} is refused: {error}") from error
    return nn.Parameter(sparse, requires_grad=weight.requires_grad)
