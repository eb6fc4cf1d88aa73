"""Native products of a lent matrix: X' r and X x in float64, whatever X is stored in."""

from __future__ import annotations

from typing import Any

import numpy as np
import proxstep as ps
import pytest
from loss_cases import on_every_path
from proxstep import _core
from refusals import refused

sp = pytest.importorskip("scipy.sparse")

LAYOUTS = ("C", "F", "csr int32", "csr int64", "csc int32", "csc int64")
SHAPES = [(1, 1), (1, 9), (9, 1), (23, 57), (400, 70), (1500, 130), (6, 0)]
OUTPUTS = [None, 1, 3, 17]


def values(shape: tuple[int, int], dtype: str) -> Any:
    rng = np.random.default_rng(shape[0])
    X = rng.normal(0.3, 1.7, shape) * (rng.random(shape) < 0.4)
    X[:, 2::7] = 0.0  # empty columns
    X[3::11] = 0.0
    return X.astype(dtype)


def lent(X: Any, layout: str) -> Any:
    if len(layout) == 1:
        return _core.Matrix(np.array(X, order=layout))  # type: ignore[call-overload]
    kind, index = layout.split()
    S = getattr(sp, f"{kind}_array")(X)
    return _core.Matrix(S.data, S.indices.astype(index), S.indptr.astype(index), X.shape, kind)


def vectors(rows: int, outputs: int | None, zeros: int = 5) -> Any:
    r = np.random.default_rng(rows + 1).normal(0.2, 1.3, (rows, outputs or 1))
    r[::zeros] = 0.0
    return r if outputs else r[:, 0].copy()


def columns(p: int) -> list[Any]:
    mixed = np.random.default_rng(p).permutation(p)
    return [None, mixed[: p // 2 + 1], mixed[: p // 20], mixed[:0]]


def close(got: Any, exact: Any, bound: Any) -> None:
    assert got.shape == exact.shape
    assert (abs(got - exact) <= 1e-14 * (1 + bound)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_adjoint_is_numpys(shape: tuple[int, int], layout: str, dtype: str) -> None:
    X = values(shape, dtype)
    matrix = lent(X, layout)
    for k in OUTPUTS:
        for chosen in columns(shape[1]):
            of = X.astype(float) if chosen is None else X.astype(float)[:, chosen]
            r = vectors(shape[0], k)
            out = np.full((of.shape[1], *r.shape[1:]), np.nan)
            _core.adjoint(matrix, r, out, chosen)
            close(out, of.T @ r, abs(of).T @ abs(r))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_product_is_added_to_the_margins(shape: tuple[int, int], layout: str, dtype: str) -> None:
    X = values(shape, dtype)
    matrix = lent(X, layout)
    for k in OUTPUTS:
        for chosen in columns(shape[1]):
            of = X.astype(float) if chosen is None else X.astype(float)[:, chosen]
            for zeros in (1, 3, 10_000):  # all rows of x, some, or the first alone
                x, before = vectors(of.shape[1], k, zeros), vectors(shape[0], k)
                margins = before.copy()
                _core.add_product(matrix, x, margins, chosen)
                close(margins, before + of @ x, abs(of) @ abs(x) + abs(before))


@pytest.mark.parametrize("outputs", [None, 3, 17])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(1900, 300), (300, 1900)])
def test_bits_do_not_depend_on_threads_or_instruction_set(
    shape: tuple[int, int], layout: str, outputs: int | None
) -> None:
    matrix = lent(values(shape, "float32"), layout)
    r, x = vectors(shape[0], outputs), vectors(shape[1], outputs)

    def both() -> bytes:
        out, margins = np.zeros_like(x), r.copy()
        _core.adjoint(matrix, r, out)
        _core.add_product(matrix, x, margins)
        return out.tobytes() + margins.tobytes()

    assert len(set(on_every_path(both))) == 1


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(1900, 300), (70, 2500)])
def test_bits_of_moments_do_not_depend_on_threads_or_instruction_set(
    shape: tuple[int, int], layout: str, weighted: bool
) -> None:
    matrix = lent(values(shape, "float32"), layout)
    shares = np.random.default_rng(9).dirichlet(np.ones(shape[0])) if weighted else None

    def moments() -> bytes:
        means, out = np.empty(shape[1]), np.empty(shape[1])
        _core.mean_squares(matrix, out, shares, means)
        return means.tobytes() + out.tobytes()

    assert len(set(on_every_path(moments))) == 1


@pytest.mark.parametrize("layout", ["csr", "csc"])
def test_sums_that_leave_the_cache_are_taken_in_stretches(layout: str) -> None:
    S = sp.random_array((300, 40_000), density=0.003, format="csr", rng=7)
    X = S if layout == "csr" else sp.csc_array(S.T)
    matrix = _core.Matrix(X.data, X.indices, X.indptr, X.shape, layout)
    small, large = vectors(300, 17, 40), np.zeros((40_000, 17))
    if layout == "csr":
        _core.adjoint(matrix, small, large)
    else:
        _core.add_product(matrix, small, large)
    close(large, S.T @ small, abs(S).T @ abs(small))


@pytest.mark.parametrize("outputs", [None, 3])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_columns_without_a_coefficient_are_not_read(layout: str, outputs: int | None) -> None:
    if layout.startswith("csr"):
        pytest.skip("a row of CSR is read as a whole")
    X = values((40, 90), "float64")
    X[:, 7] = np.nan
    x, margins = (
        vectors(90, outputs) * (np.arange(90) % 30 == 1).reshape(90, *[1] * bool(outputs)),
        0,
    )
    margins = vectors(40, outputs)
    _core.add_product(lent(X, layout), x, margins)
    assert np.isfinite(margins).all()


@pytest.mark.parametrize("layout", ["C", "F", "csr", "csc"])
def test_a_float32_problem_is_certified_in_float64(layout: str) -> None:
    X = values((200, 300), "float32")
    given = np.array(X, order=layout) if len(layout) == 1 else sp.csr_array(X).asformat(layout)  # type: ignore[call-overload]
    design = ps.LeastSquares(given, np.arange(200)).design
    double = design.in_double()
    centred = X.astype(float) - X.astype(float).mean(axis=0)
    for k in (None, 4):
        r, x = vectors(200, k), vectors(300, k, 2)
        close(double.adjoint(r), centred.T @ r, abs(centred).T @ abs(r))
        close(double.product(x), centred @ x, abs(centred) @ abs(x))
    assert double.X is design.X


def test_bad_arguments_are_refused() -> None:
    matrix = lent(values((8, 5), "float64"), "F")
    r, out = vectors(8, None), np.zeros(5)
    with refused(TypeError, "residual has dtype float32; float64", keep=[out]):
        _core.adjoint(matrix, r.astype("float32"), out)
    with refused(ValueError, r"residual has shape \(7,\); \(8,\) or \(8, k\)", keep=[out]):
        _core.adjoint(matrix, r[1:], out)
    with refused(ValueError, r"out has shape \(4,\); \(5,\) or"):
        _core.adjoint(matrix, r, out[:4])
    with refused(ValueError, r"out has shape \(5,\), residual has shape \(8, 2\); .*as many"):
        _core.adjoint(matrix, vectors(8, 2), out)
    with refused(ValueError, r"margins is not in C order"):
        _core.add_product(matrix, vectors(5, 2), np.zeros((8, 2), order="F"))
    with refused(ValueError, "margins is read-only"):
        _core.add_product(matrix, out, np.broadcast_to(r, (1, 8))[0])
    with refused(ValueError, "out and residual overlap"):
        _core.adjoint(matrix, r, r[:5])


@pytest.mark.parametrize("bad", [5, -1])
def test_columns_out_of_range_are_refused(bad: int) -> None:
    matrix, out = lent(values((8, 5), "float64"), "C"), np.zeros(2)
    with refused(ValueError, rf"columns\[1\] is {bad}; X has 5", keep=[out]):
        _core.adjoint(matrix, vectors(8, None), out, np.array([0, bad]))
    with refused(TypeError, "columns has shape .* and dtype int32; .*int64"):
        _core.adjoint(matrix, vectors(8, None), out, np.array([0, 1], "int32"))


def squares(X: Any, shares: Any, means: Any) -> Any:
    w = np.full(len(X), 1 / max(1, len(X))) if shares is None else shares
    return w @ (X.astype(np.float64) - (0.0 if means is None else means)) ** 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_mean_squares_are_numpys(shape: tuple[int, int], layout: str, dtype: str) -> None:
    X = values(shape, dtype)
    w = np.random.default_rng(8).uniform(0.1, 1.9, shape[0])
    w[1:] /= 3.7  # not alike
    w /= w.sum()
    for shares in (None, w):
        for means in (None, np.linspace(-1.3, 0.9, shape[1])):
            out = np.full(shape[1], np.nan)
            _core.mean_squares(lent(X, layout), out, shares, means)
            if means is not None:
                each = w if shares is w else np.full(len(X), 1 / len(X))
                np.testing.assert_allclose(means, each @ X.astype(np.float64), atol=1e-14)
            np.testing.assert_allclose(out, squares(X, shares, means), rtol=1e-12)  # added in turn


@pytest.mark.parametrize("layout", ["C", "F"])
def test_far_means_cost_mean_squares_no_digits(layout: str) -> None:
    X = values((700, 9), "float64")
    far = np.array(X + 2.0**33, order=layout)
    means, out = np.empty(9), np.empty(9)
    _core.mean_squares(_core.Matrix(far), out, None, means)
    exact = far - 2.0**33
    np.testing.assert_allclose(out, exact.var(axis=0), rtol=1e-9)
    np.testing.assert_allclose(means - 2.0**33, exact.mean(axis=0), atol=4e-6)


@pytest.mark.parametrize("layout", ["C", "F"])
def test_an_outlier_of_hardly_any_weight_costs_mean_squares_no_digits(layout: str) -> None:
    X = np.array(values((700, 1100), "float64"), order=layout)  # type: ignore[call-overload]
    X[0, [3, 1050]] = 1e20
    shares = np.r_[1e-60, np.full(699, 1 / 699)]
    means, out = np.empty(1100), np.empty(1100)
    _core.mean_squares(_core.Matrix(X), out, shares, means)
    np.testing.assert_allclose(out, X[1:].var(axis=0), rtol=1e-12)
    np.testing.assert_allclose(means, X[1:].mean(axis=0), atol=1e-14)


@pytest.mark.parametrize("layout", ["C", "F"])
def test_an_outlier_as_the_first_sample_costs_mean_squares_no_digits(layout: str) -> None:
    """The sums are those of distances from it, and little is left of its own."""
    n, columns = 200_000, [3, 30]
    X = np.array(values((n, 40), "float64"), order=layout)  # type: ignore[call-overload]
    X[0, columns] = 1e9
    means, out = np.empty(40), np.empty(40)
    _core.mean_squares(_core.Matrix(X), out, None, means)
    exact = (1 - 1 / n) * (1e9 - X[1:, columns].mean(axis=0)) ** 2 / n + X[1:, columns].var(axis=0)
    np.testing.assert_allclose(out[columns], exact, rtol=1e-11)


@pytest.mark.parametrize("layout", ["C", "F"])
def test_samples_without_a_share_cost_means_no_digits(layout: str) -> None:
    X = np.array(values((700, 9), "float64"), order=layout)  # type: ignore[call-overload]
    X[:2] = 1e13
    w = np.r_[0.0, 0.0, np.full(698, 1 / 698)]
    means, out = np.empty(9), np.empty(9)
    _core.mean_squares(_core.Matrix(X), out, w, means)
    np.testing.assert_allclose(means, X[2:].mean(axis=0), atol=1e-14)
    np.testing.assert_allclose(out, X[2:].var(axis=0), rtol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("layout", ["C", "F"])
def test_moments_tell_of_numbers_that_are_not_finite(layout: str, bad: float) -> None:
    X = np.array(values((130, 9), "float64"), order=layout)
    X[77, 4] = bad
    w = np.ones(130)
    w[60:] = 0.0
    with refused(ValueError, rf"X must be finite in float64, X\[77, 4\] is {bad}"):
        ps.LeastSquares(X, np.zeros(130), w)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_outputs_leave_nothing_to_do(layout: str) -> None:
    matrix = lent(values((9, 4), "float64"), layout)
    _core.adjoint(matrix, np.empty((9, 0)), np.empty((4, 0)))
    _core.add_product(matrix, np.empty((4, 0)), np.empty((9, 0)))


@pytest.mark.parametrize("layout", ["C", "F"])
def test_a_few_long_columns_are_cut_for_several_outputs(layout: str) -> None:
    X = np.array(values((9000, 5), "float64"), order=layout)  # type: ignore[call-overload]
    r, out = vectors(9000, 3), np.full((5, 3), np.nan)
    _core.adjoint(_core.Matrix(X), r, out)
    np.testing.assert_allclose(out, X.T @ r, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e150, 1e-150])
@pytest.mark.parametrize("layout", ["C", "F"])
def test_moments_of_huge_and_tiny_numbers(layout: str, scale: float) -> None:
    X = np.array(values((700, 9), "float64"), order=layout)  # type: ignore[call-overload]
    means, out = np.empty(9), np.empty(9)
    _core.mean_squares(_core.Matrix(scale * X), out, None, means)
    np.testing.assert_allclose(out / scale**2, X.var(axis=0), rtol=1e-12)
    np.testing.assert_allclose(means / scale, X.mean(axis=0), atol=1e-14)


def test_mean_squares_refuse_what_does_not_fit() -> None:
    with refused(ValueError, "the matrix has no samples; mean squares need one"):
        _core.mean_squares(_core.Matrix(np.empty((0, 4))), np.empty(4))
    matrix = lent(values((9, 4), "float64"), "F")
    with refused(ValueError, r"out has shape \(3,\); \(4,\) in C order is needed"):
        _core.mean_squares(matrix, np.empty(3))
    with refused(ValueError, r"shares has shape \(4,\); \(9,\) in C order is needed"):
        _core.mean_squares(matrix, np.empty(4), np.ones(4))
    with refused(TypeError, "means has dtype float32; float64 is needed"):
        _core.mean_squares(matrix, np.empty(4), None, np.ones(4, np.float32))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_constant_columns_are_found_however_long(layout: str, weighted: bool) -> None:
    X = np.random.default_rng(3).standard_normal((100_000, 2))
    X[:, 0] = 0.1
    w = np.random.default_rng(4).uniform(0.1, 1.9, len(X)) if weighted else None
    sparse = getattr(sp, f"{layout[:3]}_array", None)
    X = sparse(X) if sparse else np.array(X, order=layout)  # type: ignore[call-overload]
    problem = ps.LeastSquares(X, np.arange(100_000) % 7, w, standardize=True)
    assert problem.design.constant.tolist() == [True, False]
    assert problem.design.adjoint(np.linspace(-1.0, 2.0, 100_000))[0] == 0.0


def test_a_matrix_takes_factors_once() -> None:
    matrix = _core.Matrix(np.ones((3, 2))).times(np.array([2.0, 3.0]))
    with refused(ValueError, "the matrix has factors already"):
        matrix.times(np.ones(2))
