"""What proxstep.sklearn refuses, in words that name the setting and its value."""

from __future__ import annotations

import numpy as np
import pytest
from estimator_cases import data, each, estimators


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"alpha": -1.5}, "alpha is -1.5"),
        ({"alpha": "auto"}, "alpha is 'auto'"),
        ({"alpha": np.nan}, "alpha is nan"),
        ({"weights": [1.0, 2.0]}, r"weights has shape \(2,\), there are 6 features of X"),
        ({"weights": "adaptive"}, "weights is 'adaptive'; one number for each of the 6 features"),
        ({"tol": "1e-4"}, "tol is '1e-4'; a number is needed"),
        ({"max_time": b"9"}, "max_time is b'9'; a number is needed"),
        ({"fit_intercept": "no"}, "fit_intercept is 'no'; True or False is needed"),
        ({"standardize": "yes"}, "standardize is 'yes'; True or False"),
        ({"positive": 1}, "positive is 1; True or False"),
        ({"warm_start": None}, "warm_start is None; True or False"),
        ({"weights": [1, 1, -2, 1, 1, 1]}, "-2"),
        ({"tol": -1e-3}, "tol is -0.001"),
        ({"max_iter": -1}, "max_iter is -1"),
        ({"max_iter": 2.5}, "max_iter is 2.5"),
        ({"max_time": 0}, "max_time is 0"),
    ],
)
def test_settings_of_regressors(settings, words):
    X, y, _ = data("number")
    with pytest.raises((ValueError, TypeError), match=words):
        estimators.Lasso(**settings).fit(X, y)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"C": 0.0}, "C is 0"),
        ({"C": -2.0}, "C is -2"),
        ({"C": np.nan}, "C is nan"),
        ({"C": "1"}, "C is '1'; a number is needed"),
        ({"fit_intercept": "no"}, "fit_intercept is 'no'; True or False is needed"),
        ({"l1_ratio": 1.2}, "l1_ratio is 1.2"),
        ({"l1_ratio": None}, "l1_ratio is None"),
        ({"penalty": "l3"}, "penalty is 'l3'; did you mean 'l"),
        ({"class_weight": "balance"}, "class_weight is 'balance'"),
        ({"class_weight": {"maybe": 2.0}}, "maybe|class_weight"),
        ({"weights": np.ones((2, 3))}, r"shape \(2, 3\)"),
    ],
)
@pytest.mark.parametrize("name", ["SparseLogisticRegression", "SoftmaxRegression"])
def test_settings_of_classifiers(name, settings, words):
    X, y, _ = data("two")
    with pytest.raises((ValueError, TypeError), match=words):
        getattr(estimators, name)(**settings).fit(X, y)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (4, "groups is 4, which does not divide the 6 features"),
        (0, "groups is 0"),
        (1.5, "groups is 1.5"),
        ("rows", "groups is 'rows'; one size, sizes, or lists of columns"),
        (["a", "a", "b"], "groups is .'a', 'a', 'b'.; one size"),
        (np.repeat(np.arange(2), 3), "a number for each of the 6 features, as labels; sizes of"),
        ([2, 0, 4], "group 1 of groups is empty"),
        ([2, 3], "5 columns in all, X has 6"),
        ([2, [3, 4]], "either sizes or lists"),
        ([[0, 1], [], [2, 3, 4, 5]], "group 1 of groups is empty"),
        ([[0, 1, 2], [2, 3, 4, 5]], "overlap: column 2 is in 2"),
        ([[0, 1], [2, 3, 4]], "leave out column 5"),
        ([[0, 1, 2], [3, 4, 6]], "column 6, X has 6"),
        ([[0, 1, 2], [3, 4, -1]], "column -1"),
    ],
)
@pytest.mark.parametrize("name", ["GroupLasso", "SparseGroupLasso"])
def test_groups(name, groups, words):
    X, y, _ = data("number")
    with pytest.raises((ValueError, TypeError), match=words):
        getattr(estimators, name)(groups).fit(X, y)


@pytest.mark.parametrize("weights", [[1.0, 2.0], "root", ["sqrt"] * 3, [1.0, -2.0, 1.0]])
def test_weights_of_groups(weights):
    X, y, _ = data("number")
    with pytest.raises((ValueError, TypeError), match="weights"):
        estimators.GroupLasso(2, group_weights=weights).fit(X, y)


@each
def test_data_that_do_not_fit(case):
    X, y, w = data(case.kind)
    hole = np.where(np.isclose(X, X[3, 2]), np.nan, X)
    for X_, y_, w_, words in (
        (hole, y, w, "NaN"),
        (X[:5], y, w, "inconsistent"),
        (X, y, w[:7], "sample_weight"),
        (X, y, -w, "negative"),
        (X, y, 0 * w, "zero|weight 0"),
        (X[0], y, w, "1D"),
    ):
        with pytest.raises(ValueError, match=words):
            case.make().fit(X_, y_, w_)
    with pytest.raises(ValueError, match="6 features"):
        case.make().fit(X, y).predict(X[:, :4])


@pytest.mark.parametrize("name", ["SparseLogisticRegression", "SoftmaxRegression"])
def test_classes_that_are_missing(name):
    X, y, _ = data("two")
    model = getattr(estimators, name)()
    with pytest.raises(ValueError, match=r"one class only.*'no'"):
        model.fit(X, np.full(len(y), "no"))
    with pytest.raises(ValueError, match="of class 'yes' have sample_weight 0"):
        model.fit(X, y, (y == "no").astype(float))
    with pytest.raises(ValueError, match="continuous"):
        model.fit(X, X[:, 0])


def test_many_classes_are_sent_to_softmax():
    X, y, _ = data("many")
    with pytest.raises(ValueError, match="3 classes; SoftmaxRegression"):
        estimators.SparseLogisticRegression().fit(X, y)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("LassoCV", {"choice": "bset"}, "choice is 'bset'; did you mean 'best'"),
        ("LassoCV", {"alphas": 0}, "^alphas is 0"),
        ("LassoCV", {"alphas": [1.0, -0.5]}, r"^alphas\[1\] is -0.5"),
        ("LassoCV", {"alphas": "auto"}, "^alphas is 'auto'; an integer is needed"),
        ("LassoCV", {"alphas": []}, "^alphas is empty"),
        ("LassoCV", {"eps": 1.5}, "^eps is 1.5"),
        ("LassoCV", {"cv": []}, "^there are no folds"),
        ("LassoCV", {"cv": 100}, "100"),
        ("LassoCV", {"n_jobs": 0}, "^n_jobs is 0"),
        ("LassoCV", {"n_jobs": 0.5}, "^n_jobs is 0.5; an integer"),
        ("ElasticNetCV", {"l1_ratio": [0.5, 0.0]}, "l1_ratio is 0"),
        ("ElasticNetCV", {"positive": True}, "positive=True needs l1_ratio=1"),
        ("GroupLassoCV", {"groups": 4}, "does not divide"),
        ("SparseLogisticRegressionCV", {"Cs": [1.0, -2.0]}, r"^Cs\[1\] is -2"),
        ("SparseLogisticRegressionCV", {"Cs": 2.5}, "^Cs is 2.5"),
        ("SparseLogisticRegressionCV", {"eps": -0.1}, "^eps is -0.1"),
        ("SparseLogisticRegressionCV", {"scoring": "f1"}, "scoring is 'f1'"),
        ("SparseLogisticRegressionCV", {"penalty": "rows"}, "penalty is 'rows'"),
        ("SoftmaxRegressionCV", {"penalty": "l2"}, "l1_ratio is 0"),
        ("SoftmaxRegressionCV", {"penalty": None}, "None has no path"),
    ],
)
def test_settings_of_cross_validations(name, settings, words):
    X, y, _ = data("two" if "Regression" in name else "number")
    with pytest.raises((ValueError, TypeError), match=words):
        getattr(estimators, name)(**settings).fit(X, y)


def test_an_empty_path_asks_for_the_strengths_by_their_name():
    X, y, _ = data("number")
    with pytest.raises(ValueError, match="zero at every strength; pass alphas"):
        estimators.LassoCV().fit(X, np.full(len(y), 1.5))
