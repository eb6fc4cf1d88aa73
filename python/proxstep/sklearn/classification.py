"""Logistic and multinomial regression with sparse penalties."""

from __future__ import annotations

from .classifier import FittedClassifier
from .labels import TwoClasses


class SparseLogisticRegression(TwoClasses, FittedClassifier):
    """Two classes, logistic loss and a sparse penalty; scikit-learn's scaling, and a certificate.

    ``C sum_i w_i log(1 + exp(-y_i (X_i x + b))) + sum_j v_j (r |x_j| + (1 - r) x_j^2 / 2)``,
    with y in {-1, 1} and r the ``l1_ratio``. It stands for
    ``LogisticRegression(l1_ratio=1, solver="liblinear")``, whose intercept is penalised, or
    ``solver="saga"``.

    Parameters
    ----------
    penalty : {"elasticnet", "l1", "l2"} or None
        "l1" and "l2" stand for a ratio r of 1 and 0, None for no penalty.
    C : float
        Inverse strength, positive; infinity for no penalty.
    l1_ratio : float
        Share r of the L1 penalty under "elasticnet", in [0, 1]. By default 1, where scikit-learn
        has 0.
    weights : array_like or None, shape (p,)
        Factors v of the penalty: 0 leaves a coefficient unpenalised, infinity excludes it.
        Not in scikit-learn.
    class_weight : dict, "balanced" or None
        Weights of the classes; "balanced" gives all classes the same sum of sample weights.
    fit_intercept : bool
        Whether an unpenalised b is fitted.
    standardize : bool
        Whether penalties act on coefficients of columns divided by their (weighted) standard
        deviations; X is neither changed nor copied, and ``coef_`` is for X as given. Not in
        scikit-learn.
    tol : float
        Largest duality gap, relative to the loss of the null model (x = 0, b fitted), where
        scikit-learn's solvers bound a gradient or the last step: it bounds the distance from the
        best objective.
    max_iter : int
        Most iterations of the solver; see `proxstep.solve`.
    max_time : float or None
        Most seconds. Not in scikit-learn.
    warm_start : bool
        Whether `fit` starts from the coefficients of the fit before, if there are as many.
    dual, intercept_scaling, random_state, solver, verbose, n_jobs
        Taken for scikit-learn's sake, without effect.

    Attributes
    ----------
    classes_ : ndarray, shape (2,)
        Labels, sorted.
    coef_ : ndarray, shape (1, p)
        Coefficients x, of X's dtype; zeros are exact.
    intercept_ : ndarray, shape (1,)
        Intercept b.
    dual_gap_ : float
        Duality gap in units of the mean loss; NaN where the certificate is not one.
    converged_ : bool
        Whether the certificate reached ``tol``.
    n_iter_ : int
        Iterations, at least 1.
    result_ : proxstep.Result
        Everything the solver says, for the mean loss and strength ``1 / (C sum_i w_i)``.
    n_features_in_ : int
        Number of features p.
    feature_names_in_ : ndarray, shape (p,)
        Their names, if X has names that are strings.

    Examples
    --------
    >>> from proxstep.sklearn import SparseLogisticRegression
    >>> model = SparseLogisticRegression(C=10).fit([[-2.0], [-1.0], [1.0], [2.0]], list("nnyy"))
    >>> model.predict([[-3.0], [0.5]]).tolist(), model.converged_
    (['n', 'y'], True)
    """


class SoftmaxRegression(FittedClassifier):
    """Any number of classes, multinomial loss and a sparse penalty, with a certificate.

    ``C sum_i w_i (log sum_c exp(X_i x_c + b_c) - (X_i x_{y_i} + b_{y_i})) + h(x)``: scikit-learn's
    ``LogisticRegression(solver="saga")``. Two classes have one vector of coefficients and the
    loss of `SparseLogisticRegression`, as there. All classes have coefficients otherwise, and b
    has mean 0.

    Parameters
    ----------
    penalty : {"elasticnet", "l1", "l2", "rows"} or None
        h: ``sum_jc v_j (r |x_jc| + (1 - r) x_jc^2 / 2)`` with r the ``l1_ratio``; "l1" and "l2"
        stand for a ratio of 1 and 0. "rows" is ``sum_j v_j ||x_j||``: a feature serves all
        classes or none (not in scikit-learn).
    C, l1_ratio, class_weight, fit_intercept, standardize, tol, max_iter, max_time, warm_start
        As in `SparseLogisticRegression`.
    weights : array_like or None, shape (p,)
        Factors v of the penalty, one for each feature. Not in scikit-learn.
    dual, intercept_scaling, random_state, solver, verbose, n_jobs
        Taken for scikit-learn's sake, without effect.

    Attributes
    ----------
    classes_ : ndarray, shape (k,)
        Labels, sorted.
    coef_ : ndarray, shape (k, p), or (1, p) for two classes
        Coefficients, of X's dtype; zeros are exact.
    intercept_ : ndarray, shape (k,) or (1,)
        Intercepts.
    dual_gap_, converged_, n_iter_, result_
        As in `SparseLogisticRegression`, and so are ``n_features_in_`` and ``feature_names_in_``.

    References
    ----------
    Simon, Friedman, Hastie, *A blockwise descent algorithm for group-penalized multiresponse and
    multinomial regression*, arXiv 1311.6529 (2013).

    Examples
    --------
    >>> import numpy as np
    >>> from proxstep.sklearn import SoftmaxRegression
    >>> X, y = np.repeat(np.eye(3), 5, axis=0), np.repeat(["a", "b", "c"], 5)
    >>> model = SoftmaxRegression("rows", C=1.0).fit(X, y)
    >>> model.predict(np.eye(3)).tolist(), model.coef_.shape
    (['a', 'b', 'c'], (3, 3))
    """
