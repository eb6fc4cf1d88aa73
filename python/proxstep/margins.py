"""Margins of samples, from what a fit leaves behind: coefficients and an intercept."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from .arrays import Array
from .namespace import Namespace
from .problems import inputs


class Fitted(Protocol):
    """What has coefficients, shape (p,) or (p, classes), and an intercept beside them."""

    @property
    def x(self) -> Array:
        """Coefficients."""

    @property
    def intercept(self) -> Any:
        """A number, or one an output."""


class Margins:
    """The margins of new samples, for results of fits."""

    def margins(self: Fitted, X: Array, offset: Any = None) -> Array:
        """Return ``X @ x + intercept + offset``: what the model says of samples.

        They are predictions of LeastSquares and Huber, log-odds of class 1 of Logistic,
        logarithms of means of Poisson, and logits of the classes of Softmax.

        Parameters
        ----------
        X : matrix, shape (n, p)
            Features of float32 or float64, as the problems take them: an array of NumPy, CuPy or
            torch, or a sparse matrix (CSR or CSC). What the fit found on the host is brought to X.
        offset : array_like or None, shape (n,) or (n, classes)
            Known part of the margins, where X lies.

        Returns
        -------
        array, shape (n,) or (n, classes)
            Margins in the dtype of X, of its library and where it lies.

        Raises
        ------
        TypeError
            If X is no such matrix, or offset is not real.
        ValueError
            If shapes do not fit, offset is not finite, or arrays lie apart.

        Examples
        --------
        >>> import numpy as np
        >>> import proxstep as ps
        >>> X = np.array([[1.0], [2.0], [3.0]])
        >>> fit = ps.solve(ps.LeastSquares(X, [3, 5, 7]), None, tol=1e-12)
        >>> fit.margins(np.array([[4.0], [5.0]])).round(6).tolist()
        [9.0, 11.0]
        """
        return margins(X, self.x, self.intercept, offset)


def margins(X: Any, x: Any, intercept: Any, offset: Any = None) -> Array:
    """Return ``X @ x + intercept + offset`` in the dtype of X."""
    X = inputs.matrix(X)
    if X.shape[1] != x.shape[0]:
        raise ValueError(f"X has {X.shape[1]} columns, the fit {x.shape[0]} features")
    xp = inputs.namespace_of(X)
    found = X @ _beside(xp, "x", x, X.dtype) + _beside(xp, "intercept", intercept, X.dtype)
    if offset is not None:
        found += inputs.numbers(xp, "offset", offset, tuple(found.shape), X.dtype)
    return found


def _beside(xp: Namespace, name: str, values: Any, dtype: Any) -> Array:
    """Return numbers of a fit beside X: from the host to any place, else where they lie."""
    on_host = isinstance(values, np.ndarray) or np.ndim(values) == 0
    return xp.asarray(values if on_host else xp.bring(name, values), dtype)
