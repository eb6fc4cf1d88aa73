"""Laws of coordinate descent: whatever X is stored in, it is the same minimum, to the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
from descent_cases import LAYOUTS, LOSSES, SHAPES, data, penalties, problem
from loss_cases import on_every_path
from refusals import assert_same_bits


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_it_reaches_what_fista_reaches(loss: str, shape: Any, fit_intercept: bool) -> None:
    P = problem(shape, loss, fit_intercept=fit_intercept, weighted=shape[0] != 60)
    for h in penalties(shape[1]):
        ours = ps.solve(P, h, tol=1e-9, solver="cd")
        other = ps.solve(P, h, tol=1e-9, solver="fista", max_iter=100_000)
        assert (ours.solver, ours.certificate) == ("cd", other.certificate)
        assert ours.converged
        assert abs(ours.objective - other.objective) <= 2.1e-9 * P.scale
        assert h.value(ours.x) < np.inf


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_layout_is_the_same_problem(loss: str, shape: Any) -> None:
    for h in penalties(shape[1])[::2]:
        found = [ps.solve(problem(shape, loss, kind), h, tol=1e-12) for kind in LAYOUTS]
        for other in found[1:]:
            np.testing.assert_allclose(other.objective, found[0].objective, rtol=1e-11)
            np.testing.assert_allclose(other.x, found[0].x, rtol=0, atol=3e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_threads_and_instruction_sets_change_no_bit(layout: str, shape: Any) -> None:
    for loss in ("LeastSquares", "Logistic"):
        for h in penalties(shape[1])[::4]:
            found = on_every_path(lambda: ps.solve(problem(shape, loss, layout), h, tol=1e-8).x)  # noqa: B023
            for x in found[1:]:
                assert_same_bits(x, found[0])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_float32_is_read_as_it_is_stored(layout: str) -> None:
    P = problem((300, 90), "Logistic", layout, dtype="float32")
    X = data((300, 90), "Logistic")[0].astype("float32").astype("float64")
    exact = ps.Logistic(X, *data((300, 90), "Logistic")[1:], np.resize([0.6, 1.9, 1.1, 0.0], 300))
    ours, other = ps.solve(P, ps.L1(0.01), tol=1e-7), ps.solve(exact, ps.L1(0.01), tol=1e-9)
    assert ours.x.dtype == np.float32
    assert ours.gap <= 1e-7
    np.testing.assert_allclose(ours.objective, other.objective, rtol=2e-7)


def test_a_second_strength_finds_the_gram_matrix_of_the_first() -> None:
    P = problem((300, 90), "LeastSquares")
    for lam in (0.2, 0.02, 0.07):
        again = ps.solve(P, ps.L1(lam), tol=1e-11)
        fresh = ps.solve(problem((300, 90), "LeastSquares"), ps.L1(lam), tol=1e-11)
        np.testing.assert_allclose(again.x, fresh.x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("h", [ps.MCP(0.08), ps.SCAD(0.08), ps.Group(ps.MCP(0.09), 10)], ids=repr)
@pytest.mark.parametrize("loss", ["LeastSquares", "Logistic"])
def test_penalties_that_are_not_convex_end_where_no_block_asks_to_move(h: Any, loss: str) -> None:
    P = problem((300, 90), loss)
    result = ps.solve(P, h, tol=1e-8)
    assert (result.solver, result.certificate) == ("cd", "optimality violation")
    assert result.converged
    gradient, _ = P.gradient(result.x)
    s = 0.2 / P.lipschitz()
    np.testing.assert_allclose(h.prox(result.x - s * gradient, s), result.x, rtol=0, atol=1e-6)


@pytest.mark.parametrize("share", [1e-3, 1e-6])
def test_rare_classes_and_large_margins_do_not_stall_it(share: float) -> None:
    rng = np.random.default_rng(2)
    X = np.asfortranarray(rng.normal(0, 3.0, (4000, 12)))
    w = np.where(np.arange(4000) < 4, share, 1.0)
    y = (np.arange(4000) < 4).astype(float)
    result = ps.solve(ps.Logistic(X, y, w), ps.L1(1e-9), tol=1e-6)
    assert result.converged
    assert result.n_iter < 2000


def test_groups_that_are_heads_are_parts_of_a_vector() -> None:
    P = problem((300, 90), "LeastSquares")
    heads = ps.solve(P, ps.Group(ps.L1(0.05), ("heads", 9)), tol=1e-10)
    np.testing.assert_array_equal(heads.x, ps.solve(P, ps.Group(ps.L1(0.05), 10), tol=1e-10).x)


@pytest.mark.parametrize("solver", ["cd", "fista"])
def test_the_objective_of_a_float32_solution_is_that_of_its_numbers(solver: str) -> None:
    P = problem((300, 90), "Logistic", "F", dtype="float32")
    h = ps.L1(0.0137)  # no number of float32
    result = ps.solve(P, h, tol=1e-6, solver=solver)
    exact = P.double.evaluate(result.x.astype(np.float64)).loss + h.value(result.x.astype(float))
    assert result.objective == pytest.approx(exact, rel=1e-14)
    assert result.gap <= 1e-6


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_intercept_is_told_how_far_it_moved(loss: str, weighted: bool) -> None:
    """Beside X minus its means, so that the fit of the intercept has nothing left to do."""
    P = problem((300, 90), loss, weighted=weighted)
    x, before = np.zeros(90), P.null
    margins = P.shifted(before.linear, before.offset)
    change, _ = P.descent.run(
        ps.L1(0.01).spec, np.arange(90), x, margins, before.gradient, 1e-14, 10_000
    )
    after = P.evaluate(x)
    assert abs(after.offset - before.offset - change) <= 1e-9
    assert loss == "LeastSquares" or abs(change) > 1e-3
