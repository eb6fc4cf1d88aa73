"""Cross-validated estimators: scikit-learn's folds, grids and errors, and a certified choice."""

from __future__ import annotations

import pickle

import numpy as np
import proxstep as ps
import pytest
from estimator_cases import data, datasets, each_cv, estimators, margins, sklearn
from proxstep.paths import cross_validation
from scipy import sparse
from sklearn import linear_model
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_score


@pytest.fixture(autouse=True)
def one_blas_thread():
    """Small products in many threads crawl on a busy machine."""
    with pytest.importorskip("threadpoolctl").threadpool_limits(1, "blas"):
        yield


@pytest.fixture(scope="module")
def diabetes():
    X, y = datasets.load_diabetes(return_X_y=True)
    return X[:440] * 20 + 0.3, y[:440]  # five folds of equal size


@each_cv
def test_the_choice_is_the_fit_of_all_samples_at_its_strength(case):
    X, y, w = data(case.kind)
    model = case.make().set_params(tol=1e-10).fit(X, y, w)
    name = case.name.removesuffix("CV")
    names = ("weights", "groups", "group_weights", "positive", "penalty", "class_weight")
    same = {k: v for k, v in model.get_params().items() if k in names}
    strength = {"C": model.C_} if hasattr(model, "C_") else {"alpha": model.alpha_}
    single = getattr(estimators, name)(tol=1e-10, **same, **strength)
    if model.l1_ratio_ is not None:
        single.set_params(l1_ratio=model.l1_ratio_)
    single.fit(X, y, w)
    np.testing.assert_allclose(model.coef_, single.coef_, rtol=0, atol=1e-4)
    np.testing.assert_allclose(model.intercept_, single.intercept_, rtol=0, atol=1e-4)
    assert model.converged_
    assert model.coef_.shape == single.coef_.shape
    assert 0 <= model.dual_gap_ <= 1e-10 * 50


@each_cv
def test_scores_are_those_of_single_fits(case):
    """At one strength, fold by fold, by scikit-learn's own loop: mean loss, weights of 1."""
    X, y, _ = data(case.kind)
    model = case.make().set_params(tol=1e-9, cv=KFold(3, shuffle=True, random_state=1))
    if hasattr(model, "C") or "scoring" in model.get_params():
        model.set_params(scoring=None, class_weight=None, l1_ratios=0.7)
    model.fit(X, y)
    names = ("weights", "groups", "group_weights", "positive", "penalty")
    same = {k: v for k, v in model.get_params().items() if k in names}
    single = getattr(estimators, case.name.removesuffix("CV"))(tol=1e-9, **same)
    strength = {"C": model.C_ * 3 / 2} if hasattr(model, "C_") else {"alpha": model.alpha_}
    single.set_params(**strength)
    if model.l1_ratio_ is not None:
        single.set_params(l1_ratio=model.l1_ratio_)
    scoring = "neg_log_loss" if hasattr(model, "C_") else "neg_mean_squared_error"
    loss = -cross_val_score(single, X, y, cv=model.cv, scoring=scoring)
    factor = 1.0 if hasattr(model, "C_") else 0.5 * (y.shape[1] if y.ndim == 2 else 1)
    ours = model.validation_.scores[:, model.validation_.best_index]
    np.testing.assert_allclose(ours, factor * loss, rtol=2e-4)


@pytest.mark.parametrize("ratio", [1.0, 0.4, [0.2, 0.9]])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_the_curve_of_scikit_learn(diabetes, ratio, weighted, intercept):
    X, y = diabetes
    w = np.resize([0.4, 1.7, 0.9, 2.2, 0.3], len(y)) if weighted else None
    settings = {"l1_ratio": ratio, "eps": 0.01, "fit_intercept": intercept, "cv": 5}
    ours = estimators.ElasticNetCV(alphas=12, tol=1e-9, **settings).fit(X, y, w)
    alphas = ours.alphas_ if np.ndim(ratio) == 0 else None  # one grid does not serve two ratios
    if alphas is None:
        settings["l1_ratio"] = ours.l1_ratio_
        alphas = ours.alphas_[ratio.index(ours.l1_ratio_)]
    peer = linear_model.ElasticNetCV(alphas=alphas, tol=1e-9, max_iter=99_000, **settings)
    peer.fit(X, y, sample_weight=w)
    curve = ours.mse_path_ if np.ndim(ratio) == 0 else ours.mse_path_[ratio.index(ours.l1_ratio_)]
    np.testing.assert_allclose(curve, peer.mse_path_, rtol=1e-5)
    assert ours.alpha_ == pytest.approx(peer.alpha_)
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=0, atol=2e-3)


def test_the_strengths_of_scikit_learn(diabetes):
    X, y = diabetes
    ours, peer = estimators.LassoCV(cv=4).fit(X, y), linear_model.LassoCV(cv=4).fit(X, y)
    np.testing.assert_allclose(ours.alphas_, peer.alphas_, rtol=1e-9)
    assert ours.alpha_ == pytest.approx(peer.alpha_)


def test_many_targets(diabetes):
    X, y = diabetes[0][:, :7], np.column_stack([diabetes[1] / 50, diabetes[0][:, 7:]])
    alphas = np.geomspace(0.5, 0.01, 8)
    ours = estimators.MultiTaskLassoCV(alphas=alphas, tol=1e-9).fit(X, y)
    peer = linear_model.MultiTaskLassoCV(alphas=alphas, tol=1e-9, max_iter=99_000).fit(X, y)
    np.testing.assert_allclose(ours.mse_path_, peer.mse_path_, rtol=1e-5)
    assert ours.alpha_ == pytest.approx(peer.alpha_)


def test_one_standard_error_is_sparser(diabetes):
    X, y = diabetes
    best = estimators.LassoCV().fit(X, y)
    one = estimators.LassoCV(choice="one_standard_error").fit(X, y)
    assert one.alpha_ > best.alpha_
    assert np.count_nonzero(one.coef_) < np.count_nonzero(best.coef_)
    v = one.validation_
    limit = v.mean.min() + v.standard_error[v.best_index]
    assert v.mean[v.lambdas > one.alpha_ * 1.0001].min() > limit >= v.mean[v.lambdas == one.alpha_]


def test_accuracy_chooses_as_a_grid_search_does():
    X, y, _ = data("two", 180)
    model = estimators.SparseLogisticRegressionCV(scoring="accuracy", cv=StratifiedKFold(3))
    model.fit(X, y)
    grid = {"C": model.Cs_ * 3 / 2}  # folds train on two thirds, and have the same strength
    search = GridSearchCV(estimators.SparseLogisticRegression(), grid, cv=StratifiedKFold(3))
    search.fit(X, y)
    accuracy = 1 - model.validation_.mean
    np.testing.assert_allclose(accuracy, search.cv_results_["mean_test_score"], atol=1e-12)
    assert search.best_params_["C"] == pytest.approx(model.C_ * 3 / 2)


@each_cv
def test_forms_threads_clones_and_pickles(case):
    X, y, w = data(case.kind)
    model = case.make().fit(X, y, w)
    for other in (case.make().set_params(n_jobs=1), sklearn.clone(model)):
        np.testing.assert_array_equal(other.fit(X, y, w).coef_, model.coef_)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    same = case.make().set_params(tol=1e-9).fit(sparse.csc_array(X), y, w)
    model.set_params(tol=1e-9).fit(X, y, w)
    np.testing.assert_allclose(margins(same, X), margins(model, X), rtol=0, atol=3e-3)
    assert case.make().fit(X.astype(np.float32), y, w).coef_.dtype == np.float32


@each_cv
def test_one_warning(case):
    X, y, w = data(case.kind)
    with pytest.warns(estimators.ConvergenceWarning, match=f"{case.name}.*max_iter") as caught:
        case.make().set_params(tol=1e-14, max_iter=1).fit(X, y, w)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert issubclass(caught[0].category, ps.ConvergenceWarning)


def test_negative_n_jobs_count_from_all_threads(monkeypatch, threads):
    seen, run = [], cross_validation.run_all
    monkeypatch.setattr(cross_validation, "run_all", lambda *a: seen.append(a[1]) or run(*a))
    X, y, _ = data("number")
    ps.set_num_threads(3)
    for n_jobs in (None, -1, -2, -9, 2):
        estimators.LassoCV(alphas=3, n_jobs=n_jobs).fit(X, y)
    assert seen == [3, 3, 2, 1, 2]


@pytest.mark.parametrize(
    ("name", "settings", "factor"),
    [
        ("LassoCV", {}, 1.0),
        ("ElasticNetCV", {"l1_ratio": 0.3}, 0.3),
        ("GroupLassoCV", {"groups": 2}, 1.0),
        ("SparseGroupLassoCV", {"groups": 2, "l1_ratio": 0.3}, 0.7),
        ("SparseGroupLassoCV", {"groups": 2, "l1_ratio": 1.0}, 1.0),
    ],
)
def test_strengths_of_the_validation_are_factors_of_its_penalty(name, settings, factor):
    X, y, _ = data("number")
    model = getattr(estimators, name)(**settings, alphas=[0.5, 0.2]).fit(X, y)
    np.testing.assert_allclose(model.validation_.lambdas, factor * model.alphas_)
    assert model.alphas_.tolist() == pytest.approx([0.5, 0.2])
