"""The graph of one run: for models whose Python looks at sizes and objects, which fx cannot trace.

Every function of a tensor is recorded as the example calls it, so that the branches are those which
sizes and arguments of the example take. Where a tensor's numbers decide, or a tensor comes from
where nothing was recorded, the module in which that happens is one step of the whole.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten

from .forms import note
from .recording import tensors
from .sizes import Sizes

# They tell nothing of a tensor's numbers or sizes.
_HARMLESS = {"dtype", "device", "layout", "requires_grad", "ndim", "dim", "ndimension", "__hash__"}
_HARMLESS |= {"is_cuda", "is_cpu", "is_mps", "is_meta", "is_sparse", "is_nested", "is_quantized"}
_HARMLESS |= {"is_leaf", "is_floating_point", "is_complex", "get_device", "element_size"}
_REVERSED = {"__rsub__": operator.sub, "__rdiv__": operator.truediv, "__rpow__": operator.pow}
_REVERSED |= {"__rtruediv__": operator.truediv, "__rmatmul__": operator.matmul}


class Watcher(TorchFunctionMode):  # type: ignore[misc]
    """Runs a model and makes a graph of it; ``is_leaf`` tells which modules are one node."""

    def __init__(self, model: Any, is_leaf: Callable[[Any], bool]) -> None:
        super().__init__()
        self.graph = fx.Graph()
        self._names = {module: name for name, module in model.named_modules()}
        self._leaf_modules = set(filter(is_leaf, self._names))
        self._nodes: dict[int, Any] = {}
        self._held: list[Any] = []  # for a tensor's id is its own only while it lives
        self._leaves = 0  # how many of the modules that run are leaves
        self._undecidable = [False]  # for each of the others
        for module in self._names:
            for name, tensor in vars(module).items():
                self._outside(tensor, name)
            for name, tensor in [*module._parameters.items(), *module._buffers.items()]:
                self._outside(tensor, f"{self._names[module]}.{name}".lstrip("."), "get_attr")

    def run(self, model: Any, args: Any, kwargs: Any) -> bool:
        """Watch a call of the model; tell whether the graph holds all that it did."""
        for leaf in tree_flatten((args, kwargs))[0]:
            self._outside(leaf, "input")
        with self._calls(), self:
            result = model.forward(*args, **kwargs)
        made = tensors(result)
        self.graph.output(tuple(map(self._node, made)))
        return bool(made) and not self._undecidable[0]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = tensors((args, kwargs))
        name = getattr(func, "__name__", str(func))
        name = func.__self__.__name__ if name == "__get__" else name
        if self._leaves or name in _HARMLESS:
            return func(*args, **kwargs)
        if given and name in ("shape", "size", "__len__", "numel"):
            return self._sizes(name, *args, **kwargs)
        known = self._argument((args, kwargs))
        result = func(*args, **kwargs)
        if given or self._is_known(result):
            self._record(_said(func, name, *known), result)
        else:
            self._outside(result, "constant")
        return result

    def call(self, module: Any, function: Any, args: Any, kwargs: Any) -> Any:
        """Watch a call of a part."""
        if self._leaves or module not in self._names:
            return function(module, *args, **kwargs)
        if module in self._leaf_modules:
            known = self._argument((args, kwargs))
            self._leaves += 1
            try:
                result = function(module, *args, **kwargs)
            finally:
                self._leaves -= 1
            self._record(("call_module", self._names[module], *known), result)
            return result
        known, before = self._argument((args, kwargs)), len(self.graph.nodes)
        self._undecidable.append(False)
        try:
            result = function(module, *args, **kwargs)
        finally:
            undecidable = self._undecidable.pop()
        if undecidable:
            self._forget(before)
            self._record(("call_module", self._names[module], *known), result)
        return result

    @contextmanager
    def _calls(self) -> Iterator[None]:
        original = nn.Module.__call__
        watcher = self

        def call(module: Any, *args: Any, **kwargs: Any) -> Any:
            return watcher.call(module, original, args, kwargs)

        nn.Module.__call__ = call
        try:
            yield
        finally:
            nn.Module.__call__ = original

    def _sizes(self, name: str, tensor: Any, dim: Any = None) -> Any:
        node = self._node(tensor)

        def report(axis: int) -> None:
            self.graph.call_method("size", (node, axis))

        sizes = Sizes.of(tensor.shape, range(tensor.dim()), report)
        if name == "numel":
            return sizes.numel()
        if name == "__len__":
            return sizes[0]
        return sizes if dim is None else sizes[dim]

    def _record(self, call: tuple[str, Any, Any, Any], result: Any) -> None:
        if not self._give(result, self.graph.create_node(*call)):
            self._undecidable[-1] = True

    def _give(self, result: Any, node: Any) -> bool:
        """Let a node stand for a result; tell whether there was a tensor in it."""
        note(node, result)
        if isinstance(result, torch.Tensor):
            self._nodes[id(result)] = node
            self._held.append(result)
            return True
        if not isinstance(result, (tuple, list)):
            return False
        given = [self._give(x, self._part(node, i)) for i, x in enumerate(result)]
        return any(given)

    def _part(self, node: Any, i: int) -> Any:
        return self.graph.call_function(operator.getitem, (node, i))

    def _outside(self, tensor: Any, name: str, op: str = "placeholder") -> None:
        if isinstance(tensor, torch.Tensor) and id(tensor) not in self._nodes:
            self._give(tensor, self.graph.create_node(op, name))

    def _is_known(self, result: Any) -> bool:
        return isinstance(result, torch.Tensor) and id(result) in self._nodes

    def _node(self, tensor: Any) -> Any:
        if id(tensor) not in self._nodes:
            self._undecidable[-1] = True
            self._outside(tensor, "unknown")
        return self._nodes[id(tensor)]

    def _argument(self, x: Any) -> Any:
        """Put nodes in the place of tensors, and plain numbers in that of sizes."""
        if isinstance(x, torch.Tensor):
            return self._node(x)
        if isinstance(x, Sizes):
            return x.plain()
        if isinstance(x, (tuple, list)):
            parts = map(self._argument, x)
            return list(parts) if isinstance(x, list) else tuple(parts)
        if isinstance(x, dict):
            return {key: self._argument(value) for key, value in x.items()}
        if isinstance(x, slice):
            return slice(*map(self._argument, (x.start, x.stop, x.step)))
        return x

    def _forget(self, before: int) -> None:
        """Drop the nodes from that number on."""
        dropped = list(self.graph.nodes)[before:]
        self._nodes = {i: node for i, node in self._nodes.items() if node not in set(dropped)}
        for node in reversed(dropped):
            self.graph.erase_node(node)


def _said(func: Any, name: str, args: Any, kwargs: Any) -> tuple[str, Any, Any, Any]:
    """Say a call as fx would: a method by its name, an operator as that of `operator`."""
    if getattr(func, "__name__", "") == "__get__":
        return "call_function", getattr, (*args, name), kwargs
    if name in _REVERSED:
        return "call_function", _REVERSED[name], args[::-1], kwargs
    if name.startswith("__") and hasattr(operator, name):
        return "call_function", getattr(operator, name), args, kwargs
    if getattr(torch.Tensor, name, None) is func:
        return "call_method", name, args, kwargs
    return "call_function", func, args, kwargs
