"""`standardize=True` in folds, paths, cross-validation and estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
from estimator_cases import data as estimator_data
from estimator_cases import each, each_cv, margins
from scipy import sparse as sp
from sklearn.base import clone
from standardize_cases import UNITS, both, data, kinds


@kinds
def test_folds_are_divided_by_deviations_of_their_own(kind: str) -> None:
    d, h = data(kind), ps.L1(1.0)
    kept = np.arange(len(d.X)) % 3 > 0
    fold = both(d, "csr")[0].with_weights(kept * d.w)
    part, divided, s = both(d.rows(kept, d.w[kept]))
    strengths = fold.lambda_max(h) * np.array([0.5, 0.1, 0.02])
    for path in (ps.path(p, h, lambdas=strengths, tol=1e-9) for p in (fold, part)):
        want = ps.path(divided, h, lambdas=strengths, tol=1e-9)
        np.testing.assert_allclose(path.x * s, want.x, rtol=0, atol=1e-3)
        np.testing.assert_allclose(path.objectives, want.objectives, 1e-8)
        np.testing.assert_allclose(path.losses, want.losses, 1e-3)
        np.testing.assert_allclose(path.intercepts, want.intercepts, rtol=0, atol=2e-3)


def test_cross_validation_scores_what_predictions_are_in_the_units_of_x() -> None:
    d = data("LeastSquares")
    ours, _, _ = both(d, "csr")
    numbers = np.arange(len(d.X)) % 3
    cv = ps.cross_validate(ours, ps.L1(1.0), numbers, n_lambdas=5, lambda_ratio=0.01, tol=1e-10)
    for k in range(3):
        part, out = d.rows(numbers != k, d.w[numbers != k]), d.rows(numbers == k)
        path = ps.path(both(part)[0], ps.L1(1.0), lambdas=cv.lambdas, tol=1e-10)
        errors = out.y[:, None] - out.X @ path.x.T - path.intercepts
        w = d.w[numbers == k] / d.w[numbers == k].sum()
        np.testing.assert_allclose(cv.scores[k], w @ errors**2 / 2, 1e-4)


@each
def test_estimators_are_those_of_a_scaled_x(case: Any) -> None:
    X, y, w = estimator_data(case.kind)
    X = X * UNITS
    s = np.sqrt(np.average((X - np.average(X, axis=0, weights=w)) ** 2, axis=0, weights=w))
    want = case.make().set_params(tol=1e-11).fit(X / s, y, w)
    for form in (X, sp.csr_array(X)):
        ours = case.make().set_params(tol=1e-11, standardize=True).fit(form, y, w)
        np.testing.assert_allclose(ours.coef_ * s, want.coef_, rtol=0, atol=2e-4)
        np.testing.assert_allclose(margins(ours, form), margins(want, X / s), rtol=0, atol=2e-3)
    again = clone(ours).set_params(warm_start=True).fit(X, y, w).fit(X, y, w)
    assert again.n_iter_ == 1


@each_cv
def test_cross_validated_estimators_keep_the_units_of_x(case: Any) -> None:
    X, y, w = estimator_data(case.kind)
    one, other = (
        case.make().set_params(standardize=True, tol=1e-9).fit(X * u, y, w) for u in (1.0, UNITS)
    )
    np.testing.assert_allclose(other.coef_ * UNITS, one.coef_, rtol=0, atol=2e-3)
