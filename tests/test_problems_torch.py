"""Problems and solve on torch tensors, compared with NumPy; on a GPU where there is one."""

from __future__ import annotations

from typing import Any

import numpy as np
import problem_cases as cases
import proxstep as ps
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
kinds = pytest.mark.parametrize("kind", cases.KINDS)
PLACES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def on_both(d: Any, place: str, dtype: str = "float64", **settings: Any) -> tuple[Any, Any]:
    """The problem of NumPy arrays, and of tensors."""
    host = d.X.astype(dtype), d.y, d.w
    there = lambda a: None if a is None else torch.tensor(a, device=place)  # noqa: E731
    make, given = getattr(ps, d.name), cases.settings_there(d, there)
    tensors = make(*(there(a) for a in host), **settings, **given)
    return make(*host, **settings, **d.settings), tensors


@pytest.mark.parametrize("place", PLACES)
@kinds
@cases.each(cases.CONVEX)
def test_the_solution_is_that_of_numpy(kind: str, case: Any, place: str) -> None:
    turn = cases.KINDS.index(kind) + cases.CONVEX.index(case)
    d = cases.data(kind, weighted=turn % 2 == 0)
    host, tensors = on_both(d, place, fit_intercept=turn % 4 < 2)
    penalty = case.make(d.shape)
    want, got = ps.solve(host, penalty, tol=1e-10), ps.solve(tensors, penalty, tol=1e-10)
    assert (got.reason, got.certificate) == (want.reason, want.certificate)
    assert isinstance(got.x, torch.Tensor)
    assert (got.x.dtype, got.x.device.type) == (torch.float64, place)
    assert isinstance(got.intercept, torch.Tensor if d.outputs else float)
    assert all(type(v) is float for v in (got.objective, got.gap))
    np.testing.assert_allclose(got.objective, want.objective, 2e-10)
    x, exact = np.asarray(got.x.cpu()), want.x
    if (case.name, d.name) == ("Box", "Softmax"):  # inside the box all classes may move alike
        x, exact = (v - v.mean(axis=1, keepdims=True) for v in (x, exact))
    np.testing.assert_allclose(x, exact, 0, 1e-5)
    b = got.intercept.cpu() if d.outputs else got.intercept
    np.testing.assert_allclose(b, want.intercept, 0, 1e-5)


@pytest.mark.parametrize("place", PLACES)
@kinds
def test_float32_is_certified_in_float64(kind: str, place: str) -> None:
    d = cases.data(kind, weighted=True)
    penalty = ps.L1(0.07, weights=np.resize([0.7, 0.0, 1.9, 0.4], d.shape))
    host, tensors = on_both(d, place, "float32")
    want, got = ps.solve(host, penalty, tol=1e-6), ps.solve(tensors, penalty, tol=1e-6)
    assert got.x.dtype == torch.float32
    assert got.gap <= 1e-6
    np.testing.assert_allclose(got.objective, want.objective, 2e-6)


@kinds
@pytest.mark.parametrize("weighted", [False, True])
def test_values_gradients_and_bounds_are_those_of_numpy(kind: str, weighted: bool) -> None:
    d = cases.data(kind, weighted)
    host, tensors = on_both(d, "cpu")
    rng = np.random.default_rng(5)
    x, b = rng.normal(0.1, 0.6, d.shape), np.asarray(rng.normal(-0.3, 0.8, d.shape[1:]))
    for given in ((x, b), (x,)):
        there = [torch.from_numpy(a) for a in given]
        np.testing.assert_allclose(tensors.value(*there), host.value(*given), 1e-13)
        for got, want in zip(tensors.gradient(*there), host.gradient(*given), strict=True):
            assert isinstance(got, torch.Tensor)
            np.testing.assert_allclose(got, want, 1e-10, 1e-13)
    h = ps.L1(0.1)
    np.testing.assert_allclose(tensors.lipschitz(), host.lipschitz(), 1e-12)
    np.testing.assert_allclose(tensors.lambda_max(h), host.lambda_max(h), 1e-12)
    free = ps.L1(0.1, weights=np.resize([0.0, 1.3, 0.0, 0.7], d.shape))
    for penalty in (h, free):
        gap = tensors.duality_gap(there[0], penalty)
        np.testing.assert_allclose(gap, host.duality_gap(x, penalty), 1e-10)


def test_x_is_used_as_it_is_and_a_strided_view_is_copied_once() -> None:
    d = cases.data("LeastSquares")
    X = torch.tensor(d.X, requires_grad=True)
    for lent in (X, X.T.contiguous().T):
        assert ps.LeastSquares(lent, d.y).X.data_ptr() == lent.data_ptr()
    view = X.repeat_interleave(2, dim=1)[:, ::2]
    assert ps.LeastSquares(view, torch.tensor(d.y, requires_grad=True)).X.is_contiguous()
    assert X.grad is None


@kinds
def test_the_callers_tensors_stay_as_they_are(kind: str) -> None:
    d = cases.data(kind, weighted=True)
    X, y, w = (torch.tensor(a) for a in (d.X, d.y, d.w))
    ps.solve(getattr(ps, d.name)(X, y, w), ps.L1(0.05))
    for tensor, given in ((X, d.X), (y, d.y), (w, d.w)):
        np.testing.assert_array_equal(tensor, given)


def test_host_data_serve_beside_a_tensor_of_the_host() -> None:
    d = cases.data("Softmax", weighted=True)
    _, tensors = on_both(d, "cpu")
    mixed = ps.Softmax(torch.from_numpy(d.X), d.y.tolist(), d.w)
    assert ps.solve(mixed, ps.L1(0.05)).objective == ps.solve(tensors, ps.L1(0.05)).objective
    back = ps.Softmax(d.X, torch.from_numpy(d.y), d.w[::-1][::-1])
    assert isinstance(ps.solve(back, ps.L1(0.05)).x, np.ndarray)


def test_a_prox_of_a_user_may_return_an_array_of_numpy() -> None:
    _, tensors = on_both(cases.data("LeastSquares"), "cpu")
    want = ps.solve(tensors, ps.SquaredL2(0.13), tol=1e-9).x

    class InNumPy(cases.HalfSquares):
        def value(self, x: Any) -> float:
            return super().value(x.numpy())

        def prox(self, z: Any, step: float) -> Any:
            return super().prox(z.numpy(), step)

    np.testing.assert_allclose(ps.solve(tensors, InNumPy(), tol=1e-9).x, want, 0, 1e-5)


X = torch.tensor(cases.data("LeastSquares").X[:4, :2])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ps.LeastSquares(X.half(), [1, 2, 3, 4]), r"got torch.float16; pass X.double\(\)"),
        (lambda: ps.LeastSquares(X.to_sparse_csr(), [1, 2, 3, 4]), r"sparse_csr; pass X.to_dense"),
        (lambda: ps.LeastSquares(X[0], [1]), r"shape \(n, p\) with n > 0, got \(2,\)"),
        (lambda: ps.LeastSquares(X / 0, [1, 2, 3, 4]), r"X\[0, 0\] is (-inf|inf)"),
        (lambda: ps.LeastSquares(X, torch.ones(3)), r"y has shape \(3,\), expected \(4,\)"),
        (lambda: ps.LeastSquares(X, torch.ones(4) * 1j), "y must be real numbers"),
        (lambda: ps.LeastSquares(X, ["a", "b", "c", "d"]), "y must be real numbers"),
        (lambda: ps.Logistic(X, torch.tensor([0, 1, 2, 1])), r"y\[2\] is 2"),
        (lambda: ps.Softmax(X, torch.tensor([0, 1, -1, 2])), r"y\[2\] is -1"),
        (lambda: ps.Softmax(X, torch.full((4, 2), 0.6)), r"row 0 .* the sum 1.2"),
        (lambda: ps.solve(ps.LeastSquares(X, X[:, 0]), None, x0=torch.ones(3)), "x0 has shape"),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse")
def test_bad_data_are_refused_with_the_values(make: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        make()


@pytest.mark.gpu
def test_data_in_two_places() -> None:
    words = r"y is a torch.Tensor in CPU memory, X .* of device 0; pass torch.asarray\(y, device"
    with pytest.raises(ValueError, match=words):
        ps.LeastSquares(X.cuda(), X[:, 0])
