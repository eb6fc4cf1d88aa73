"""Laws of `standardize=True`: it is the problem of divided columns, in the units of X.

The oracle divides a dense copy of X, with deviations taken in extended precision.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest
from loss_cases import on_every_path
from proxstep import _core
from refusals import assert_same_bits, refused
from standardize_cases import LAYOUTS, both, by_row, data, kinds, stored

SOME = ("L1 weighted", "ElasticNet", "Box", "Group segments", "SparseGroup", "L1Ball")
PENALTIES = [c for c in cases.CONVEX if c.name in SOME]
PENALTIES.append(cases.Convex("MCP", lambda _: ps.MCP(0.08), np.copyto))  # no oracle is asked


def assert_same(ours: Any, want: Any, s: Any, tol: float, scale: float = 1.0) -> None:
    assert ours.converged
    assert ours.certificate == want.certificate
    np.testing.assert_allclose(ours.objective, want.objective, rtol=0, atol=2.1 * tol * scale)
    np.testing.assert_allclose(np.asarray(ours.x) * s, want.x, rtol=0, atol=30 * np.sqrt(tol))


@kinds
@cases.each(PENALTIES)
@pytest.mark.parametrize("solver", ["auto", "fista"])
def test_it_is_the_problem_of_divided_columns(kind: str, case: Any, solver: str) -> None:
    turn = cases.KINDS.index(kind) + PENALTIES.index(case)
    d = data(kind, weighted=turn % 2 == 0)
    ours, divided, s = both(d, LAYOUTS[turn % 5], fit_intercept=turn % 3 > 0)
    h, before = case.make(d.shape), ours.X.copy()
    got, want = (ps.solve(p, h, tol=1e-9, solver=solver) for p in (ours, divided))
    if (case.name, d.name) == ("Box", "Softmax"):  # inside the box all classes may move alike
        got, want = (replace(r, x=r.x - r.x.mean(axis=1, keepdims=True)) for r in (got, want))
    assert_same(got, want, s, 1e-9, divided.scale)
    np.testing.assert_allclose(got.intercept, want.intercept, rtol=0, atol=2e-3)
    assert (before != ours.X).sum() == 0


@pytest.mark.parametrize("layout", LAYOUTS)
@kinds
def test_values_gradients_and_gaps_are_in_the_units_of_x(kind: str, layout: str) -> None:
    d = data(kind)
    ours, divided, s = both(d, layout)
    rng, h = np.random.default_rng(5), ps.L1(0.1, weights=np.resize([0.7, 0.0, 1.9], d.shape))
    z, b = rng.normal(0.1, 0.3, d.shape), rng.normal(-0.3, 0.8, d.shape[1:])
    plain = getattr(ps, d.name)(stored(d.X, layout), d.y, d.w, **d.settings)
    for given in ((z / s,), (z / s, b)):
        np.testing.assert_allclose(ours.value(*given), plain.value(*given), 1e-11)
        for got, want in zip(ours.gradient(*given), plain.gradient(*given), strict=True):
            np.testing.assert_allclose(got, want, 1e-9, 1e-11)
    assert ours.lipschitz() == plain.lipschitz()
    np.testing.assert_allclose(ours.duality_gap(z / s, h), divided.duality_gap(z, h), 1e-8)
    np.testing.assert_allclose(ours.lambda_max(h), divided.lambda_max(h), 1e-10)


@kinds
def test_the_units_of_x_do_not_matter(kind: str) -> None:
    """Not even where their squares are next to the largest and smallest numbers."""
    d, units = data(kind, constant=False), np.array([1e150, 3e-150, 0.3, 1e-7, 5e8, 2.0])
    h = ps.ElasticNet(0.02, 0.03)
    for layout in ("F", "csr"):
        results = [
            ps.solve(both(replace(d, X=X), layout)[0], h, tol=1e-10) for X in (d.X, d.X * units)
        ]
        np.testing.assert_allclose(results[1].x * by_row(units, d), results[0].x, 1e-3, 1e-6)
        np.testing.assert_allclose(results[1].objective, results[0].objective, 1e-10)


@kinds
def test_a_start_is_in_the_units_of_x(kind: str) -> None:
    ours, _, _ = both(data(kind), "csc")
    for h in (ps.L1(0.03), ps.Group(ps.L1(0.05), "rows" if len(ours.shape) == 2 else 2)):
        found = ps.solve(ours, h, tol=1e-9)
        at_once = ps.solve(ours, h, tol=2e-9, x0=found.x, max_iter=0)
        assert at_once.converged
        np.testing.assert_allclose(at_once.x, found.x, 1e-14)


@kinds
@pytest.mark.parametrize("layout", ["C", "csc"])
def test_float32_is_certified_in_float64(kind: str, layout: str) -> None:
    d = data(kind)
    d = replace(d, X=d.X.astype("float32").astype("float64"))
    ours, divided, s = both(d, layout, "float32")
    for h in (ps.L1(0.05), ps.Box(-0.1, 0.3)):
        got, want = (ps.solve(p, h, tol=3e-6) for p in (ours, divided))
        assert got.x.dtype == np.float32
        np.testing.assert_allclose(got.objective, want.objective, 0, 1e-5 * divided.scale)
        exact = divided.value(got.x * s) + (h.value(got.x * s) if isinstance(h, ps.L1) else 0.0)
        np.testing.assert_allclose(got.objective, exact, 1e-7)


@pytest.mark.parametrize("kind", ["Logistic", "Softmax"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_threads_and_instruction_sets_change_no_bit(kind: str, layout: str) -> None:
    found = on_every_path(lambda: ps.solve(both(data(kind), layout)[0], ps.L1(0.02)).x)
    for x in found[1:]:
        assert_same_bits(x, found[0])


def test_the_core_multiplies_columns_in_products() -> None:
    d = data("LeastSquares")
    factors, rng = np.array([0.3, 2.0, 1.7, 0.0, 5.0, 0.9]), np.random.default_rng(2)
    for X in (np.asfortranarray(d.X), np.ascontiguousarray(d.X)):
        scaled = _core.Matrix(X).times(factors)
        r, x = rng.standard_normal((len(X), 2)), rng.standard_normal((3, 2))
        out, margins = np.empty((3, 2)), np.zeros((len(X), 2))
        index = np.array([4, 0, 2])
        _core.adjoint(scaled, r, out, index)
        _core.add_product(scaled, x, margins, index)
        chosen = (X * factors)[:, index]
        np.testing.assert_allclose(out, chosen.T @ r, 1e-12)
        np.testing.assert_allclose(margins, chosen @ x, 1e-12)
    with refused(ValueError, r"factors has shape \(5,\); \(6,\) in C order is needed"):
        _core.Matrix(d.X).times(factors[:5])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_large_mean_does_not_make_a_column_constant(layout: str) -> None:
    d = data("LeastSquares")
    X = d.X.copy()
    X[:, 2] = 1e7 + np.sin(np.arange(len(X)))
    ours, divided, s = both(replace(d, X=X, y=X[:, 2] + d.y), layout)
    got, want = (ps.solve(p, ps.L1(0.1), tol=1e-6) for p in (ours, divided))
    assert_same(got, want, s, 1e-6, divided.scale)
    assert got.x[2] > 0.1


def test_what_cannot_be_divided_is_refused() -> None:
    d = data("LeastSquares")
    with refused(ValueError, "standardize=True is for solve and paths"):
        ps.train(both(d)[0], ps.SGD(lr=0.1), None, batch_size=4, epochs=1)
    huge = replace(d, X=d.X * np.array([1e200, 1, 1, 1, 1, 1]))
    with refused(ValueError, "the squares overflow", "mean square of a column of X inf"):
        ps.solve(ps.LeastSquares(huge.X, d.y, standardize=True), ps.L1(0.1))
