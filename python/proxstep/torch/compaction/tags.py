"""Sizes that modules hold as attributes, known again where a function of tensors gets them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

Key = tuple[Any, str]


class Tagged(int):
    """A number that knows its attribute, and whether Python computed or compared with it."""

    key: Key
    touched: set[Key]


def _touching(name: str) -> Any:
    plain = getattr(int, name)

    def method(self: Tagged, *args: Any) -> Any:
        self.touched.add(self.key)
        return plain(self, *args)

    return method


_ARITHMETIC = "add sub mul floordiv truediv mod divmod pow and or xor lshift rshift"
_OTHERS = "neg pos abs invert lt le gt ge eq ne hash bool float int index round"
_METHODS = _OTHERS.split() + [p + name for name in _ARITHMETIC.split() for p in ("", "r")]
for _name in _METHODS:
    setattr(Tagged, f"__{_name}__", _touching(f"__{_name}__"))


@contextmanager
def tagged(model: Any) -> Iterator[set[Key]]:
    """Tag the whole numbers of a model's modules; gives those with which Python computed."""
    touched: set[Key] = set()
    before = [(m, n, v) for m in model.modules() if not _of_torch(m) for n, v in _sizes(m)]
    try:
        for module, name, value in before:
            number = Tagged(value)
            number.key, number.touched = (module, name), touched
            vars(module)[name] = number
        yield touched
    finally:
        for module, name, value in before:
            vars(module)[name] = value


def _sizes(module: nn.Module) -> list[tuple[str, int]]:
    return [(name, value) for name, value in vars(module).items() if type(value) is int]


def _of_torch(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.")
