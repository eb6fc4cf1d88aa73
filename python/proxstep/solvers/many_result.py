"""What `solve_many` returns: an array of each thing that `Result` says of one fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array
from ..margins import margins
from ..namespace import namespace
from ..problems import inputs


@dataclass(frozen=True, eq=False)
class ManyResult:
    """Result of `proxstep.solve_many`: arrays with one entry, or row, a fit.

    Attributes
    ----------
    x : array, shape (B, p)
        Solutions, in the dtype of X; zeros are exact.
    intercept : array, shape (B,)
        Intercepts for the X that was given (0 without ``fit_intercept``).
    objective : array, shape (B,)
        Loss plus penalty.
    gap : array, shape (B,)
        Certificates, each relative to its own null model; see ``certificate``.
    converged : array of bool, shape (B,)
        Where ``gap <= tol``.
    reason : array of str, shape (B,)
        "converged", "max_iter", "max_time", "stalled" or "interrupted"; where time ran out or
        Ctrl-C was pressed, "max_iter" only for what had spent its passes before. Fits that were
        not begun have an infinite gap, and NaN as objective and intercept.
    n_iter : array of int, shape (B,)
        Passes over the parameters.
    seconds : float
        Wall-clock time of all.
    tol : float
        The tolerance asked for.
    certificate : array of str, shape (B,)
        "duality gap" or "optimality violation".
    """

    x: Array
    intercept: Array
    objective: Array
    gap: Array
    converged: Array
    reason: Array
    n_iter: Array
    seconds: float
    tol: float
    certificate: Array

    @property
    def nonzeros(self) -> Array:
        """How many parameters of each fit are not zero, shape (B,)."""
        return np.count_nonzero(self.x, axis=1)

    def margins(self, X: Array, offset: Any = None) -> Array:
        """Return ``X @ x + intercept + offset`` of each fit, in the shape of Y.

        Parameters
        ----------
        X : matrix, shape (n, p), or NumPy array, shape (B, n, p)
            Features of samples that all fits share (as in `Result.margins`), or each fit's own.
        offset : array_like or None, shape of Y
            Known part of the margins.

        Returns
        -------
        array, shape (n, B) or (B, n)
            Margins in the dtype of X: as columns where X is shared, as rows where it is not.

        Raises
        ------
        TypeError
            If X is no such matrix, or offset is not real.
        ValueError
            If shapes do not fit, or offset is not finite.

        Examples
        --------
        >>> import numpy as np
        >>> import proxstep as ps
        >>> X = np.array([[1.0], [2.0], [3.0]])
        >>> Y = np.array([[3.0, 5.0, 7.0], [1.0, 0.0, -1.0]]).T
        >>> ps.solve_many(X, Y, ps.L1(0.0), tol=1e-12).margins(X[:1]).round(6).tolist()
        [[3.0, 1.0]]
        """
        if np.ndim(X) != 3:
            return margins(X, self.x.T, self.intercept, offset)
        inputs.check_numpy_floats(X)
        fits, p = self.x.shape
        if (len(X), X.shape[2]) != (fits, p):
            raise ValueError(
                f"X has {len(X)} parts of {X.shape[2]} columns, the {fits} fits {p} features each"
            )
        found = (X @ self.x.astype(X.dtype)[:, :, None])[:, :, 0]
        found += self.intercept.astype(X.dtype)[:, None]
        if offset is not None:
            found += inputs.numbers(namespace(X), "offset", offset, found.shape, X.dtype)
        return found

    def __repr__(self) -> str:
        fits, p = self.x.shape
        found = ""
        if fits:
            worst = int(np.argmax(self.gap))
            found = f"worst {self.certificate[worst]} {self.gap[worst]:.2g}, "
        return (
            f"ManyResult({int(self.converged.sum())} of {fits} fits of {p} parameters converged "
            f"in {self.seconds:.3g} s: {found}tol {self.tol:g})"
        )
