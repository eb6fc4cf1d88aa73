"""Laws of huge and tiny numbers: solved, or refused with their size; never a wrong result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest
from refusals import refused

sp = pytest.importorskip("scipy.sparse")
kinds = pytest.mark.parametrize("kind", cases.KINDS)
solvers = pytest.mark.parametrize("solver", ["auto", "fista"])


def scaled(kind: str, by: Any, dtype: str = "float64") -> Any:
    """A problem whose columns are multiplied by these factors."""
    d = cases.data(kind)
    return cases.problem(replace(d, X=d.X * by), dtype)


@kinds
@pytest.mark.parametrize("by", [1e-320, 1e-200, 1e-160])
def test_columns_whose_squares_vanish_are_refused(kind: str, by: float) -> None:
    for solver in ("auto", "fista"):
        with refused(ValueError, r"squares vanish: .* column of X (0|[\d.]*e-3\d\d); .* larger"):
            ps.solve(scaled(kind, by), ps.L1(0.05 * by), solver=solver)


def test_whatever_looks_at_the_squares_says_so() -> None:
    problem = scaled("LeastSquares", 1e-160)
    for run in (ps.path, ps.cross_validate):
        with refused(ValueError, "squares vanish"):
            run(problem, ps.Group(ps.L1(1.0), 2))
    with refused(ValueError, "squares overflow"):
        ps.path(scaled("LeastSquares", 1e160), ps.Group(ps.L1(1.0), 2))
    d = cases.data("LeastSquares")
    for X in (sp.csr_array(d.X * 1e-170), sp.csc_array(d.X * 1e-170)):
        for standardize in (False, True):
            with refused(ValueError, "squares vanish"):
                ps.solve(ps.LeastSquares(X, d.y, standardize=standardize), ps.L1(1e-172))


@pytest.mark.parametrize("by", [1e-320, 1e-200, 1e-160])
def test_targets_whose_squares_vanish_are_refused(by: float) -> None:
    d = cases.data("LeastSquares")
    with refused(ValueError, r"squares vanish: the loss at x = 0 is (0|[\d.]*e-3\d\d), "):
        ps.solve(ps.LeastSquares(d.X, d.y * by), ps.L1(0.05 * by))


@kinds
@pytest.mark.parametrize("value", [0.0, 2.7, 1e-90, -3e3])
def test_a_constant_matrix_has_no_squares_and_is_solved(kind: str, value: float) -> None:
    d = cases.data(kind)
    result = ps.solve(cases.problem(replace(d, X=np.full_like(d.X, value))), ps.L1(0.05))
    assert result.converged
    np.testing.assert_array_equal(result.x, 0.0)


def test_samples_of_no_weight_do_not_count() -> None:
    """All that have weight are constant."""
    d = cases.data("LeastSquares")
    weights = (np.arange(len(d.X)) < 9).astype(float)
    X = np.where(weights[:, None] > 0, 1.5, d.X)
    assert ps.solve(ps.LeastSquares(X, d.y, weights), ps.L1(0.05)).converged


@kinds
@solvers
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_tiny_column_is_one_of_zeros(kind: str, solver: str, dtype: str) -> None:
    by = np.array([1.0, 1.0, 1e-160 if dtype == "float64" else 1e-25, 1.0, 1.0, 1.0])
    tiny, zero = scaled(kind, by, dtype), scaled(kind, np.where(by < 1, 0.0, by), dtype)
    ours, plain = (ps.solve(P, ps.L1(0.03), tol=1e-6, solver=solver) for P in (tiny, zero))
    assert ours.converged
    assert ours.objective == pytest.approx(plain.objective, rel=1e-5)


@kinds
@solvers
@pytest.mark.parametrize("by", [2.0**-80, 2.0**80])
def test_float32_has_no_less_range(kind: str, solver: str, by: float) -> None:
    """Squares of these columns are beyond float32."""
    plain = ps.solve(scaled(kind, 1.0, "float32"), ps.L1(0.05), tol=1e-5)
    result = ps.solve(scaled(kind, by, "float32"), ps.L1(0.05 * by), tol=1e-5, solver=solver)
    assert result.converged
    assert result.objective == pytest.approx(plain.objective, rel=1e-4)


@solvers
def test_a_solution_beyond_float32_is_refused(solver: str) -> None:
    problem = scaled("LeastSquares", 1e-41, "float32")
    words = r"overflows float32: its largest parameter is [\d.]*e\+\d\d; bring X to larger scales"
    with refused(ValueError, words):
        ps.solve(problem, ps.L1(1e-43), tol=1e-4, solver=solver)


def test_float32_keeps_its_certificate_beside_far_means():
    """The intercept stays in float64: rounded, it would move every margin."""
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((100, 20)) + 1e6).astype("float32")
    y = X[:, :4].astype(float) @ [2.0, -1.0, 0.5, 1.0] + rng.normal(0.0, 0.3, 100)
    y = y.astype("float32").astype(float)
    result, exact = (ps.solve(ps.LeastSquares(A, y), ps.L1(0.05)) for A in (X, X.astype(float)))
    double, x = ps.LeastSquares(X.astype(float), y), result.x.astype(float)
    value = double.value(x, result.intercept) + 0.05 * np.abs(x).sum()
    assert result.converged
    assert abs(value - result.objective) <= 1e-9 * double.scale
    assert value <= exact.objective + 2e-6 * double.scale


@pytest.mark.parametrize("unit", [1e150, 1e-150])
def test_standard_errors_of_a_cross_validation_scale_with_the_squares_of_y(unit):
    d = cases.data("LeastSquares")
    plain = ps.cross_validate(cases.problem(d), ps.L1(1.0), folds=3, n_lambdas=5, tol=1e-9)
    scaled = ps.LeastSquares(d.X, d.y * unit)
    found = ps.cross_validate(scaled, ps.L1(1.0), folds=3, n_lambdas=5, tol=1e-9)
    np.testing.assert_allclose(found.standard_error / unit / unit, plain.standard_error, 1e-6)
    assert found.one_standard_error_index == plain.one_standard_error_index


def test_many_fits_and_paths_take_what_solve_takes():
    """Products of X and y of which the squares overflow, beside squares that do not."""
    d = cases.data("LeastSquares")
    X, y, lam = d.X * 1e100, d.y * 1e100, 0.07e200
    want = ps.solve(ps.LeastSquares(X, y), ps.L1(lam), tol=1e-9)
    plain = ps.solve(cases.problem(d), ps.L1(0.07), tol=1e-9)
    assert want.converged
    np.testing.assert_allclose(want.x, plain.x, 1e-6)
    many = ps.solve_many(X, y[:, None], ps.L1(lam), 1e-9)
    np.testing.assert_allclose(many.x[0], plain.x, 1e-6)
    with pytest.raises(ValueError, match="the squares overflow"):
        ps.path(ps.LeastSquares(d.X, d.y * 1e160), ps.L1(1.0))


@pytest.mark.parametrize(("x_scale", "y_scale"), [(1e-150, 1e8), (1e-100, 1e100), (1e150, 1e-100)])
@pytest.mark.parametrize("kind", ["L1", "NonNegativeL1", "Box"])
def test_fista_takes_steps_whose_squares_overflow(
    x_scale: float, y_scale: float, kind: str
) -> None:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((30, 5))
    y = X @ [1.0, 0.0, 2.0, 0.0, 0.5] + rng.normal(0.0, 0.1, 30)

    def solution(a: float, b: float) -> Any:
        lam = 0.05 * a * b
        h = ps.Box(-0.7 * b / a, 0.9 * b / a) if kind == "Box" else getattr(ps, kind)(lam)
        result = ps.solve(ps.LeastSquares(X * a, y * b), h, tol=1e-9, solver="fista")
        assert result.converged, result
        return result.x * (a / b)

    np.testing.assert_allclose(solution(x_scale, y_scale), solution(1.0, 1.0), atol=1e-4)


@pytest.mark.parametrize("penalty", [ps.L1, ps.NonNegativeL1])
def test_steps_are_not_lengthened_to_infinity(penalty: type) -> None:
    """Those of tiny columns are large numbers."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X = 1e-150 * rng.standard_normal((1, 8))
        problem = ps.LeastSquares(X, 1e150 * rng.standard_normal(1), fit_intercept=False)
        lam = 1e-4 * problem.lambda_max(penalty(1.0))
        assert ps.solve(problem, penalty(lam), tol=1e-5, solver="fista").converged
