"""Data of unequal units, the problem with `standardize=True`, and the one of divided columns.

Deviations are taken in extended precision, and divide a dense copy of X.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest

sp = pytest.importorskip("scipy.sparse")

UNITS = np.array([1e-3, 40.0, 1.0, 0.2, 1e3, 7.0])
LAYOUTS = ("C", "F", "csr", "csc", "csr long")
kinds = pytest.mark.parametrize("kind", cases.KINDS)


def data(kind: str, weighted: bool = True, constant: bool = True) -> Any:
    """Columns of unequal units, a third of their entries 0, and one that is constant."""
    d = cases.data(kind, weighted)
    X = d.X * UNITS * (np.random.default_rng(1).random(d.X.shape) < 0.7)
    if constant:
        X[:, 3] = 1.7
    return replace(d, X=X)


def deviations(d: Any, fit_intercept: bool = True) -> Any:
    X = d.X.astype(np.longdouble)
    means = d.shares @ X if fit_intercept else 0.0
    found = np.sqrt(d.shares @ (X - means) ** 2).astype(np.float64)
    return np.where(found > 1e-12 * abs(d.X).max(axis=0), found, np.inf)


def by_row(s: Any, d: Any) -> Any:
    return s.reshape((-1,) + (1,) * (len(d.shape) - 1))


def stored(X: Any, layout: str) -> Any:
    if len(layout) == 1:
        return np.array(X, order=layout)
    kind, *long = layout.split()
    found = getattr(sp, f"{kind}_array")(X)
    if long:
        found.indices, found.indptr = (a.astype(np.int64) for a in (found.indices, found.indptr))
    return found


def both(
    d: Any, layout: str = "C", dtype: str = "float64", **settings: Any
) -> tuple[Any, Any, Any]:
    """The problem under test, that of divided columns, and what they were divided by."""
    s = deviations(d, settings.get("fit_intercept", True))
    make, given = getattr(ps, d.name), {**d.settings, **settings}
    ours = make(stored(d.X, layout).astype(dtype), d.y, d.w, standardize=True, **given)
    divided = make(d.X / s, d.y, d.w, **given)
    return ours, divided, by_row(np.where(np.isinf(s), 1.0, s), d)
