"""What `solve_many` returns: an array of each thing that `Result` says of one fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Array


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
