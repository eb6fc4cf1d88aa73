"""Packages of the extras ``proxstep[lm]`` and others, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

COMMAND = "pip install 'proxstep[{}]'"
INSTALL = COMMAND.format("lm")


class MissingExtraError(ImportError):
    """A command needs a package that is not installed."""


def require(module: str, purpose: str, extra: str = "lm") -> Any:
    """Import and return a module of an extra.

    Raises
    ------
    MissingExtraError
        If it is not installed; the message says how to install it.

    Examples
    --------
    >>> require("no_such_module", "saving")
    Traceback (most recent call last):
    proxstep.lm.extras.MissingExtraError: saving needs no_such_module: pip install 'proxstep[lm]'
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        raise MissingExtraError(f"{purpose} needs {package}: {COMMAND.format(extra)}") from error


def available(module: str) -> bool:
    """Tell whether a package can be imported.

    Examples
    --------
    >>> available("json"), available("no_such_module")
    (True, False)
    """
    try:
        import_module(module)
    except ModuleNotFoundError:
        return False
    return True
