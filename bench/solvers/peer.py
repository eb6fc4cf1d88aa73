"""What a solver is to the benchmark: a name, a module, and a fit for each form that it solves.

A maker takes the task and returns the fit; conversions of X that the solver's users do once are
the maker's, and are not timed. A fit takes an accuracy, starts from nothing and returns w and b.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .task import Form, Task

Fit = Callable[[float], tuple[Any, Any]]
Maker = Callable[[Task], Fit]

TOLERANCES = tuple(float(f"1e-{k}") for k in range(1, 15))
PASSES = tuple(int(step * 10**k) for k in range(5) for step in (1, 2, 5))  # over the data


@dataclass(frozen=True)
class Peer:
    """`settings` are the accuracies to ask for, from rough to fine. A solver without threads of its
    own or of a BLAS is measured on one processor only, and stands for any number of them."""

    name: str
    module: str
    makers: dict[Form, Maker]
    settings: tuple[float, ...] = TOLERANCES
    threaded: bool = True


def in_columns(X: Any) -> Any:
    """Return X as coordinate descent reads it: Fortran order, or CSC."""
    return np.asfortranarray(X) if isinstance(X, np.ndarray) else X.tocsc()


def in_rows(X: Any) -> Any:
    return np.ascontiguousarray(X) if isinstance(X, np.ndarray) else X


def signs(y: Any) -> Any:
    return 2.0 * y - 1.0
