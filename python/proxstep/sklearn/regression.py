"""Least squares with one target, and a penalty of single coefficients."""

from __future__ import annotations

from dataclasses import dataclass

from .forms import ElasticForm, L1Form
from .regressor import FittedRegressor, Ignored


@dataclass(repr=False, eq=False)
class Lasso(L1Form, Ignored, FittedRegressor):
    """Least squares with an L1 penalty: scikit-learn's Lasso with a certificate.

    ``sum_i w_i (X_i x + b - y_i)^2 / (2 sum_i w_i) + alpha sum_j v_j |x_j|``

    Parameters
    ----------
    alpha : float
        Strength, not negative.
    weights : array_like or None, shape (p,)
        Factors v of the penalty: 0 leaves a coefficient unpenalised, infinity excludes it.
        Not in scikit-learn.
    positive : bool
        Whether coefficients must not be negative.
    fit_intercept : bool
        Whether an unpenalised b is fitted.
    standardize : bool
        Whether penalties act on coefficients of columns divided by their (weighted) standard
        deviations; X is neither changed nor copied, and ``coef_`` is for X as given. Not in
        scikit-learn.
    tol : float
        Largest duality gap, relative to the loss of the null model (x = 0, b fitted). It bounds
        the distance from the best objective, whatever path the solver took. scikit-learn stops
        once its gap is below ``tol * sum(y**2)``, which is twice this one for the same number.
    max_iter : int
        Most iterations of the solver; see `proxstep.solve`.
    max_time : float or None
        Most seconds. Not in scikit-learn.
    warm_start : bool
        Whether `fit` starts from the coefficients of the fit before, if there are as many.
    precompute, copy_X, random_state, selection
        Taken for scikit-learn's sake, without effect: X is never written to.

    Attributes
    ----------
    coef_ : ndarray, shape (p,)
        Coefficients x, of X's dtype; zeros are exact.
    sparse_coef_ : sparse matrix, shape (1, p)
        The same.
    intercept_ : float
        Intercept b.
    dual_gap_ : float
        Duality gap in units of the objective; NaN where the certificate is not one.
    converged_ : bool
        Whether the certificate reached ``tol``.
    n_iter_ : int
        Iterations, at least 1.
    result_ : proxstep.Result
        Everything the solver says: objective, certificate, reason, seconds, history.
    n_features_in_ : int
        Number of features p.
    feature_names_in_ : ndarray, shape (p,)
        Their names, if X has names that are strings.

    References
    ----------
    Tibshirani, *Regression shrinkage and selection via the lasso*, JRSS B 58 (1996).

    Examples
    --------
    >>> from proxstep.sklearn import Lasso
    >>> model = Lasso(alpha=0.1).fit([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]], [0, 1, 2])
    >>> model.converged_, model.predict([[1.0, 1.0]]).round(6).tolist()
    (True, [1.0])
    """

    alpha: float = 1.0


@dataclass(repr=False, eq=False)
class ElasticNet(ElasticForm, Ignored, FittedRegressor):
    """Least squares with L1 and squared L2 penalties: scikit-learn's ElasticNet, certified.

    ``sum_i w_i (X_i x + b - y_i)^2 / (2 sum_i w_i)
    + alpha sum_j v_j (l1_ratio |x_j| + (1 - l1_ratio) x_j^2 / 2)``

    Parameters
    ----------
    alpha : float
        Strength, not negative.
    l1_ratio : float
        Share of the L1 penalty, in [0, 1].
    weights : array_like or None, shape (p,)
        Factors v of the penalty, as in `Lasso`. Not in scikit-learn.
    positive : bool
        Whether coefficients must not be negative. With ``l1_ratio < 1`` the certificate is then
        the optimality violation, not the gap.
    fit_intercept, standardize, tol, max_iter, max_time, warm_start
        As in `Lasso`.
    precompute, copy_X, random_state, selection
        Without effect, as in `Lasso`.

    Attributes
    ----------
    coef_, sparse_coef_, intercept_, dual_gap_, converged_, n_iter_, result_
        As in `Lasso`, and so are ``n_features_in_`` and ``feature_names_in_``.

    References
    ----------
    Zou and Hastie, *Regularization and variable selection via the elastic net*, JRSS B 67 (2005).

    Examples
    --------
    >>> from proxstep.sklearn import ElasticNet
    >>> model = ElasticNet(alpha=0.1, l1_ratio=0.7).fit([[0.0, 0.0], [1.0, 1.0]], [0, 1])
    >>> model.coef_.round(2).tolist(), model.converged_
    ([0.34, 0.34], True)
    """

    alpha: float = 1.0
