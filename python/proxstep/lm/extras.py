"""Packages of the extra ``proxstep[lm]``, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

INSTALL = "pip install 'proxstep[lm]'"


class MissingExtraError(ImportError):
    """A command needs a package that is not installed."""


def require(module: str, purpose: str) -> Any:
    """Import and return a module of the extra.

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
        raise MissingExtraError(f"{purpose} needs {package}: {INSTALL}") from error


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
