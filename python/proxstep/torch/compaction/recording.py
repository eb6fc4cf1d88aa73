"""One run of a model on the example: how often each module was called, and with what."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_flatten, tree_map

Call = tuple[tuple[Any, ...], dict[str, Any]]


class Recording:
    """Names and calls of the modules of a model, and the parameters that several modules share.

    Inputs are held of modules that have parts only, which are what is traced.
    """

    def __init__(self, model: Any) -> None:
        self.names = {module: name for name, module in model.named_modules()}
        self.calls: Counter[Any] = Counter()
        self.inputs: dict[Any, Call] = {}
        self.varying: set[Any] = set()  # called with several shapes
        self.weights_asked: set[Any] = set()  # attention whose weights are wanted
        self.reasons: dict[tuple[str, str], str] = {}  # why zeros of a layer stay, by name and axis
        self.refusals: dict[str, str] = {}  # why layers stay whole
        self.shared = _shared(model)
        paths = Counter(module for _, module in model.named_modules(remove_duplicate=False))
        self.aliased = {module for module, count in paths.items() if count > 1}

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Record every call."""
        heard = [
            m for m in self.names if not isinstance(m, torch.jit.ScriptModule)
        ]  # no hooks there
        hooks = [m.register_forward_pre_hook(self._record, with_kwargs=True) for m in heard]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _record(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.calls[module] += 1
        if isinstance(module, nn.MultiheadAttention) and _asks(*args, **kwargs):
            self.weights_asked.add(module)
        if any(module.children()):
            if module not in self.inputs:
                self.inputs[module] = tree_map(_as_it_is, (args, kwargs))
            elif _form(self.inputs[module]) != _form((args, kwargs)):
                self.varying.add(module)


@contextmanager
def unmoved(model: Any) -> Iterator[None]:
    """Let attributes and buffers be afterwards what they were: runs count, average, fill caches."""
    modules = _unscripted(model.modules())
    kept = [own for m in modules for own in (vars(m), *vars(m).values())]
    before = [(own, copy.copy(own)) for own in kept if type(own) in (dict, list, set)]
    copies = [(b, b.clone()) for m in modules for b in m._buffers.values() if b is not None]
    try:
        yield
    finally:
        for present, own in before:
            present.clear()
            present.extend(own) if isinstance(own, list) else present.update(own)
        for buffer, copied in copies:
            if not torch.equal(buffer, copied):
                buffer.copy_(copied)


def _unscripted(modules: Iterable[Any]) -> list[Any]:
    return [module for module in modules if not isinstance(module, torch.jit.ScriptModule)]


def tensors(result: Any) -> list[Any]:
    """Give the tensors in what a forward returned, those of dataclasses too."""
    found = []
    for leaf in tree_flatten(result)[0]:
        if isinstance(leaf, torch.Tensor):
            found.append(leaf)
        elif is_dataclass(leaf):
            found += tensors(list(vars(leaf).values()))
    return found


def _asks(
    query: Any, key: Any, value: Any, mask: Any = None, need_weights: bool = True, **_: Any
) -> bool:
    """Tell whether a call of `nn.MultiheadAttention` wants the weights."""
    return need_weights


def _as_it_is(argument: Any) -> Any:
    """Copy objects that the call may change, such as caches of keys and values."""
    if isinstance(argument, (torch.Tensor, nn.Module)) or not hasattr(argument, "__dict__"):
        return argument
    try:
        return copy.deepcopy(argument)
    except Exception:  # whatever an object of a user raises
        return argument


def _form(call: Call) -> list[Any]:
    """Give the shapes of a call's tensors, and its numbers."""
    leaves, structure = tree_flatten(call)
    return [structure, *map(_leaf_form, leaves)]


def _leaf_form(leaf: Any) -> Any:
    if isinstance(leaf, torch.Tensor):
        return leaf.shape, leaf.dtype
    return leaf if leaf is None or isinstance(leaf, (int, float, str)) else type(leaf)


def _shared(model: Any) -> set[int]:
    """Find the parameters that more than one module has."""
    owners = Counter(
        id(parameter)
        for module in model.modules()
        for parameter in module.parameters(recurse=False)
    )
    return {parameter for parameter, count in owners.items() if count > 1}
