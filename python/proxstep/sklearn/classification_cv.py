"""Classifiers that choose their strength by cross-validation."""

from __future__ import annotations

from .classifier_cv import ClassifierCV
from .labels import TwoClasses


class SparseLogisticRegressionCV(TwoClasses, ClassifierCV):
    """`SparseLogisticRegression` whose strength (and ratio) is chosen by cross-validation.

    All samples are fitted along the path as well, so that the choice comes with its fit and
    certificate. The strength beside the mean loss is the same in all folds, as for the lasso;
    scikit-learn's LogisticRegressionCV holds C, so that its folds of fewer samples are penalised
    more.

    Parameters
    ----------
    penalty : {"elasticnet", "l1"}
        "l1" stands for a ratio of 1.
    Cs : int or array_like
        Number of strengths, from the smallest C that has nonzeros up; or values of C.
    eps : float or None
        The first C over the last; by default 1e-3, and 1e-2 where n < p. Not in scikit-learn,
        which has ``logspace(-4, 4, Cs)``.
    l1_ratios : float or sequence of float
        Shares of the L1 penalty to choose from, in (0, 1].
    cv : int, splitter, iterable or None
        Folds, as for scikit-learn; 5 by default, stratified, not shuffled.
    choice : {"best", "one_standard_error"}
        The best mean score, or the smallest C within one standard error of it. Not in
        scikit-learn.
    scoring : {"neg_log_loss", "accuracy"} or None
        What is best on held-out samples; None stands for the log loss.
    n_jobs : int or None
        Most folds at a time, in threads, as in `LassoCV`.
    verbose : bool or int
        Whether to show a progress bar (with tqdm).
    weights, class_weight, fit_intercept, standardize, tol, max_iter
        As in `SparseLogisticRegression`, for each fit.
    max_time : float or None
        Most seconds for all fits together. Not in scikit-learn.
    dual, intercept_scaling, random_state, solver
        Taken for scikit-learn's sake, without effect.

    Attributes
    ----------
    C_, l1_ratio_ : float
        What was chosen.
    Cs_ : ndarray, shape (L,)
        All values of C, rising, for the ratio chosen.
    validation_ : proxstep.CrossValidation
        Scores (smaller is better), standard errors, the path, and ``plot()``; its strengths stand
        beside the mean loss: ``l1_ratio_ / (C sum_i w_i)``.
    classes_, coef_, intercept_, dual_gap_, converged_, n_iter_
        As in `SparseLogisticRegression`, of the fit to all samples; so are ``n_features_in_`` and
        ``feature_names_in_``.

    Examples
    --------
    >>> import numpy as np
    >>> from proxstep.sklearn import SparseLogisticRegressionCV
    >>> X = np.random.default_rng(0).standard_normal((100, 5))
    >>> model = SparseLogisticRegressionCV(l1_ratios=[0.5, 1.0]).fit(X, X[:, 0] > 0)
    >>> model.l1_ratio_, model.Cs_.shape, model.coef_.shape
    (1.0, (10,), (1, 5))
    """


class SoftmaxRegressionCV(ClassifierCV):
    """`SoftmaxRegression` whose strength (and ratio) is chosen by cross-validation.

    Parameters
    ----------
    penalty : {"elasticnet", "l1", "rows"}
        As in `SoftmaxRegression`; the ratio does not matter for "rows".
    Cs, eps, l1_ratios, cv, choice, scoring, n_jobs, verbose
        As in `SparseLogisticRegressionCV`.
    weights, class_weight, fit_intercept, standardize, tol, max_iter, max_time
        As in `SoftmaxRegression`.
    dual, intercept_scaling, random_state, solver
        Taken for scikit-learn's sake, without effect.

    Attributes
    ----------
    C_, l1_ratio_, Cs_, validation_
        As in `SparseLogisticRegressionCV`.
    classes_, coef_, intercept_, dual_gap_, converged_, n_iter_
        As in `SoftmaxRegression`, of the fit to all samples; so are ``n_features_in_`` and
        ``feature_names_in_``.

    Examples
    --------
    >>> import numpy as np
    >>> from proxstep.sklearn import SoftmaxRegressionCV
    >>> X = np.random.default_rng(0).standard_normal((90, 4))
    >>> model = SoftmaxRegressionCV("rows", Cs=5, cv=3).fit(X, X[:, :3].argmax(axis=1))
    >>> model.validation_.scores.shape, model.coef_.shape
    ((3, 5), (3, 4))
    """
