"""Laws of proxstep.sklearn: estimators keep scikit-learn's contract, over any form of X."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import numpy as np
import proxstep as ps
import pytest
from estimator_cases import CASES, CV_CASES, VERSION, data, each, estimators, margins, sklearn
from scipy import sparse
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

NAMES = {case.name for case in (*CASES, *CV_CASES)}
CONVERTED = "scikit-learn 1.6 shuffles labels before it makes them two: not the same problem twice"


def expected_failures(estimator):
    binary = "SparseLogistic" in type(estimator).__name__
    names = ("dense", "sparse") if binary and VERSION == (1, 6) else ()
    return {f"check_sample_weight_equivalence_on_{n}_data": CONVERTED for n in names}


FEW = {"alphas": 4, "Cs": 3, "eps": 0.1, "cv": 3}  # strengths and folds: there are many checks
plain = [getattr(estimators, name)() for name in sorted(NAMES)]
for model in plain:
    if hasattr(model, "cv"):
        model.set_params(**{k: v for k, v in FEW.items() if k in model.get_params()})
        model.set_params(tol=1e-10 if hasattr(model, "Cs") else 1e-12)
settings = {"expected_failed_checks": expected_failures} if VERSION >= (1, 6) else {}
checks = parametrize_with_checks(plain, **settings)
names, cases = checks.args  # the cases as a list: before 1.7 they are what pytest 9 warns of


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # weights of 1e±4
@pytest.mark.parametrize(names, list(cases), **checks.kwargs)
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_every_estimator_has_a_case():
    public = {name for name in estimators.__all__ if name != "ConvergenceWarning"}
    assert public == NAMES


@each
@pytest.mark.parametrize("form", ["F", "csr_matrix", "csc_array", "coo_array", "long", "list"])
def test_the_form_of_X_changes_nothing(case, form):
    X, y, w = data(case.kind)
    X = np.where(np.abs(X) < 0.5, 0.0, X)
    forms = {"F": np.asfortranarray, "list": np.ndarray.tolist, "long": long_indices}
    same = forms.get(form, getattr(sparse, form, None))(X)
    dense = case.make().set_params(tol=1e-11).fit(X, y, w)
    other = case.make().set_params(tol=1e-11).fit(same, y, w)
    np.testing.assert_allclose(other.coef_, dense.coef_, rtol=0, atol=2e-5)
    np.testing.assert_allclose(margins(other, same), margins(dense, X), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["GroupLasso", "SparseGroupLasso"])
def test_columns_of_a_group_may_lie_anywhere(name):
    X, y, w = data("number")
    groups, order = [[4, 0], [1, 5, 2], [3]], [4, 0, 1, 5, 2, 3]
    settings, weights = {"alpha": 0.08, "tol": 1e-11}, np.array([0.7, 1.9, 0.4, 1.2, 2.1, 0.9])
    theirs = dict(settings, weights=weights) if name == "SparseGroupLasso" else settings
    apart = getattr(estimators, name)(groups, warm_start=True, **theirs).fit(X, y, w)
    if "weights" in theirs:
        theirs["weights"] = weights[order]
    beside = getattr(estimators, name)([2, 3, 1], **theirs).fit(X[:, order], y, w)
    np.testing.assert_allclose(apart.coef_[order], beside.coef_, rtol=0, atol=1e-9)
    assert np.count_nonzero(apart.coef_) > 2
    assert apart.fit(X, y, w).n_iter_ == 1


def long_indices(X):
    result = sparse.csr_array(X)
    result.indices, result.indptr = (a.astype(np.int64) for a in (result.indices, result.indptr))
    return result


@each
def test_float32_stays_float32(case):
    X, y, w = data(case.kind)
    double = case.make().fit(X, y, w)
    single = case.make().fit(X.astype(np.float32), y, w)
    assert single.coef_.dtype == np.float32
    assert margins(single, X.astype(np.float32)).dtype == np.float32
    assert single.converged_
    np.testing.assert_allclose(single.coef_, double.coef_, rtol=0, atol=5e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lay", [np.ascontiguousarray, np.asfortranarray, sparse.csr_array,
                                 sparse.csc_matrix])  # fmt: skip
def test_X_is_not_copied(monkeypatch, lay, dtype):
    """Of the regressors; the problems of classifiers are made in the same way."""
    seen = []
    real = ps.LeastSquares
    module = sys.modules["proxstep.sklearn.regressor"]
    note = lambda X, *a, **k: seen.append(X) or real(X, *a, **k)  # noqa: E731
    monkeypatch.setattr(module, "LeastSquares", note)
    X, y, _ = data("number")
    X = lay(X.astype(dtype))
    estimators.Lasso(0.07).fit(X, y)
    assert np.shares_memory(*(getattr(a, "data", a) if sparse.issparse(a) else a
                              for a in (X, seen[0])))  # fmt: skip


@each
def test_the_report_is_that_of_the_solver(case):
    X, y, w = data(case.kind)
    model = case.make().set_params(tol=1e-9).fit(X, y, w)
    assert model.converged_
    assert model.result_.gap <= 1e-9
    assert model.n_iter_ == max(1, model.result_.n_iter)
    gap = model.result_.certificate == "duality gap"
    assert (0 <= model.dual_gap_ <= 1e-9 * 50) if gap else np.isnan(model.dual_gap_)
    assert model.n_features_in_ == 6


@each
def test_one_warning_for_every_filter(case):
    X, y, w = data(case.kind)
    with pytest.warns(estimators.ConvergenceWarning, match="max_iter.*tol=1e-14") as caught:
        model = case.make().set_params(tol=1e-14, max_iter=2).fit(X, y, w)
    assert [str(w.message).split(":")[0] for w in caught] == [case.name]
    assert caught[0].filename == __file__
    assert not model.converged_
    assert issubclass(estimators.ConvergenceWarning, ps.ConvergenceWarning)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
        model.fit(X, y, w)


def test_max_time_ends_a_fit():
    X, y, _ = data("number", 4000)
    model = estimators.Lasso(1e-3, tol=0.0, max_time=1e-6)
    with pytest.warns(estimators.ConvergenceWarning, match="max_time"):
        model.fit(X, y)
    assert model.result_.reason == "max_time"


@each
def test_clones_and_pickles_fit_and_predict_the_same(case):
    X, y, w = data(case.kind)
    model = case.make().fit(X, y, w)
    again = sklearn.clone(model).fit(X, y, w)
    np.testing.assert_array_equal(again.coef_, model.coef_)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.result_.objective == model.result_.objective


@each
def test_warm_starts_go_on_from_the_last_fit(case):
    X, y, w = data(case.kind)
    model = case.make().set_params(tol=1e-10).fit(X, y, w)
    cold = model.n_iter_
    model.set_params(warm_start=True).fit(X, y, w)
    assert model.n_iter_ <= max(1, cold // 3)


@each
def test_pipelines_searches_and_folds(case):
    X, y, _ = data(case.kind)
    model = case.make()
    step = type(model).__name__.lower()
    name = f"{step}__{'C' if hasattr(model, 'C') else 'alpha'}"
    pipe = make_pipeline(StandardScaler(), model)
    search = GridSearchCV(pipe, {name: [0.03, 0.3, 3.0]}, cv=3).fit(X, y)
    assert np.ptp(search.cv_results_["mean_test_score"]) > 0
    best = pipe.set_params(**{name: search.best_params_[name]})
    assert cross_val_score(best, X, y, cv=3).mean() == pytest.approx(search.best_score_)


def test_names_of_columns_are_kept_through_set_output():
    frames = pytest.importorskip("pandas")
    X, y, _ = data("two")
    frame = frames.DataFrame(X, columns=list("abcdef"))
    pipe = make_pipeline(StandardScaler(), estimators.SparseLogisticRegression())
    pipe.set_output(transform="pandas").fit(frame, y)
    assert list(pipe[-1].feature_names_in_) == list("abcdef")
    with pytest.raises(ValueError, match="feature names"):
        pipe[-1].predict(frame[list("fedcba")])


def test_scikit_learn_is_imported_only_when_asked():
    code = "import sys, proxstep; print('sklearn' in sys.modules, 'scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
