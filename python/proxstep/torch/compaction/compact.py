"""A smaller dense model with the same outputs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_flatten

from ...checks import non_negative_or_inf
from ..inputs import check_filled
from .heads import shrink_attentions, without_weights
from .layers import Change
from .recording import Call, Recording
from .removal import shrink
from .stays import staying
from .summary import CompactionSummary
from .tracing import pieces
from .verification import CompactionError, check_comparable, compare, evaluation, outputs


def compact(
    model: Any, example_input: Any, *, tolerance: float | None = None
) -> tuple[Any, CompactionSummary]:
    r"""Return a smaller dense copy of a model with the same outputs, and what was removed.

    A neuron whose row of weights is zero is constant, :math:`b_j`, and so is what activations and
    batch norms make of it, :math:`c_j = f(b_j)`. It leaves, and the next layer's bias takes over:

    .. math:: W x + b = \sum_{j\ \mathrm{stays}} W_j x_j
              + \Bigl(b + \sum_{j\ \mathrm{leaves}} W_j c_j\Bigr).

    A neuron that nothing uses leaves as well: the columns that it meets are zero. Row-group
    penalties (``Group(L1(lam), over="rows")``) make the former, ``over="columns"`` the latter. Only
    exact zeros count, and what they entail further up and down the model.

    Parameters
    ----------
    model : torch.nn.Module
        It stays as it is. All its parameters must be finite. Of what `torch.compile` returned, the
        module within is taken, of parts too: compile the smaller model again.
    example_input : tensor, tuple or mapping
        The model's argument, its positional arguments, or its keyword arguments. Shapes are read
        from a run on them, and the outputs on them are compared.
    tolerance : float, optional
        Largest difference of outputs allowed, relative to the largest output. By default 1e-9 for
        float64, 1e-4 for float32, 1e-2 for float16 and 5e-2 for bfloat16.

    Returns
    -------
    model : torch.nn.Module
        A copy of the same classes, names and training flags, with smaller parameters; only
        attention that lost heads is a `CompactAttention`. It has new parameters: make a new
        optimizer for it.
    summary : CompactionSummary
        Sizes before and after, and what is zero and stayed, with the reason; ``print(summary)``
        shows a table.

    Raises
    ------
    TypeError
        For what is no module, and a tolerance that is no number.
    ValueError
        For a negative tolerance, for a parameter with NaN or infinity, or without elements yet,
        and for an example whose outputs are empty or NaN throughout.
    CompactionError
        If the outputs differ by more than the tolerance, or the smaller model fails.

    Notes
    -----
    The model is traced by torch.fx. Where that fails, because a forward looks at sizes or objects,
    as those of transformers do, the run on the example is watched: the smaller model is one for
    inputs that take the same branches. A module that branches on the numbers of a tensor is left
    alone, and its parts are traced one by one. Understood are

    * `Linear`, `Conv1d` to `Conv3d`, with one group or one per channel, and `BatchNorm1d` to
      `BatchNorm3d` with running statistics, and GPT-2's `Conv1D`;
    * elementwise activations, arithmetic and dropout, as modules, functions, methods or operators;
      a product is 0 where a factor is, so that a closed gate takes what it gates along;
    * maximum and average pooling, `mean` over space, `flatten`, views, transpositions, slices,
      `split`, `chunk` and `unbind`;
    * residual sums: a channel leaves only if all branches let it go; concatenation of channels;
    * attention written by hand with `scaled_dot_product_attention` or softmax, projections apart or
      in one, rotary positions, and keys that heads share (``enable_gqa``): a head whose values are
      constant or unused leaves, with all that share its keys, if the sizes in the code follow.
      They do where they are -1, an attribute of the module that is used for nothing else (it is
      set anew), or a number of parts;
    * the feed-forward halves of `TransformerEncoderLayer` and `TransformerDecoderLayer`, and heads
      of `MultiheadAttention` whose values or whose part of the output projection are zero, where
      the attention weights are not used.

    All else is left alone, and so are the channels that enter it or come out of it: `LayerNorm`,
    softmax over channels, complex numbers, scripted modules, indexing by tensors, fixed sizes and
    sizes that are computed (nanoGPT's ``C // self.n_head``; give the width of a head as an
    attribute and -1 for the heads), keys repeated by hand, embeddings, transposed and grouped
    convolutions, recurrent layers, subclasses, layers with hooks or parametrizations
    (`prune.remove` makes a mask of `torch.nn.utils.prune` permanent), layers called twice, tied
    weights. The summary names the zeros that stay for it. A constant that is not 0 stays where it
    enters a convolution padded with zeros. A layer keeps at least one output. Rows of attention are
    taken to sum to 1: a query whose keys are all masked has other outputs where a head with
    constant values left. A configuration beside the model, such as that of transformers, stays as
    it is: save the smaller model whole (`torch.save`).

    The outputs agree in eval mode and for finite activations. In training a batch norm has other
    statistics and dropout also hits constants, so that the two models then train differently.

    Examples
    --------
    >>> import torch
    >>> from proxstep.torch import compact
    >>> model = torch.nn.Sequential(
    ...     torch.nn.Linear(4, 3), torch.nn.Sigmoid(), torch.nn.Linear(3, 2, bias=False)
    ... )
    >>> with torch.no_grad():
    ...     model[0].weight[1] = 0
    >>> smaller, summary = compact(model, torch.ones(1, 4))
    >>> print(summary)
    0           outputs              3 ->            2
    2           inputs               3 ->            2
    parameters                      21 ->           16
    >>> smaller[2]
    Linear(in_features=2, out_features=2, bias=True)
    """
    _check(model, tolerance)
    call = _call(example_input)
    smaller = _copied(model)
    with evaluation(smaller):
        recording = Recording(smaller)
        with recording.listening():
            before = outputs(smaller, call)
        check_comparable(before)
        changes = _shrink(smaller, recording)
        compare(before, _outputs_after(smaller, call), tolerance)
        stays = tuple(staying(smaller, recording))
    return smaller, CompactionSummary(tuple(changes), stays, _size(model), _size(smaller))


def _copied(model: Any) -> Any:
    """Copy a model, without what `torch.compile` wraps around it or its parts.

    Attributes that a run has left with a history, as masks of `prune` do, lose it.
    """
    kept = tree_flatten([list(vars(part).values()) for part in model.modules()])[0]
    memo = {id(x): x.detach().clone() for x in kept if _has_history(x)}
    copied = copy.deepcopy(getattr(model, "_orig_mod", model), memo)
    for module in list(copied.modules()):
        for name, part in list(module._modules.items()):
            if hasattr(part, "_orig_mod"):
                module._modules[name] = part._orig_mod
    return copied


def _has_history(kept: Any) -> bool:
    return isinstance(kept, torch.Tensor) and not kept.is_leaf  # which torch does not copy


def _outputs_after(smaller: Any, call: Call) -> list[Any]:
    try:
        return outputs(smaller, call)
    except Exception as error:  # code that reads what nobody could watch, such as `out_features`
        kind = type(error).__name__
        raise CompactionError(f"the smaller model fails on the example: {kind}: {error}") from error


def _call(example: Any) -> Call:
    if isinstance(example, Mapping):
        return (), dict(example)
    return (example if isinstance(example, tuple) else (example,)), {}


def _shrink(model: Any, recording: Recording) -> list[Change]:
    changes: list[Change] = []
    for piece in pieces(model, recording):
        changes += shrink(piece, recording)
        recording.weights_asked -= without_weights(piece, recording)
    return [*changes, *shrink_attentions(model, recording)]


def _check(model: Any, tolerance: float | None) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is a {type(model).__name__}; a torch.nn.Module is needed")
    if tolerance is not None:
        non_negative_or_inf("tolerance", tolerance)
    for name, parameter in model.named_parameters():
        check_filled(name, parameter)
        if not bool(torch.isfinite(parameter.detach()).all()):
            raise ValueError(f"{name} holds NaN or infinity; a diverged model has no dead neurons")


def _size(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
