"""Regressors that choose their strength by cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .forms import ElasticForm, GroupForm, L1Form, SparseGroupForm
from .multitask import MultiTaskRegressor
from .regressor import Ignored
from .regressor_cv import RegressorCV


@dataclass(kw_only=True, repr=False, eq=False)
class LassoCV(L1Form, Ignored, RegressorCV):
    """`Lasso` whose strength is chosen by cross-validation, as in scikit-learn's LassoCV.

    All samples are fitted along the path as well, so that the choice comes with its fit and
    certificate. The folds share X: samples that are held out have the weight 0.

    Parameters
    ----------
    eps : float
        The last strength over the first, below 1.
    alphas : int or array_like
        Number of strengths, from the smallest that gives zeros down; or the strengths.
    cv : int, splitter, iterable or None
        Folds, as for scikit-learn; 5 by default, not shuffled.
    choice : {"best", "one_standard_error"}
        The smallest mean score, or the largest strength within one standard error of it.
        Not in scikit-learn.
    n_jobs : int or None
        Most folds at a time, in threads; None and -1 stand for all of `proxstep.get_num_threads`,
        -2 for all but one. No result depends on it.
    verbose : bool or int
        Whether to show a progress bar (with tqdm).
    weights, positive, fit_intercept, standardize, tol, max_iter
        As in `Lasso`, for each fit.
    max_time : float or None
        Most seconds for all fits together. Not in scikit-learn.
    precompute, copy_X, random_state, selection
        Without effect, as in `Lasso`.

    Attributes
    ----------
    alpha_ : float
        The strength chosen.
    alphas_ : ndarray, shape (L,)
        All strengths, falling.
    mse_path_ : ndarray, shape (L, folds)
        Held-out mean squared errors.
    validation_ : proxstep.CrossValidation
        Scores, standard errors, the path, and ``plot()``; its strengths are ``alphas_``.
    coef_, intercept_, dual_gap_, converged_, n_iter_
        As in `Lasso`, of the fit to all samples; so are ``n_features_in_``, ``feature_names_in_``.

    Examples
    --------
    >>> import numpy as np
    >>> from proxstep.sklearn import LassoCV
    >>> X = np.random.default_rng(0).standard_normal((100, 5))
    >>> model = LassoCV(choice="one_standard_error").fit(X, X[:, 0] + np.sin(np.arange(100)))
    >>> np.flatnonzero(model.coef_).tolist(), model.mse_path_.shape
    ([0], (100, 5))
    """


@dataclass(kw_only=True, repr=False, eq=False)
class ElasticNetCV(ElasticForm, Ignored, RegressorCV):
    """`ElasticNet` whose strength, and ratio if there are several, cross-validation chooses.

    Parameters
    ----------
    l1_ratio : float or sequence of float
        Shares of the L1 penalty to choose from, in (0, 1].
    eps, alphas, cv, choice, n_jobs, verbose
        As in `LassoCV`; there is a path for each ratio.
    weights, positive, fit_intercept, standardize, tol, max_iter, max_time
        As in `ElasticNet`. ``positive`` needs an ``l1_ratio`` of 1.
    precompute, copy_X, random_state, selection
        Without effect, as in `Lasso`.

    Attributes
    ----------
    l1_ratio_ : float
        The ratio chosen.
    alpha_, alphas_, mse_path_
        As in `LassoCV`; the arrays have a first axis for several ratios.
    validation_ : proxstep.CrossValidation
        As in `LassoCV`, for the ratio chosen; its strengths are ``alpha * l1_ratio_``.
    coef_, intercept_, dual_gap_, converged_, n_iter_
        As in `Lasso`, of the fit to all samples; so are ``n_features_in_``, ``feature_names_in_``.

    Examples
    --------
    >>> import numpy as np
    >>> from proxstep.sklearn import ElasticNetCV
    >>> X = np.random.default_rng(0).standard_normal((100, 5))
    >>> model = ElasticNetCV(l1_ratio=[0.5, 1.0]).fit(X, X[:, 0] + np.sin(np.arange(100)))
    >>> model.l1_ratio_, model.alphas_.shape
    (1.0, (2, 100))
    """


@dataclass(repr=False, eq=False)
class GroupLassoCV(GroupForm, RegressorCV):
    """`GroupLasso` whose strength is chosen by cross-validation.

    Parameters
    ----------
    groups, group_weights, fit_intercept, standardize, tol, max_iter, max_time
        As in `GroupLasso`.
    eps, alphas, cv, choice, n_jobs, verbose
        As in `LassoCV`.

    Attributes
    ----------
    alpha_, alphas_, mse_path_, validation_
        As in `LassoCV`.
    coef_, intercept_, dual_gap_, converged_, n_iter_
        As in `Lasso`, of the fit to all samples; so are ``n_features_in_``, ``feature_names_in_``.

    Examples
    --------
    >>> import numpy as np
    >>> from proxstep.sklearn import GroupLassoCV
    >>> X = np.random.default_rng(0).standard_normal((100, 6))
    >>> model = GroupLassoCV(3, choice="one_standard_error").fit(X, X[:, :3].sum(axis=1))
    >>> (model.coef_ != 0).tolist()
    [True, True, True, False, False, False]
    """

    groups: Any = 1


@dataclass(repr=False, eq=False)
class SparseGroupLassoCV(SparseGroupForm, RegressorCV):
    """`SparseGroupLasso` whose strength, and ratio if there are several, cross-validation chooses.

    Parameters
    ----------
    l1_ratio : float or sequence of float
        Shares of the L1 penalty to choose from.
    groups, weights, group_weights, fit_intercept, standardize, tol, max_iter, max_time
        As in `SparseGroupLasso`.
    eps, alphas, cv, choice, n_jobs, verbose
        As in `LassoCV`.

    Attributes
    ----------
    l1_ratio_, alpha_, alphas_, mse_path_
        As in `ElasticNetCV`.
    validation_ : proxstep.CrossValidation
        As in `LassoCV`, for the ratio chosen; its strengths are ``alpha * (1 - l1_ratio_)``.
    coef_, intercept_, dual_gap_, converged_, n_iter_
        As in `Lasso`, of the fit to all samples; so are ``n_features_in_``, ``feature_names_in_``.

    Examples
    --------
    >>> import numpy as np
    >>> from proxstep.sklearn import SparseGroupLassoCV
    >>> X = np.random.default_rng(0).standard_normal((100, 6))
    >>> model = SparseGroupLassoCV(3, choice="one_standard_error").fit(X, X[:, 0] + X[:, 1])
    >>> (model.coef_[3:] != 0).any().item()
    False
    """

    groups: Any = 1


@dataclass(kw_only=True, repr=False, eq=False)
class MultiTaskLassoCV(MultiTaskRegressor, RegressorCV):
    """`MultiTaskLasso` whose strength is chosen by cross-validation.

    Parameters
    ----------
    weights, fit_intercept, standardize, tol, max_iter, max_time
        As in `MultiTaskLasso`.
    eps, alphas, cv, choice, n_jobs, verbose
        As in `LassoCV`.
    copy_X, random_state, selection
        Without effect, as in `Lasso`.

    Attributes
    ----------
    alpha_, alphas_, mse_path_, validation_
        As in `LassoCV`; errors are means over the targets.
    coef_, intercept_, dual_gap_, converged_, n_iter_
        As in `MultiTaskLasso`, of the fit to all samples; so are ``n_features_in_`` and
        ``feature_names_in_``.

    Examples
    --------
    >>> import numpy as np
    >>> from proxstep.sklearn import MultiTaskLassoCV
    >>> X = np.random.default_rng(0).standard_normal((60, 3))
    >>> model = MultiTaskLassoCV(alphas=20, choice="one_standard_error", cv=4).fit(X, X[:, :2])
    >>> model.coef_.shape, model.mse_path_.shape
    ((2, 3), (20, 4))
    """
