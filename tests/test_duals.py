"""Laws of the duals: conjugates, weak duality, and the strength from which on all is zero."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest
import reference_problems as ref
from proxstep.solvers.certificate import certificate_for
from proxstep.solvers.duals import dual_of

SHAPES = [(6,), (6, 3)]


@cases.each(cases.CONVEX)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_conjugate_meets_the_penalty_at_a_prox(case, shape):
    """With x = prox(z) and u = z - x, h(x) + h*(u) = <u, x> and u is in the domain."""
    penalty = case.make(shape)
    dual = dual_of(penalty, shape)
    rng = np.random.default_rng(5)
    for scale in (0.05, 0.6, 4.0):
        z = rng.normal(0.1, scale, shape)
        x = case.prox(z, 1.0)
        np.testing.assert_allclose(penalty.prox(z, 1.0), x, rtol=0, atol=1e-14)
        v = x - z
        assert dual.gauge(v) <= 1 + 1e-12
        total = penalty.value(x) + dual.conjugate(v)
        assert total == pytest.approx(float(np.vdot(-v, x)), abs=1e-12)


@cases.each(cases.CONVEX)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_gauge_is_the_scale_at_which_the_prox_leaves_zero(case, shape):
    """prox(-v, 1) = 0 exactly up to gauge 1: -v is in the subdifferential at 0."""
    penalty = case.make(shape)
    dual = dual_of(penalty, shape)
    v = np.random.default_rng(6).normal(-0.2, 1.0, shape)
    gauge = dual.gauge(v)
    if not case.sparse or gauge == 0:
        assert dual.gauge(1e6 * v) == 0
        return
    assert dual.gauge(3 * v) == pytest.approx(3 * gauge, rel=1e-12)
    assert not penalty.prox(-v / (1.000001 * gauge)).any()
    assert penalty.prox(-v / (0.999999 * gauge)).any()


@cases.each(cases.CONVEX)
@pytest.mark.parametrize("kind", cases.KINDS)
@pytest.mark.parametrize("intercept", [False, True])
def test_the_gap_bounds_the_suboptimality_everywhere(case, kind, intercept):
    d = cases.data(kind)
    problem = cases.problem(d, fit_intercept=intercept)
    penalty = case.make(d.shape)
    best = ps.solve(problem, penalty, tol=1e-11)
    assert problem.duality_gap(best.x, penalty) <= 1e-8
    rng = np.random.default_rng(7)
    for scale in (0.0, 0.01, 0.5):
        x = case.prox(best.x + rng.normal(0, scale, d.shape), 1e-9)
        above = problem.value(x) + penalty.value(x) - best.objective
        assert problem.duality_gap(x, penalty) >= above / problem.scale - 1e-10


def test_the_gap_is_infinite_outside_and_refused_without_a_dual():
    problem = cases.problem(cases.data("Logistic"))
    assert problem.duality_gap(np.full(6, 2.0), ps.Box(-0.1, 0.3)) == np.inf
    with pytest.raises(TypeError, match=r"MCP\(lam=0.1, gamma=3.0\) has no duality gap"):
        problem.duality_gap(np.zeros(6), ps.MCP(0.1))


STRENGTHS = [
    (ps.L1(0.3), "lam"),
    (ps.L1(0.3, weights=[0.7, 1.9, 0.4, 1.2, np.inf, 0.9]), "lam"),
    (ps.L1(0.3, weights=[0.7, 0.0, 0.4, 1.2, 2.1, 0.0]), "lam"),
    (ps.NonNegativeL1(0.3), "lam"),
    (ps.ElasticNet(0.3, 0.2), "l1"),
    (ps.Group(ps.L1(0.3), [1, 3, 2], group_weights=[0.7, 1.9, 0.4]), "lam"),
    (ps.Group(ps.L1(0.3), [1, 3, 2], group_weights=[0.7, 0.0, 0.4]), "lam"),
    (ps.SparseGroup(0.2, 0.3, 2, group_weights=[0.7, 1.9, 0.4]), "lam"),
]


def of_strength(penalty, lam):
    """The penalty with another strength; SparseGroup keeps its ratio."""
    if isinstance(penalty, ps.Group):
        return replace(penalty, penalty=replace(penalty.penalty, lam=lam))
    if isinstance(penalty, ps.SparseGroup):
        return replace(penalty, l1=lam * penalty.l1 / penalty.lam, lam=lam)
    name = "l1" if isinstance(penalty, ps.ElasticNet) else "lam"
    return replace(penalty, **{name: lam})


@pytest.mark.parametrize(("penalty", "name"), STRENGTHS, ids=repr)
@pytest.mark.parametrize("kind", ["LeastSquares", "Logistic"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_zeros_are_exact_from_lambda_max_on(penalty, name, kind, dtype):
    problem = cases.problem(cases.data(kind), dtype)
    lam = problem.lambda_max(penalty)
    dual = dual_of(penalty, (6,))
    for factor in (1.0, 1.3, 40.0):
        x = ps.solve(problem, of_strength(penalty, factor * lam), tol=1e-7).x
        assert not x[~dual.free].any()
        assert x[dual.free].all()
    assert ps.solve(problem, of_strength(penalty, 0.98 * lam), tol=1e-7).x[~dual.free].any()
    assert problem.lambda_max(of_strength(penalty, 5.0)) == pytest.approx(lam, rel=1e-12)


@pytest.mark.parametrize("over", ["rows", "columns"])
def test_whole_groups_of_softmax_vanish_at_lambda_max(over):
    problem = cases.problem(cases.data("Softmax"))
    lam = problem.lambda_max(ps.Group(ps.L1(1.0), over))
    assert not ps.solve(problem, ps.Group(ps.L1(lam), over)).x.any()
    norms = np.linalg.norm(
        ps.solve(problem, ps.Group(ps.L1(0.9 * lam), over)).x, axis=1 if over == "rows" else 0
    )
    assert norms.any()
    assert not norms.all()


@pytest.mark.parametrize("penalty", [ps.MCP(0.4), ps.SCAD(0.4)], ids=repr)
def test_concave_penalties_have_the_strength_of_l1(penalty):
    problem = cases.problem(cases.data("LeastSquares"))
    lam = problem.lambda_max(penalty)
    assert lam == problem.lambda_max(ps.L1(1.0))
    assert not ps.solve(problem, replace(penalty, lam=1.001 * lam)).x.any()


@pytest.mark.parametrize(
    "penalty", [ps.SquaredL2(1.0), ps.Box(-1.0, 1.0), ps.L0(1.0), ps.L1Ball(1.0)], ids=repr
)
def test_other_penalties_have_no_lambda_max(penalty):
    with pytest.raises(TypeError, match=r"no strength of .* is known from which on all"):
        cases.problem(cases.data("LeastSquares")).lambda_max(penalty)


def test_the_null_model_is_the_unit():
    """At x = 0 with the intercept fitted, half the variance, or the entropy of the labels."""
    d = cases.data("LeastSquares")
    assert cases.problem(d).scale == pytest.approx(d.y.var() / 2, rel=1e-14)
    d = cases.data("Softmax")
    share = np.bincount(d.y) / len(d.y)
    assert cases.problem(d).scale == pytest.approx(-(share * np.log(share)).sum(), rel=1e-14)
    assert ref.loss(d, np.zeros(d.shape), np.log(share)) == pytest.approx(cases.problem(d).scale)


def test_a_point_that_was_measured_is_not_measured_again():
    """The null model is looked at twice: as an optimum and as a start."""
    P = ps.Logistic(np.random.default_rng(0).standard_normal((30, 5)), np.arange(30) % 2)
    certificate = certificate_for(P, ps.L1(0.01))
    first = certificate.measure(P.null, P.null.loss, 1.0)
    with patch.object(ps.Logistic, "conjugate", side_effect=AssertionError):
        assert certificate.measure(P.null, P.null.loss, 1.0) == first
        with pytest.raises(AssertionError):
            certificate.measure(P.evaluate(np.zeros(5)), P.null.loss, 1.0)


def test_a_softmax_with_free_parameters_claims_no_bound_that_is_beaten():
    rng = np.random.default_rng(1)
    for _ in range(60):
        n, k = int(rng.integers(4, 12)), int(rng.integers(2, 4))
        X = np.abs(rng.standard_normal((n, 2)))
        X[:, 0] = 1.0
        y = rng.choice(k, n, p=[0.85] + [0.15 / (k - 1)] * (k - 1))
        offset = rng.standard_normal((n, k)) * rng.choice([1, 2])
        problem = ps.Softmax(X, y, fit_intercept=False, classes=k, offset=offset)
        penalty = ps.L1(0.3, weights=np.array([[0.0] * k, [1.0] * k]))
        points = rng.standard_normal((30, 2, k)) * rng.choice([0.1, 1, 3], (30, 1, 1))
        found = [
            (problem.value(x) + penalty.value(x), problem.duality_gap(x, penalty)) for x in points
        ]
        bound = max(objective - gap * problem.scale for objective, gap in found)
        assert bound <= min(objective for objective, _ in found) + 1e-9 * problem.scale


def test_a_gap_with_many_weak_strengths_needs_no_projection():
    """The dual without them has as many free parameters as X has columns."""
    problem = cases.problem(cases.data("Logistic", p=200))
    with patch("proxstep.solvers.certificate.project", side_effect=AssertionError):
        assert problem.duality_gap(np.zeros(200), ps.L1(1e-20)) > 0.1


def separated(loss):
    """Samples with an indicator of x are all of one class (or counts of 0), so that x_0 grows.

    Returns the problem, and that of the other samples, which are what is left in the limit.
    """
    rng = np.random.default_rng(7)
    X = rng.standard_normal((60, 9))
    X[:, :2] = rng.random((60, 2)) < 0.25
    u = X[:, 2] - X[:, 3] + 0.5 * rng.standard_normal(60)
    targets = {
        "Logistic": (u > 0.3).astype(float),
        "Poisson": rng.poisson(np.exp(0.5 * u)).astype(float),
        "Softmax": np.digitize(u, [-0.4, 0.6]),
    }
    y, alone = targets[loss], X[:, 0] > 0
    y[alone] = 0
    rest = getattr(ps, loss)(X[~alone, 1:], y[~alone])
    return getattr(ps, loss)(X, y), rest, np.mean(~alone)


@pytest.mark.parametrize("solver", ["cd", "fista"])
@pytest.mark.parametrize("loss", ["Logistic", "Poisson", "Softmax"])
def test_free_parameters_that_grow_without_end_have_a_bound(loss, solver):
    """Its limit is the problem without the samples that they explain."""
    problem, rest, share = separated(loss)
    weights = np.ones(problem.shape)
    weights[:2] = 0.0
    found = ps.solve(problem, ps.L1(0.05, weights=weights), solver=solver)
    limit = ps.solve(rest, ps.L1(0.05 / share, weights=weights[1:]), tol=1e-10)
    assert found.converged
    assert found.n_iter <= 2000
    bound = found.objective - found.gap * problem.scale
    assert bound <= share * limit.objective * (1 + 1e-9) <= found.objective * (1 + 1e-9)
