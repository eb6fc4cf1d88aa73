"""Least squares with penalties of groups of features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .forms import GroupForm, SparseGroupForm
from .regressor import FittedRegressor


@dataclass(repr=False, eq=False)
class GroupLasso(GroupForm, FittedRegressor):
    """Least squares with an L2 norm for each group of coefficients: whole groups become zero.

    ``sum_i w_i (X_i x + b - y_i)^2 / (2 sum_i w_i) + alpha sum_g v_g ||x_g||``

    Parameters
    ----------
    groups : int, sequence of int, or sequence of sequences of int
        The size of all groups, the size of each (consecutive columns), or the columns of each.
        Every column belongs to one group.
    alpha : float
        Strength, not negative.
    group_weights : array_like, "sqrt" or None
        Factors v, one for each group: 0 leaves a group unpenalised, infinity excludes it. "sqrt"
        stands for the square roots of the sizes, None for ones.
    fit_intercept, standardize, tol, max_iter, max_time, warm_start
        As in `Lasso`.

    Attributes
    ----------
    coef_, sparse_coef_, intercept_, dual_gap_, converged_, n_iter_, result_
        As in `Lasso`, and so are ``n_features_in_`` and ``feature_names_in_``; ``result_.x`` has
        the columns group by group.

    References
    ----------
    Yuan and Lin, *Model selection and estimation in regression with grouped variables*, JRSS B 68
    (2006).

    Examples
    --------
    >>> import numpy as np
    >>> from proxstep.sklearn import GroupLasso
    >>> X = np.random.default_rng(0).standard_normal((50, 4))
    >>> model = GroupLasso(groups=[[0, 2], [1, 3]], alpha=0.5).fit(X, X[:, 0] - X[:, 2])
    >>> (model.coef_ != 0).tolist()
    [True, False, True, False]
    """

    groups: Any = 1
    alpha: float = 1.0


@dataclass(repr=False, eq=False)
class SparseGroupLasso(SparseGroupForm, FittedRegressor):
    """Least squares with a penalty of groups and of single coefficients: zeros within groups.

    ``sum_i w_i (X_i x + b - y_i)^2 / (2 sum_i w_i)
    + alpha (l1_ratio sum_j u_j |x_j| + (1 - l1_ratio) sum_g v_g ||x_g||)``

    Parameters
    ----------
    groups : int, sequence of int, or sequence of sequences of int
        As in `GroupLasso`.
    alpha : float
        Strength, not negative.
    l1_ratio : float
        Share of the L1 penalty, in [0, 1].
    weights : array_like or None, shape (p,)
        Factors u of single coefficients.
    group_weights : array_like, "sqrt" or None
        Factors v of the groups, as in `GroupLasso`.
    fit_intercept, standardize, tol, max_iter, max_time, warm_start
        As in `Lasso`.

    Attributes
    ----------
    coef_, sparse_coef_, intercept_, dual_gap_, converged_, n_iter_, result_
        As in `GroupLasso`, and so are ``n_features_in_`` and ``feature_names_in_``.

    References
    ----------
    Simon, Friedman, Hastie, Tibshirani, *A sparse-group lasso*, J. Comput. Graph. Stat. 22 (2013).

    Examples
    --------
    >>> import numpy as np
    >>> from proxstep.sklearn import SparseGroupLasso
    >>> X = np.random.default_rng(0).standard_normal((50, 4))
    >>> model = SparseGroupLasso(groups=2, alpha=0.3).fit(X, X[:, 0])
    >>> (model.coef_ != 0).tolist()
    [True, False, False, False]
    """

    groups: Any = 1
    alpha: float = 1.0
