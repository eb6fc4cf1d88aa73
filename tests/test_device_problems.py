"""Problems and solve on arrays in CUDA memory, compared with NumPy without a device.

The arrays refuse everything that CuPy refuses, and count what goes to the host.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest
from device import DeviceArray, check_sentinels, on_device
from device_library import Operators
from proxstep.namespace import libraries

pytestmark = pytest.mark.usefixtures("emulation")
kinds = pytest.mark.parametrize("kind", cases.KINDS)
SOME = ("L1 weighted", "ElasticNet", "Box", "Group segments", "SparseGroup", "Simplex", "LinfBall")
PENALTIES = [c for c in cases.CONVEX if c.name in SOME]
PENALTIES.append(cases.Convex("MCP", lambda _: ps.MCP(0.08), np.copyto))  # no oracle is asked


def there(a: Any) -> Any:
    return None if a is None else on_device(np.asarray(a))


def on_both(d: Any, dtype: str = "float64", order: str = "C", **settings: Any) -> tuple[Any, Any]:
    """The problem on the host and on the device."""
    X = np.array(d.X, dtype, order=order)
    make = getattr(ps, d.name)
    arrays = DeviceArray(X.copy("K")), there(d.y), there(d.w)
    host = make(X, d.y, d.w, **settings, **d.settings)
    return host, make(*arrays, **settings, **cases.settings_there(d, there))


def assert_same_solution(got: Any, want: Any, tol: float) -> None:
    assert got.reason == want.reason
    assert got.certificate == want.certificate
    assert isinstance(got.x, DeviceArray)
    assert (got.x.dtype, got.x.shape) == (want.x.dtype, want.x.shape)
    assert all(type(v) is float for v in (got.objective, got.gap))
    assert type(got.intercept) is (float if want.x.ndim == 1 else DeviceArray)
    assert got.gap <= tol
    np.testing.assert_allclose(got.objective, want.objective, tol)
    np.testing.assert_allclose(got.x.host, want.x, 0, 30 * np.sqrt(tol))
    b = got.intercept if isinstance(got.intercept, float) else got.intercept.host
    np.testing.assert_allclose(b, want.intercept, 0, 30 * np.sqrt(tol))


@kinds
@cases.each(PENALTIES)
def test_the_solution_is_that_of_numpy(kind: str, case: Any) -> None:
    """With and without weights and an intercept, so that each meets each."""
    turn = cases.KINDS.index(kind) + PENALTIES.index(case)
    d = cases.data(kind, weighted=turn % 2 == 0)
    host, device = on_both(d, fit_intercept=turn % 4 < 2)
    penalty = case.make(d.shape)
    got, want = (ps.solve(p, penalty, tol=1e-9, solver="fista") for p in (device, host))
    assert_same_solution(got, want, 1e-9)  # of MCP there are several, one for each solver


@kinds
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("weighted", [False, True])
def test_float32_is_certified_in_float64(kind: str, order: str, weighted: bool) -> None:
    d = cases.data(kind, weighted)
    host, device = on_both(d, "float32", order)
    penalty = ps.L1(0.07, weights=np.resize([0.7, 1.9, 0.4, 0.0], d.shape))
    got = ps.solve(device, penalty, tol=1e-6)
    assert_same_solution(got, ps.solve(host, penalty, tol=1e-6), 2e-6)


@kinds
@pytest.mark.parametrize("intercept", [False, True])
def test_values_gradients_and_bounds_are_those_of_numpy(kind: str, intercept: bool) -> None:
    d = cases.data(kind, weighted=True)
    host, device = on_both(d, fit_intercept=intercept)
    rng = np.random.default_rng(5)
    x, b = rng.normal(0.1, 0.6, d.shape), rng.normal(-0.3, 0.8, d.shape[1:])
    for given in ((x, b), (x,)):
        value = device.value(*map(there, given))
        np.testing.assert_allclose(value, host.value(*given), 1e-12)
        for got, want in zip(
            device.gradient(*map(there, given)), host.gradient(*given), strict=True
        ):
            np.testing.assert_allclose(got.host, want, 1e-10, 1e-13)
    h = ps.L1(0.1)
    np.testing.assert_allclose(device.lipschitz(), host.lipschitz(), 1e-12)
    np.testing.assert_allclose(device.lambda_max(h), host.lambda_max(h), 1e-12)
    free = ps.L1(0.1, weights=np.resize([0.0, 1.3, 0.0, 0.7], d.shape))
    for penalty in (h, free):
        gap = device.duality_gap(there(x), penalty)
        np.testing.assert_allclose(gap, host.duality_gap(x, penalty), 1e-10)
    assert repr(device) == repr(host)


@kinds
def test_columns_are_divided_where_they_lie(kind: str) -> None:
    d = cases.data(kind, weighted=True)
    d = replace(d, X=d.X * [1e-3, 0.0, 1.0, 0.2, 40.0, 7.0] + [0.0, 1.7, 0.0, 0.0, 0.0, 0.0])
    host, device = on_both(d, standardize=True)
    penalty = ps.L1(0.05, weights=np.resize([0.7, 0.0, 1.9], d.shape))
    got, want = (ps.solve(p, penalty, tol=1e-9, solver="fista") for p in (device, host))
    assert_same_solution(got, want, 1e-9)
    assert not got.x.host[1].any()


@pytest.mark.parametrize("shape", [(50, 20), (20, 50)])
def test_the_bound_of_a_large_x(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    host, device = on_both(cases.data("LeastSquares", True, *shape), "float32")
    np.testing.assert_allclose(device.lipschitz(), host.lipschitz(), 1e-6)
    monkeypatch.setattr("proxstep.problems.spectrum._EXACT_WORK", 0)
    np.testing.assert_allclose(device.lipschitz(), host.lipschitz(), 1e-6)


@pytest.mark.parametrize("shape", [(50, 20), (20, 50)])
def test_a_matrix_of_many_blocks(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    host, _ = on_both(cases.data("LeastSquares", True, *shape), "float32")
    want = ps.solve(host, ps.L1(0.1)).objective, host.lipschitz()
    for library in (libraries.NumPy, libraries.CuPy):
        monkeypatch.setattr(library, "block", 130)
    for problem in on_both(cases.data("LeastSquares", True, *shape), "float32"):
        got = ps.solve(problem, ps.L1(0.1)).objective, problem.lipschitz()
        np.testing.assert_allclose(got, want, 2e-6)
        np.testing.assert_allclose(problem.design.scales, host.design.scales, 1e-12)


def test_a_warm_start_is_left_alone() -> None:
    host, device = on_both(cases.data("LeastSquares"))
    cold = ps.solve(host, ps.L1(0.05), tol=1e-11)
    x0 = there(cold.x)
    before = x0.host.copy()
    result = ps.solve(device, ps.L1(0.05), tol=1e-9, x0=x0)
    assert result.n_iter == 0 < cold.n_iter
    np.testing.assert_array_equal(x0.host, before)
    check_sentinels(x0.host)
    assert "parameters are not zero" in repr(result)


def test_penalties_of_users_are_given_device_arrays() -> None:
    class Halves:
        def value(self, x: Any) -> float:
            return 0.13 * float((x * x).get().sum()) / 2

        def prox(self, z: Any, step: float) -> Any:
            return z / (1 + 0.13 * step)

    host, device = on_both(cases.data("LeastSquares"), "float32")
    want = ps.solve(host, ps.SquaredL2(0.13), tol=1e-9 if host.dtype == "f8" else 1e-6)
    np.testing.assert_allclose(ps.solve(device, Halves()).x.host, want.x, 0, 1e-4)


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_an_iteration_reads_a_few_numbers(fit_intercept: bool) -> None:
    """Six reads at an iteration that takes its first step: two losses, h(x), and three tests."""
    _, device = on_both(cases.data("LeastSquares"), fit_intercept=fit_intercept)
    device.null  # noqa: B018
    counts = []
    for most in (12, 18):  # no check in between
        Operators.reads = 0
        with pytest.warns(ps.ConvergenceWarning):
            ps.solve(device, ps.L1(0.02), tol=0.0, max_iter=most)
        counts.append(Operators.reads)
    assert (counts[1] - counts[0]) / 6 <= 6


X = cases.data("LeastSquares").X[:4, :2].copy()
TARGETS = np.array([0.0, 1.0, 0.0, 1.0])
MADE = [ps.LeastSquares, ps.Logistic, ps.Softmax]


class TestRefusals:
    @pytest.mark.parametrize("make", MADE)
    def test_data_in_two_places(self, make: Any) -> None:
        device = "device.DeviceArray in CUDA memory of device 0"
        away = r"pass device_library.asarray\({}\)"
        words = f"y is a numpy.ndarray in CPU memory, X a {device}; " + away.format("y")
        with pytest.raises(ValueError, match=words):
            make(there(X), TARGETS)
        words = "sample_weight is a numpy.ndarray.*" + away.format("sample_weight")
        with pytest.raises(ValueError, match=words):
            make(there(X), there(TARGETS), TARGETS + 1)
        words = rf"y is a {device}, X a numpy.ndarray in CPU memory; .*y.get\(\) of CuPy"
        with pytest.raises(ValueError, match=words):
            make(X, there(TARGETS))
        with pytest.raises(ValueError, match=r"y is .* of device 1, X .* of device 0"):
            make(there(X), DeviceArray(TARGETS, device=1))

    def test_a_start_of_the_host(self) -> None:
        problem = ps.LeastSquares(there(X), there(TARGETS))
        with pytest.raises(ValueError, match=r"x0 is a numpy.ndarray in CPU memory"):
            ps.solve(problem, ps.L1(0.1), x0=np.zeros(2))
        with pytest.raises(ValueError, match=r"x is a numpy.ndarray in CPU memory"):
            problem.value(np.zeros(2))

    def test_train(self) -> None:
        problem = ps.LeastSquares(there(X), there(TARGETS))
        with pytest.raises(TypeError, match=r"train takes .* NumPy arrays, X is a DeviceArray"):
            ps.train(problem, ps.SGD(lr=0.1), None, batch_size=2, epochs=1)

    def test_a_stream_that_the_library_does_not_know(self) -> None:
        problem = ps.LeastSquares(there(X), there(TARGETS))
        x, b = there(np.zeros(2)), there(np.array(0.3))
        with ps.cuda.stream(4711):
            for call in (
                lambda: ps.solve(problem, ps.L1(0.1)),
                lambda: problem.value(x),
                lambda: problem.value(x, b),
            ):
                with pytest.raises(ValueError, match="current stream of X's library"):
                    call()
        assert problem.value(x, b) > 0

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            (np.where(np.arange(8).reshape(4, 2) == 5, np.nan, X), r"X\[2, 1\] is nan"),
            (X.astype(np.float16), "X must be float32 or float64, got float16"),
            (X[0], r"shape \(n, p\) with n > 0, got \(2,\)"),
        ],
    )
    def test_a_bad_matrix(self, values: Any, words: str) -> None:
        with pytest.raises((TypeError, ValueError), match=words):
            ps.LeastSquares(there(values), there(TARGETS))

    @pytest.mark.parametrize(
        ("make", "y", "words"),
        [
            (ps.LeastSquares, [1, 2, np.inf, 4], r"y\[2\] is inf"),
            (ps.Logistic, [0, 1, 2, 1], r"y\[2\] is 2"),
            (ps.Softmax, [0, 1, -1, 2], r"y\[2\] is -1"),
            (ps.Softmax, [[0.5, 0.5]] * 3 + [[0.6, 0.6]], r"row 3 .* the sum 1.2"),
        ],
    )
    def test_bad_targets(self, make: Any, y: Any, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            make(there(X), there(np.array(y, float)))
        with pytest.raises(ValueError, match=words):
            make(there(X), y)  # plain numbers lie nowhere

    def test_bad_weights(self) -> None:
        with pytest.raises(ValueError, match=r"sample_weight\[1\] is -2"):
            ps.LeastSquares(there(X), there(TARGETS), there(np.array([1.0, -2.0, 1.0, 1.0])))
