"""Laws of least squares by a kept Gram matrix: what the samples say, without reading them."""

from __future__ import annotations

from typing import Any

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest
from proxstep import _core
from proxstep.paths import follow
from proxstep.problems.by_gram import gram_pays
from refusals import refused

sp = pytest.importorskip("scipy.sparse")

settings = pytest.mark.parametrize(
    ("weighted", "fit_intercept", "dtype", "order"),
    [(False, True, "float64", "F"), (True, False, "float64", "C"), (True, True, "float32", "F")],
)


def tall(mean: float = 0.7, weighted: bool = True, **given: Any) -> ps.LeastSquares:
    d = cases.data("LeastSquares", weighted=weighted, n=90, p=8)
    X = np.asfortranarray(d.X + mean, given.pop("dtype", "float64"))
    X[:, 3] = 1.7  # constant
    known = np.linspace(-1.3, 0.9, 90)
    return ps.LeastSquares(
        np.array(X, order=given.pop("order", "F")), d.y, d.w, **given, offset=known
    )


class Counted:
    """A method that counts its calls."""

    def __init__(self, method: Any) -> None:
        self.method, self.count = method, 0

    def __get__(self, owner: Any, kind: Any) -> Any:
        def call(*arguments: Any) -> Any:
            self.count += 1
            return self.method(owner, *arguments)

        return call


@settings
def test_an_evaluation_by_the_gram_matrix_is_that_by_the_samples(
    weighted: bool, fit_intercept: bool, dtype: str, order: str
) -> None:
    P = tall(weighted=weighted, fit_intercept=fit_intercept, dtype=dtype, order=order)
    gram = P._with_gram().double.gram
    x = np.random.default_rng(1).standard_normal(8) * 1.3
    ours, samples = gram.evaluate(x), P.double.evaluate(x)
    assert gram.rounding(x) < 1e-9
    assert abs(ours.loss - samples.loss) <= gram.rounding(x)
    np.testing.assert_allclose(ours.gradient, samples.gradient, rtol=0, atol=1e-12)
    for factor in (0.3, 1.0):
        conjugate = P.double.conjugate(samples.residual, factor)
        assert P.conjugate_at(ours, factor) == pytest.approx(conjugate, rel=1e-11)
    np.testing.assert_allclose(ours.linear, samples.linear, rtol=1e-12)
    np.testing.assert_allclose(ours.residual, samples.residual, rtol=1e-12)


@settings
@pytest.mark.parametrize(
    "penalty",
    [
        ps.L1(1.0),
        ps.ElasticNet(1.0, 0.4),
        ps.L1(1.0, weights=[0.0, 0.6, 1.4, 0.7, np.inf, 2.3, 1.1, 0.9]),
        ps.Group(ps.L1(1.0), [3, 1, 4]),
        ps.MCP(1.0),
    ],
    ids=repr,
)
def test_a_path_is_the_same_with_and_without_the_gram_matrix(
    penalty: Any, weighted: bool, fit_intercept: bool, dtype: str, order: str, monkeypatch: Any
) -> None:
    P = tall(weighted=weighted, fit_intercept=fit_intercept, dtype=dtype, order=order)
    tol = 1e-9 if dtype == "float64" else 1e-6
    kept = ps.path(P, penalty, 6, lambda_ratio=0.02, tol=tol)
    monkeypatch.setattr(follow, "gram_pays", lambda *_: False)
    plain = ps.path(P, penalty, 6, lambda_ratio=0.02, tol=tol)
    assert kept.gaps.max() <= tol
    np.testing.assert_allclose(kept.objectives, plain.objectives, rtol=0, atol=2 * tol * P.scale)
    np.testing.assert_allclose(kept.x, plain.x, rtol=0, atol=30 * tol**0.5)
    np.testing.assert_allclose(kept.intercepts, plain.intercepts, rtol=0, atol=30 * tol**0.5)
    assert not kept.x[:, 3].any() or not fit_intercept


def test_a_path_reads_the_samples_once_for_all_strengths(monkeypatch: Any) -> None:
    P = tall()
    products = Counted(type(P.design).product)
    monkeypatch.setattr(type(P.design), "product", products)
    ps.path(P, ps.L1(1.0), 30, tol=1e-6)
    assert products.count == 0


def test_where_its_rounding_would_show_the_samples_are_read(monkeypatch: Any) -> None:
    P = tall(mean=1e9)
    products = Counted(type(P.design).product)
    monkeypatch.setattr(type(P.design), "product", products)
    path = ps.path(P, ps.L1(1.0), 4, lambda_ratio=0.1, tol=1e-7)
    assert products.count >= 3
    for i in range(4):
        x, lam = path.x[i], float(path.lambdas[i])
        assert path.gaps[i] == pytest.approx(P.duality_gap(x, ps.L1(lam)), abs=1e-7)


def test_columns_with_far_means_are_in_it_as_in_the_samples() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 200))
    X = np.asfortranarray(np.stack([a + 1e7, b, 0.6 * a + 0.8 * b], axis=1))
    P = ps.LeastSquares(X, a + 0.1 * rng.standard_normal(200))
    gram, x = P._with_gram().double.gram, np.array([0.5, 0.0, 0.0])
    assert abs(gram.evaluate(x).loss - P.double.evaluate(x).loss) <= gram.rounding(x) < 1e-6
    path = ps.path(P, ps.L1(1.0), 5, tol=1e-4)
    for point in path:
        assert point.gap <= 1e-4
        assert abs(P.value(point.x) + point.lam * abs(point.x).sum() - point.objective) <= 1e-6


def test_other_weights_have_another_matrix() -> None:
    kept = tall()._with_gram()
    other = kept.with_weights(np.linspace(0.1, 2.0, 90))
    assert (kept.gram is None, other.gram) == (False, None)
    fold = ps.path(other, ps.L1(1.0), 5, tol=1e-9)
    fresh = ps.path(tall().with_weights(np.linspace(0.1, 2.0, 90)), ps.L1(1.0), 5, tol=1e-9)
    np.testing.assert_array_equal(fold.x, fresh.x)


@pytest.mark.parametrize(
    ("n", "p", "times", "pays"),
    [(90, 8, 1, True), (15, 8, 9, False), (400, 90, 2, False), (400, 90, 3, True)],
)
def test_it_pays_for_tall_matrices_and_many_strengths(
    n: int, p: int, times: int, pays: bool
) -> None:
    X = np.ones((n, p))
    assert gram_pays(ps.LeastSquares(X, np.arange(n)), times, None) == pays
    assert not gram_pays(ps.LeastSquares(X, np.ones((n, 2))), times, None)
    assert not gram_pays(ps.LeastSquares(sp.csr_array(X), np.arange(n)), times, None)
    assert not gram_pays(ps.LeastSquares(X, np.arange(n)), times, 1e-9)


def test_the_core_refuses_what_is_no_gram_matrix() -> None:
    y = np.zeros(9)
    matrix = _core.Matrix(np.ones((9, 4)))
    with refused(ValueError, r"gram has shape \(4, 3\); \(4, 4\) in C order is needed"):
        _core.Descent(matrix, "square", [], y).keep_gram(np.ones((4, 3)))
    with refused(ValueError, "a Gram matrix serves the loss 'square' only"):
        _core.Descent(matrix, "logistic", [], y).keep_gram(np.ones((4, 4)))
