"""Laws of coordinate descent: whatever X is stored in, it is the same minimum, to the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
from loss_cases import on_every_path
from proxstep import _core
from proxstep.solvers.certificate import certificate_for
from proxstep.solvers.grouping import group_ids
from proxstep.solvers.screening import screening_for
from refusals import assert_same_bits, refused

sp = pytest.importorskip("scipy.sparse")

LAYOUTS = ("C", "F", "csr", "csc")
LOSSES = ("LeastSquares", "Logistic", "Huber", "Poisson")
SHAPES = [(60, 17), (41, 130), (300, 90)]  # by the Gram matrix, by the samples, by either


def data(shape: tuple[int, int], loss: str) -> tuple[Any, Any]:
    """A third of the entries are stored; columns of unequal scale, one constant and one empty."""
    rng = np.random.default_rng(shape[1])
    X = rng.normal(0.3, 1.0, shape) * (rng.random(shape) < 0.35) * rng.uniform(0.3, 2.4, shape[1])
    X[:, 3], X[:, 7] = 1.3, 0.0
    u = X[:, :3] @ [0.9, -0.8, 0.6] + 0.4 + rng.normal(0, 0.5, shape[0])
    targets = {
        "LeastSquares": u,
        "Logistic": (u > 0.3).astype(float),
        "Huber": u + 9.0 * (rng.random(shape[0]) < 0.1),
        "Poisson": rng.poisson(np.exp(0.5 * u)).astype(float),
    }
    return X, targets[loss]


def stored(X: Any, layout: str, dtype: str = "float64") -> Any:
    X = X.astype(dtype)
    return np.array(X, order=layout) if len(layout) == 1 else getattr(sp, f"{layout}_array")(X)


def penalties(p: int) -> list[Any]:
    weights = np.resize([0.8, 1.7, 1.0, 0.0, 1.2, np.inf, 0.6, 2.1], p)
    ragged = [1, 4, 0, 7, p - 12]
    return [
        ps.L1(0.03),
        ps.ElasticNet(0.02, 0.07, weights=weights),
        ps.NonNegativeL1(0.02),
        ps.Box(-0.15, 0.4),
        ps.Group(ps.L1(0.04), ragged, group_weights=[0.7, 1.4, 1.0, 2.0, 0.9]),
        ps.Group(ps.ElasticNet(0.03, 0.2), [2] * (p // 2) + [p % 2]),
        ps.SparseGroup(0.02, 0.03, ragged, weights=np.resize([0.5, 1.6], p)),
    ]


def problem(shape: tuple[int, int], loss: str, layout: str = "F", **settings: Any) -> Any:
    X, y = data(shape, loss)
    w = np.resize([0.6, 1.9, 1.1, 0.0], shape[0]) if settings.pop("weighted", True) else None
    X = stored(X, layout, settings.pop("dtype", "float64"))
    return getattr(ps, loss)(X, y, w, **settings)


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


def test_what_it_does_not_serve_is_refused_by_name() -> None:
    P = problem((60, 17), "LeastSquares")
    for h in (ps.L1Ball(1.0), ps.L0(0.1), ps.Group(ps.L0(0.1), 17)):
        assert ps.solve(P, h, tol=1e-4).solver == "fista"
        with refused(ValueError, "solver='cd' does not serve .*; 'fista' does"):
            ps.solve(P, h, solver="cd")


def test_the_core_refuses_what_does_not_fit() -> None:
    X, y = data((60, 17), "LeastSquares")
    matrix = _core.Matrix(np.asfortranarray(X))
    with refused(ValueError, "no loss 'hinge'"):
        _core.Descent(matrix, "hinge", [], y)
    with refused(ValueError, r"targets has shape \(59,\); \(60,\) in C order is needed"):
        _core.Descent(matrix, "square", [], y[:-1].copy())
    held, x, zeros = _core.Descent(matrix, "square", [], y), np.zeros(17), np.zeros(60)
    arguments = (x, zeros, np.zeros(17), 0.0, 10)
    for wrong in ([0, 17], [3, 3], [4, 2], [5, -1]):
        words = rf"blocks\[1\] is {wrong[1]}; they increase within 0 to 16"
        with refused(ValueError, words, keep=[x]):
            held.run(ps.L1(0.1).spec, np.array(wrong), *arguments)
    with refused(TypeError, "targets is None"):
        _core.Descent(matrix, "square", [], None)
    for gone in (1, 2):
        given = (*arguments[:gone], None, *arguments[gone + 1 :])
        with refused(TypeError, "(margins|gradient) is None", keep=[x]):
            held.run(ps.L1(0.1).spec, np.arange(2), *given)
    with refused(TypeError, "N:M", keep=[x]):
        held.run(ps.Quantize(2).spec, np.arange(2), *arguments)


@pytest.mark.parametrize("groups", [None, 10])
@pytest.mark.parametrize("loss", ["LeastSquares", "Logistic", "Huber"])
def test_what_is_screened_is_zero_at_the_optimum(loss: str, groups: int | None) -> None:
    P, lam = problem((41, 130), loss), 0.12 if groups is None else 0.35
    h = ps.L1(lam) if groups is None else ps.Group(ps.L1(lam), groups)
    best = ps.solve(P, h, tol=1e-12)
    certificate = certificate_for(P, h)
    ids = None if groups is None else group_ids(groups, P.shape)
    screening = screening_for(P, certificate, ids)
    assert screening is not None
    for tol in (1e-1, 1e-2, 1e-4, 1e-8):
        at = P.evaluate(ps.solve(P, h, tol=tol).x)
        objective = at.loss + h.value(at.x)
        certificate.measure(at, objective, 1.0)
        screening.update(at, objective, 1e-15)
        assert not best.x[~screening.kept].any()
    assert 0 < np.count_nonzero(best.x) <= np.count_nonzero(screening.kept) < 130
    whole = P.evaluate(at.x).gradient
    screening.shorten(at := P.evaluate(at.x))
    np.testing.assert_allclose(at.gradient[screening.kept], whole[screening.kept], atol=1e-14)
    assert not at.gradient[~screening.kept].any()


def test_no_rule_screens_where_none_is_known() -> None:
    P = problem((60, 17), "LeastSquares")
    for h in (ps.L1(0.1, weights=np.arange(17.0)), ps.MCP(0.1), ps.SparseGroup(0.1, 0.1, 17)):
        assert screening_for(P, certificate_for(P, h), None) is None
    assert screening_for(problem((60, 17), "Poisson"), certificate_for(P, ps.L1(0.1)), None) is None
    screening = screening_for(P, certificate_for(P, ps.ElasticNet(0.1, 0.2)), None)
    assert screening is not None
    assert (screening.limits == 0).all()


@pytest.mark.parametrize("solver", ["cd", "fista"])
def test_the_objective_of_a_float32_solution_is_that_of_its_numbers(solver: str) -> None:
    P = problem((300, 90), "Logistic", "F", dtype="float32")
    h = ps.L1(0.0137)  # no number of float32
    result = ps.solve(P, h, tol=1e-6, solver=solver)
    exact = P.double.evaluate(result.x.astype(np.float64)).loss + h.value(result.x.astype(float))
    assert result.objective == pytest.approx(exact, rel=1e-14)
    assert result.gap <= 1e-6
