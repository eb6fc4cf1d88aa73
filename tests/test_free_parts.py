"""Laws of fits with unpenalised columns: no certificate where another point is better."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest
from proxstep.problems.weights import SampleWeights
from proxstep.solvers import free_part
from proxstep.solvers.independent import base_of, independent

sp = pytest.importorskip("scipy.sparse")
kinds = pytest.mark.parametrize("kind", cases.KINDS)
solvers = pytest.mark.parametrize("solver", ["cd", "fista"])
TOL = 1e-8


def fitted(kind: str, X: Any, penalty: Any = None, **settings: Any) -> tuple[Any, Any]:
    """The problem of a kind with other columns, and what solves it."""
    problem = cases.problem(replace(cases.data(kind), X=X))
    return problem, ps.solve(problem, penalty, tol=TOL, **settings)


def free_first(shape: tuple[int, ...], count: int) -> ps.L1:
    """L1 without the first rows of x."""
    weights = np.ones(shape)
    weights[:count] = 0.0
    return ps.L1(0.03, weights=weights)


def reaches(problem: Any, penalty: ps.L1, best: float) -> None:
    """At fits of all other columns, and near them, the gap of the first one reaches the optimum."""
    pinned = np.array(penalty.weights)
    pinned[0] = np.inf
    without = ps.solve(problem, replace(penalty, weights=pinned), tol=1e-10).x
    for share in (0.0, 0.9, 0.99, 0.999, 0.9999, 0.99999, 1.0):
        x = share * without
        above = problem.value(x) + penalty.value(x) - best
        assert above > 0.002 * problem.scale
        assert problem.duality_gap(x, penalty) * problem.scale >= 0.999 * above


@kinds
@solvers
@pytest.mark.parametrize("by", [1e-15, 1e-60, 1e15, 1e60])
def test_units_of_free_columns_do_not_matter(kind: str, solver: str, by: float) -> None:
    """Beside the intercept, whose column is 1, and beside each other."""
    d = cases.data(kind)
    units, penalty = np.array([1e-13, by, 1.0, 1.0, 1.0, 1.0]), free_first(d.shape, 3)
    plain, want = fitted(kind, d.X, penalty)
    problem, found = fitted(kind, d.X * units, penalty, solver=solver)
    assert found.converged
    assert abs(found.objective - want.objective) <= 2 * TOL * plain.scale
    reaches(problem, penalty, want.objective)


@kinds
@pytest.mark.parametrize("apart", [1e-8, 1e-9, 1e-10])
@pytest.mark.parametrize("dense", [True, False])
def test_free_columns_that_are_alike_are_certified_by_what_they_differ_in(
    kind: str, apart: float, dense: bool
) -> None:
    """Their span is that of the plain columns."""
    d, penalty = cases.data(kind), free_first(cases.data(kind).shape, 3)
    best = fitted(kind, d.X, penalty)[1].objective
    X = d.X.copy()
    X[:, 0] = X[:, 1] + apart * d.X[:, 0]
    problem = getattr(ps, d.name)(X if dense else sp.csc_array(X), d.y, **d.settings)
    reaches(problem, penalty, best)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ps.ConvergenceWarning)
        found = ps.solve(problem, penalty, tol=1e-6, max_iter=300)
    near = found.objective - best <= 2e-6 * problem.scale
    assert near or not found.converged


@kinds
@solvers
def test_columns_that_are_constant_or_repeated_up_to_rounding_stop_nothing(
    kind: str, solver: str
) -> None:
    d = cases.data(kind)
    rng = np.random.default_rng(5)
    constant = 1e6 * (1.0 + 2e-16 * rng.integers(-3, 4, len(d.X)))
    far = 1e3 + 1e-15 * d.X[:, 0]
    repeated = 3.0 * (d.X[:, 0] + 1e4) + 0.1
    X = np.column_stack([constant, repeated, far, d.X[:, 0] + 1e4, 1e-14 * d.X[:, 1], d.X[:, 2:]])
    shape = (X.shape[1], *d.shape[1:])
    plain, want = fitted(kind, d.X, free_first(d.shape, 2))
    _, found = fitted(kind, X, free_first(shape, 5), solver=solver)
    assert found.converged
    assert abs(found.objective - want.objective) <= 1e-6 * plain.scale


@kinds
@pytest.mark.parametrize("value", [1e20 / 3, 1e100 / 3, -1e200 / 3])
def test_fista_steps_as_if_constant_columns_were_not_there(kind: str, value: float) -> None:
    d = cases.data(kind)
    X = np.column_stack([d.X, np.full(len(d.X), value)])
    plain, want = fitted(kind, d.X, ps.L1(0.03), solver="fista")
    _, found = fitted(kind, X, ps.L1(0.03), solver="fista")
    assert found.converged
    assert found.n_iter <= 2 * want.n_iter
    assert abs(found.objective - want.objective) <= 2 * TOL * plain.scale


def test_a_gap_beyond_the_range_of_an_exponential_is_infinite() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 4)), rng.poisson(2.0, 40)
    problem = ps.Poisson(X, y, fit_intercept=False)
    for size in (200.0, 309.0, 500.0):
        with np.errstate(over="ignore", invalid="ignore"):
            gap = problem.duality_gap(np.array([1.0, -2, 0.5, 1]) * size, free_first((4,), 2))
        assert gap == np.inf


@kinds
@pytest.mark.parametrize("standardize", [False, True])
def test_a_path_looks_for_directions_once(kind: str, standardize: bool) -> None:
    d = cases.data(kind)
    problem = cases.problem(d, standardize=standardize)
    made = []
    whole = free_part.FreePart.__init__

    def counted(self: Any, *args: Any) -> None:
        made.append(self)
        whole(self, *args)

    with patch.object(free_part.FreePart, "__init__", counted):
        ps.path(problem, free_first(d.shape, 2), lambdas=[0.1, 0.05, 0.02, 0.01])
    assert len(made) == 1
    made.clear()
    assert not problem.double.design.free_parts  # nothing of the size of X is kept


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("apart", [0.3, 1e-5, 1e-9, 1e-12])
def test_a_base_spans_its_columns_and_is_well_conditioned(apart: float, weighted: bool) -> None:
    rng = np.random.default_rng(1)
    n, shares = 60, rng.exponential(1.0, 60) * (rng.random(60) < 0.8)
    problem = ps.LeastSquares(rng.standard_normal((n, 2)), rng.standard_normal(n))
    exact = shares / shares.sum() if weighted else None
    weights = SampleWeights(problem.xp, exact, n, np.dtype(float))
    columns = rng.standard_normal((n, 6))
    columns[:, 1] = columns[:, 0] + apart * rng.standard_normal(n)
    columns[:, 4] = columns[:, 2]
    columns[:, 5] = columns[:, 2] + columns[:, 3] - columns[:, 0]
    rounding = np.full(6, 64 * np.finfo(float).eps)
    base, coordinates = base_of(columns, weights, rounding)
    np.testing.assert_allclose(base @ coordinates, columns, rtol=0, atol=1e-13)
    frame = independent(coordinates, rounding)
    assert frame.shape[1] == 4
    np.testing.assert_allclose(weights.squares(base @ frame), np.eye(4), atol=1e-3)
