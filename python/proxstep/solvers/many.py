"""`solve_many`: many small least-squares problems with one penalty, in one call of the core."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np

from .. import _core
from ..arrays import Array
from ..checks import count
from ..namespace import namespace
from ..penalties import L1, Box, ElasticNet, NonNegativeL1, SquaredL2
from ..problems import LeastSquares, inputs
from .arguments import LEAST, checked_limits
from .many_fits import ManyFits
from .many_result import ManyResult
from .monitor import Limits
from .report import CHANGES
from .result import ConvergenceWarning

_SERVED = (L1, ElasticNet, NonNegativeL1, SquaredL2, Box)


def solve_many(
    X: Array,
    Y: Any,
    penalty: Any,
    tol: float = 1e-6,
    *,
    fit_intercept: bool = True,
    sample_weight: Any = None,
    max_iter: int = 10_000,
    max_time: float | None = None,
) -> ManyResult:
    """Minimise many small least-squares problems with the same penalty, in one native call.

    Fit k is ``ps.solve(ps.LeastSquares(X_k, y_k, sample_weight, fit_intercept), penalty)``, by
    coordinate descent on its Gram matrix, whose p^2 numbers must fit into the cache for speed.
    The fits share the threads; none depends on the others or on how many threads there are.
    X is read by pieces and never copied to float64 as a whole. A fit that is not done after 1000
    passes goes on alone as in `ps.solve`, which takes Newton's steps on supports.

    Parameters
    ----------
    X : NumPy array of float32 or float64, shape (n, p) or (B, n, p)
        Features that all fits share, as in dictionary learning, or each fit's own.
    Y : array_like, shape (n, B) or (B, n)
        Targets: as columns where X is shared, as rows where it is not.
    penalty : L1, ElasticNet, NonNegativeL1, SquaredL2 or Box
        The penalty; weights have shape (p,).
    tol : float
        Largest certificate at convergence: the duality gap over the loss of the fit's null model.
        Where parameters have no penalty, or one that the rounding of a fit's gradients hides, or a
        Box an infinite bound, it is the prox residual over the gradient of the null model. A fit
        that goes on alone has the certificate of `ps.solve`.
    fit_intercept : bool
        Whether each fit has an unpenalised intercept.
    sample_weight : array_like or None, shape (n,)
        Non-negative weights, of all fits.
    max_iter : int
        Most passes over the parameters of a fit; 0 only evaluates the start.
    max_time : float or None
        Most seconds, of all fits. The clock is looked at between batches of up to 256 fits a
        thread (fewer where n and p are large) of at most 1000 passes each, which are ended.

    Returns
    -------
    ManyResult
        Solutions, objectives, certificates and reasons, one a fit. Ctrl-C returns what is solved
        by then, with the reason "interrupted" for the rest.

    Raises
    ------
    TypeError
        If X is no NumPy array of these dtypes, Y not real, or the penalty another one.
    ValueError
        If shapes do not fit, a number is not finite, squares overflow or vanish, or a setting is
        out of range.

    Warns
    -----
    ConvergenceWarning
        Once, if a certificate did not reach ``tol`` and nobody interrupted.

    References
    ----------
    .. [1] Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models
       via coordinate descent", J. Statistical Software 2010 (covariance updates).

    Examples
    --------
    >>> import numpy as np
    >>> import proxstep as ps
    >>> X = np.array([[1.0, 0.1], [2.0, -0.1], [3.0, 0.1], [4.0, -0.1]])
    >>> Y = np.array([[3.0, 5.0, 7.0, 9.0], [1.0, 0.0, -1.0, -2.0]]).T
    >>> many = ps.solve_many(X, Y, ps.L1(0.1))
    >>> many.x.round(4).tolist(), many.intercept.round(4).tolist()
    ([[1.92, 0.0], [-0.92, 0.0]], [1.2, 1.8])
    """
    started = time.perf_counter()
    limits = checked_limits(tol, count("max_iter", max_iter), max_time)
    if not isinstance(penalty, _SERVED):
        names = ", ".join(kind.__name__ for kind in _SERVED)
        raise TypeError(f"penalty is {penalty!r}; many fits take {names}")
    X = _matrices(X)
    Y = _targets(X, Y)
    shares = inputs.sample_shares(namespace(X), sample_weight, X.shape[-2])
    start = np.tile(_start(penalty, X.shape[-1]), (len(Y), 1))
    squares = _core.ManySquares(X, Y, shares, bool(fit_intercept))

    def problem_of(k: int) -> LeastSquares:
        return LeastSquares(X if X.ndim == 2 else X[k], Y[k], shares, fit_intercept)

    fits = ManyFits(squares, penalty, start, problem_of)
    fits.run(limits, started + (np.inf if max_time is None else max_time))
    if not fits.finite:
        _refuse_numbers(X)
    still = fits.begun & (fits.pull < LEAST)
    if still.any():
        _refuse_vanishing("X", X[None] if X.ndim == 2 else X[still])
        _refuse_vanishing("Y", Y[still])
    result = _result(fits, limits, X.dtype, started)
    if not result.converged.all() and fits.stopped != "interrupted":
        warnings.warn(_advice(result), ConvergenceWarning, stacklevel=2)
    return result


def _matrices(X: Any) -> Array:
    """Return X, copied only where it has gaps, or where the fits do not lie one by one."""
    inputs.check_numpy_floats(X)
    if X.ndim not in (2, 3) or X.shape[-2] == 0:
        raise ValueError(f"X must have shape (n, p) or (B, n, p) with n > 0, got {X.shape}")
    if X.ndim == 2:
        return namespace(X).dense(X)
    by_columns = X.transpose(0, 2, 1).flags.c_contiguous
    return X if by_columns and X.flags.aligned else np.ascontiguousarray(X)


def _targets(X: Array, Y: Any) -> Array:
    """Return the targets of a fit as a row, in float64; they are checked, X is by its squares."""
    shape = np.shape(Y)
    if len(shape) != 2:
        raise ValueError(f"Y has shape {shape}; (n, B) beside a shared X, else (B, n) is needed")
    expected = (len(X), shape[1]) if X.ndim == 2 else X.shape[:2]
    given = inputs.numbers(namespace(X), "Y", Y, expected, np.float64)
    return np.ascontiguousarray(given.T if X.ndim == 2 else given)


def _start(penalty: Any, p: int) -> Array:
    """Return zeros, or the nearest point to them in the penalty's domain."""
    zeros = np.zeros(p)
    penalty.value(zeros)  # weights that do not fit are refused in the core's words
    return penalty.prox(zeros, float(np.finfo(np.float32).tiny))


def _refuse_numbers(X: Array) -> None:
    inputs.check_finite(namespace(X), "X", X)
    raise ValueError("the squares of X or Y overflow; bring them to smaller scales")


def _refuse_vanishing(name: str, fits: Array) -> None:
    """Refuse numbers whose squares are 0, or nearly: all would look like zeros."""
    largest = np.abs(fits).reshape(len(fits), -1).max(axis=1, initial=0.0)
    found = largest[(largest > 0) & (largest < LEAST)]
    if found.size:
        raise ValueError(
            f"the squares of {name} vanish: a fit's largest number is {found[0]:g}; bring {name} "
            f"to larger scales"
        )


def _result(fits: ManyFits, limits: Limits, dtype: Any, started: float) -> ManyResult:
    reasons = fits.reasons(limits)
    return ManyResult(
        x=fits.x.astype(dtype, copy=False),
        intercept=fits.intercept,
        objective=fits.objective,
        gap=fits.gaps,
        converged=reasons == "converged",
        reason=reasons,
        n_iter=fits.epochs.astype(np.int64),
        seconds=time.perf_counter() - started,
        tol=limits.tol,
        certificate=fits.certificates,
    )


def _advice(result: ManyResult) -> str:
    left, worst = int((~result.converged).sum()), int(np.argmax(result.gap))
    return (
        f"ps.solve_many: {left} of {len(result.gap)} fits did not converge; the worst relative "
        f"{result.certificate[worst]} is {result.gap[worst]:.2g}, above tol={result.tol:g}: "
        f"{CHANGES[result.reason[worst]]}"
    )
