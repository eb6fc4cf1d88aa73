"""Least squares: half the weighted mean squared error."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Any

import numpy as np

from ..arrays import Array
from .by_gram import GramEvaluation, KeptGram
from .evaluator import Options
from .pointwise import Evaluation
from .regression import Regression
from .weights import column


class LeastSquares(Regression):
    """Half the weighted mean squared error, ``sum_i w_i (X_i x + b - y_i)^2 / (2 sum_i w_i)``.

    With ``L1(lam)`` this is scikit-learn's Lasso with ``alpha = lam``. Several outputs, y of shape
    (n, k), have the squared norm of a sample's errors: with ``Group(L1(lam), "rows")`` this is
    MultiTaskLasso.

    Parameters
    ----------
    X : array or sparse matrix of float32 or float64, shape (n, p)
        Features, of NumPy, CuPy or torch, or CSR or CSC of SciPy or CuPy. Used as it is and where
        it is, in C or F order; only a strided view is copied.
    y : array_like, shape (n,) or (n, k)
        Real targets.
    sample_weight : array_like or None, shape (n,)
        Non-negative weights w. Like y, an array must lie where X lies.
    fit_intercept : bool
        Whether an unpenalised b, of shape () or (k,), is fitted.
    offset : array_like or None, shape of y
        Known part of the prediction: the error is ``X x + b + offset - y``.
    standardize : bool
        Whether solvers divide each column by its (weighted) standard deviation, with no copy of X;
        see below.

    Raises
    ------
    TypeError
        If X is not such a float array, or y is not real.
    ValueError
        If y, weights or offset lie elsewhere than X, a shape is wrong, a value is not finite, or
        weights are negative or all zero.

    Notes
    -----
    With ``standardize=True`` a penalty h acts on ``s_j x_j``, ``h(s x)`` in all, with s_j the root
    of the weighted mean square of column j around its mean (around 0 without ``fit_intercept``), as
    glmnet's ``standardize=TRUE``. x0, the result's x and predictions stay in the units of X, and so
    do `value` and `gradient`; objective, certificate and `lambda_max` are those of the divided
    columns. X is neither changed nor copied, and a sparse one stays sparse. A column that is
    constant beside an intercept, or 0, takes no part: its coefficient is 0, or what the penalty
    wants.

    Examples
    --------
    >>> import numpy as np
    >>> import proxstep as ps
    >>> line = ps.LeastSquares(np.array([[1.0], [2.0], [3.0]]), [2, 4, 6])
    >>> round(line.value([0.0], intercept=0.0), 6)  # (4 + 16 + 36) / 6
    9.333333
    >>> ps.solve(line, None, tol=1e-12).x.round(6).tolist()
    [2.0]
    """

    many_outputs = True
    rows_loss = "square"
    gram: KeptGram | None = None

    def __init__(
        self,
        X: Array,
        y: Any,
        sample_weight: Any = None,
        fit_intercept: bool = True,
        *,
        offset: Any = None,
        standardize: bool = False,
    ) -> None:
        super().__init__(X, y, Options(sample_weight, fit_intercept, offset, standardize))

    @property
    def loss_spec(self) -> tuple[str, list[float]]:
        """Name in the core's list of losses of one margin, and its settings."""
        return "square", []

    def _with_gram(self) -> LeastSquares:
        """Return the same problem, solved by its Gram matrix, which is computed here."""
        other = copy.copy(self)
        double = other if self.double is self else copy.copy(self.double)
        vars(other)["double"] = vars(double)["double"] = double
        vars(double).pop("descent", None)
        double.gram = KeptGram(double)
        double.descent.keep_gram(double.gram.matrix)
        return other

    def conjugate_at(self, at: Evaluation, factor: float) -> float:
        """Return the conjugate at a multiple of an evaluation's residual."""
        if isinstance(at, GramEvaluation):
            return at.conjugate(factor)
        return super().conjugate_at(at, factor)

    @cached_property
    def _null_offset(self) -> Any:
        return np.asarray(self.xp.to_host(self.weights.mean(self.targets)), np.float64)

    def _fit_offset(self, linear: Array, start: Any) -> tuple[Any, float, Array]:
        xp, error = self.xp, linear - self._centred
        shift = self.weights.mean(error)
        residual, loss = self._half_square(error - xp.asarray(shift, error.dtype))
        both = xp.to_host(xp.concat([shift.reshape(-1), loss.reshape(-1)]))
        return self._null_offset - both[:-1].reshape(self._outputs), float(both[-1]), residual

    def _pointwise(self, margins: Array, rows: Array | None = None) -> tuple[float, Array]:
        targets = self.targets if rows is None else self.targets[rows]
        residual, loss = self._half_square(margins - targets, rows)
        return self.xp.read(loss)[0], residual

    def _half_square(self, error: Array, rows: Array | None = None) -> tuple[Array, Array]:
        """Return residual and loss, the loss not yet read."""
        weights, factor = self.weights.kernel(rows)
        residual = error * factor
        if weights is not None:
            residual *= column(weights, residual)
        return residual, 0.5 * self.xp.sum(error * residual, dtype=self.xp.float64)

    def hessian_product(self, residual: Array, direction: Array) -> Array:
        """Return ``W direction``."""
        return self.weights.times(direction)
