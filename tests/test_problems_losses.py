"""Laws of single losses: counts, outliers, many outputs, and known parts of the margins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest
from proxstep import _core

kinds = pytest.mark.parametrize("kind", cases.KINDS)
intercepts = pytest.mark.parametrize("intercept", [False, True])


@kinds
def test_a_problem_names_its_loss_in_the_core(kind):
    d = cases.data(kind)
    spec = cases.problem(d).loss_spec
    if d.name == "Softmax":
        assert spec is None
        return
    name, settings = spec
    assert name in _core.loss_names()
    assert settings == ([d.delta] if d.name == "Huber" else [])


@kinds
def test_an_offset_is_a_column_whose_parameter_is_1(kind):
    """And a constant one moves the fitted intercept only."""
    d, rng = cases.data(kind, weighted=True), np.random.default_rng(4)
    known = rng.normal(0.2, 0.8, len(d.X))
    x, b = rng.normal(0.1, 0.4, d.shape), rng.normal(-0.3, 0.3, d.shape[1:])
    wide = replace(d, X=np.column_stack([d.X, known]))
    both = (known[:, None] if d.outputs else known) + (0 if d.offset is None else d.offset)
    both = np.ascontiguousarray(np.broadcast_to(both, (len(d.X), *d.shape[1:])))
    offset, column = cases.problem(replace(d, offset=both)), cases.problem(wide)
    one = np.concatenate([x, np.ones((1, *d.shape[1:]))])
    assert offset.value(x, b) == pytest.approx(column.value(one, b), rel=1e-13)
    np.testing.assert_allclose(offset.gradient(x, b)[0], column.gradient(one, b)[0][:-1], 1e-9)
    shifted = cases.problem(replace(d, offset=both + 0.7))
    want, got = (ps.solve(p, ps.L1(0.03), tol=1e-10) for p in (offset, shifted))
    np.testing.assert_allclose(got.x, want.x, atol=1e-5)
    shift = 0.0 if d.name == "Softmax" else 0.7  # of all classes alike
    np.testing.assert_allclose(np.add(got.intercept, shift), want.intercept, atol=1e-5)


@pytest.mark.parametrize("penalty", [ps.L1(0.05), ps.SquaredL2(0.2), None], ids=repr)
def test_an_exposure_is_an_offset_or_a_weight(penalty):
    """Counts at exposure t with the offset log t are rates of weight t."""
    d, rng = cases.data("Poisson"), np.random.default_rng(5)
    t = rng.uniform(0.2, 3.0, len(d.X))
    counts = rng.poisson(t * np.exp(0.3 * d.X[:, 0])).astype(float)
    scaled = penalty and replace(penalty, lam=penalty.lam * t.mean())
    offset = ps.solve(ps.Poisson(d.X, counts, offset=np.log(t)), scaled, tol=1e-12)
    weight = ps.solve(ps.Poisson(d.X, counts / t, t), penalty, tol=1e-12)
    np.testing.assert_allclose(offset.x, weight.x, atol=1e-5)
    assert offset.intercept == pytest.approx(weight.intercept, abs=1e-5)
    assert offset.objective == pytest.approx(t.mean() * weight.objective, rel=1e-9)


def test_outputs_of_least_squares_are_apart_unless_the_penalty_joins_them():
    d = cases.data("LeastSquares tasks", weighted=True)
    together = ps.solve(cases.problem(d), ps.L1(0.07), tol=1e-12)
    apart = [
        ps.solve(ps.LeastSquares(d.X, d.y[:, k], d.w, offset=d.offset[:, k]), ps.L1(0.07), 1e-12)
        for k in range(3)
    ]
    np.testing.assert_allclose(together.x, np.column_stack([one.x for one in apart]), atol=1e-5)
    np.testing.assert_allclose(together.intercept, [one.intercept for one in apart], atol=1e-5)
    assert together.objective == pytest.approx(sum(one.objective for one in apart), rel=1e-11)
    single = ps.solve(ps.LeastSquares(d.X, d.y[:, :1]), ps.L1(0.07), tol=1e-12)
    assert (single.x.shape, single.intercept.shape) == ((6, 1), (1,))
    lam = 0.6 * cases.problem(d).lambda_max(ps.Group(ps.L1(1.0), "rows"))
    row = ps.solve(cases.problem(d), ps.Group(ps.L1(lam), "rows"), tol=1e-10).x
    assert 0 < np.count_nonzero(row.any(axis=1)) < 6


class TestHuber:
    def test_a_far_delta_is_least_squares(self):
        d = cases.data("LeastSquares", weighted=True)
        far = ps.solve(ps.Huber(d.X, d.y, d.w, delta=1e6), ps.L1(0.07), tol=1e-12)
        plain = ps.solve(cases.problem(d), ps.L1(0.07), tol=1e-12)
        np.testing.assert_allclose(far.x, plain.x, atol=1e-7)
        assert far.objective == pytest.approx(plain.objective, rel=1e-12)

    @intercepts
    def test_an_outlier_pulls_alike_however_far_it_is(self, intercept):
        d = cases.data("LeastSquares")
        found = []
        for error in (30.0, 3e3):
            y = d.y.copy()
            y[4] += error
            problem = ps.Huber(d.X, y, fit_intercept=intercept, delta=0.7)
            found.append(ps.solve(problem, ps.SquaredL2(0.02), tol=1e-13).x)
        np.testing.assert_allclose(found[1], found[0], atol=1e-4)

    @pytest.mark.parametrize("unit", [1e-120, 1e-7, 1e8, 1e120])
    def test_units_do_not_matter(self, unit):
        d = cases.data("Huber", weighted=True)
        plain = ps.solve(cases.problem(d), ps.L1(0.05), tol=1e-10)
        scaled = replace(d, y=d.y * unit, offset=d.offset * unit, delta=d.delta * unit)
        result = ps.solve(cases.problem(scaled), ps.L1(0.05 * unit), tol=1e-10)
        assert result.converged
        np.testing.assert_allclose(result.x / unit, plain.x, rtol=1e-6, atol=1e-7)

    @pytest.mark.parametrize("delta", [1e-3, 0.05, 3.0])
    @pytest.mark.parametrize("gap", [0.0, 1e3, 1e9])
    def test_the_intercept_is_found_where_the_slope_is_flat(self, delta, gap):
        """Two far clusters: between them no sample bends, and Newton's step has no length."""
        rng = np.random.default_rng(6)
        linear = rng.normal(0, 1, 101) + gap * (np.arange(101) % 2)
        problem = ps.Huber(linear[:, None], rng.normal(0, 1, 101), delta=delta)
        for x in (1.0, -3.0):
            at = problem.evaluate_at([x])
            assert abs(at.residual.sum()) <= 1e-14 * delta + 1e-15 * gap

    @pytest.mark.parametrize("delta", [0.003, 0.1, 1.0])
    @pytest.mark.parametrize("n", [9, 40])
    def test_the_gap_is_true_where_few_samples_bend(self, n, delta):
        """Without a penalty, and with one that leaves parameters free."""
        d = replace(cases.data("LeastSquares", n=n), name="Huber", delta=delta)
        problem, free = cases.problem(d), ps.L1(0.01, weights=[0, 1.3, 0, 0.7, 0, 0])
        rng = np.random.default_rng(7)
        for penalty in (ps.L1(0.0), free):
            best = ps.solve(problem, penalty, tol=1e-9)
            assert best.converged
            for scale in (0, 1e-4, 1e-2, 1.0):
                x = best.x + rng.normal(0, scale, 6)
                above = problem.value(x) + penalty.value(x) - best.objective
                assert above >= -1e-9 * problem.scale
                assert problem.duality_gap(x, penalty) >= above / problem.scale - 1e-9


class TestPoisson:
    @pytest.mark.parametrize("solver", ["cd", "fista"])
    def test_the_curvature_has_no_bound_and_far_starts_come_back(self, solver):
        d = cases.data("Poisson rates")
        for intercept in (False, True):
            problem = cases.problem(d, fit_intercept=intercept)
            assert problem.lipschitz() == np.inf
            want = ps.solve(problem, ps.L1(0.02), tol=1e-10)
            for far in (np.full(6, 3.0), np.full(6, -20.0)):
                got = ps.solve(problem, ps.L1(0.02), tol=1e-10, x0=far, solver=solver)
                assert got.converged
                np.testing.assert_allclose(got.x, want.x, atol=1e-4)
                assert (np.diff(got.history.objective[1:]) <= 1e-14).all()  # the first is of zeros

    def test_a_start_beyond_the_exponential_is_refused_or_balanced(self):
        d = cases.data("Poisson")
        far = np.full(6, 1e4)
        assert cases.problem(d).value(far, 0.0) == np.inf
        with pytest.raises(ValueError, match="the loss is inf at x0; start nearer to 0"):
            ps.solve(cases.problem(d, fit_intercept=False), ps.L1(0.02), x0=far)
        assert np.isfinite(cases.problem(d).value(far))
        assert ps.solve(cases.problem(d), ps.L1(0.02), x0=far / 100, tol=1e-8).converged

    def test_the_loss_is_zero_at_a_perfect_fit_and_the_null_deviance_is_the_unit(self):
        d = cases.data("Poisson rates", weighted=True)
        perfect = ps.Poisson(d.X, np.exp(d.X[:, 0] - 0.3), d.w)
        assert 0 <= perfect.value(np.eye(6)[0], -0.3) <= 1e-30
        mean = float(d.shares @ d.y)
        null = float((d.shares * d.y * np.log(d.y / mean)).sum())
        assert ps.Poisson(d.X, d.y, d.w).scale == pytest.approx(null, rel=1e-12)

    @intercepts
    def test_large_counts_keep_the_certificate(self, intercept):
        """Where y log y is a million times the deviance, gaps of 1e-9 of it are still reached."""
        d = cases.data("Poisson")
        y = np.round(1e6 * np.exp(1e-3 * (d.X[:, 0] + 0.1 * d.X[:, 1])))
        problem = ps.Poisson(d.X / 100, y, fit_intercept=intercept, offset=np.full(37, 13.0))
        result = ps.solve(problem, ps.SquaredL2(0.3), tol=1e-9)
        assert result.converged
        by_x, _ = problem.gradient(result.x, result.intercept)
        np.testing.assert_allclose(by_x, -0.3 * result.x, atol=2e-2)

    def test_only_zeros_are_refused_where_the_intercept_needs_a_count(self):
        d = cases.data("Poisson")
        zeros = np.zeros(37)
        with pytest.raises(ValueError, match=r"every count is zero .* or fit_intercept=False"):
            ps.solve(ps.Poisson(d.X, zeros), ps.L1(0.1))
        absent = ps.Poisson(d.X, np.eye(37)[0]).with_weights(np.arange(37))
        with pytest.raises(ValueError, match="every count is zero"):
            absent.lambda_max(ps.L1(1.0))
        plain = ps.Poisson(d.X, zeros, fit_intercept=False)
        assert ps.solve(plain, ps.SquaredL2(0.1)).converged


@pytest.mark.parametrize(("make", "fit"), [(ps.Huber, float), (ps.Poisson, np.log)])
@pytest.mark.parametrize("value", [1e-8, 1.0, 1 + 1e-9, 0.1, 3.7e8])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_constant_y_is_its_own_fit(make, fit, value, dtype):
    X = cases.data("Huber").X.astype(dtype)
    for penalty in (None, ps.L1(0.1), ps.SquaredL2(0.1)):
        result = ps.solve(make(X, np.full(37, value)), penalty)
        assert result.converged
        assert result.intercept == pytest.approx(fit(value), rel=1e-6, abs=1e-7)
        assert make(X, np.full(37, value)).scale > 0


@pytest.mark.parametrize("weighted", [False, True])
def test_the_second_derivative_by_the_intercepts_is_that_of_the_residual(weighted):
    rng = np.random.default_rng(11)
    w = rng.uniform(0.2, 2.0, 40) if weighted else None
    P = ps.Softmax(rng.standard_normal((40, 3)), rng.integers(4, size=40), w, classes=4)
    margins = rng.standard_normal((40, 4))
    got = P.offset_hessian(P._pointwise(margins)[1])
    units = 1e-6 * np.eye(4)
    sums = [[P._pointwise(margins + s * e)[1].sum(axis=0) for e in units] for s in (1, -1)]
    np.testing.assert_allclose(got, np.subtract(*sums) / 2e-6, 1e-6, 1e-8)


@pytest.mark.parametrize("offset", [None, np.arange(120.0).reshape(40, 3) / 50])
def test_the_size_of_a_loss_is_that_of_margins_that_know_nothing(offset):
    rng = np.random.default_rng(12)
    P = ps.Softmax(rng.standard_normal((40, 2)), rng.integers(3, size=40), offset=offset)
    np.testing.assert_allclose(P._size_of_loss, P.value(np.zeros((2, 3)), np.zeros(3)), 1e-14)
