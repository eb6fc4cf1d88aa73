"""What coordinate descent keeps up to date does not drift away from x."""

from __future__ import annotations

import numpy as np
import proxstep as ps
from proxstep import _core


def test_extrapolations_cost_the_residual_no_digits() -> None:
    rng = np.random.default_rng(0)
    n, p = 400, 600
    Z = rng.standard_normal((n, p))
    X = np.asfortranarray(np.sqrt(0.5) * Z + np.sqrt(0.5) * rng.standard_normal((n, 1)))
    y = X[:, :30] @ rng.standard_normal(30) + 0.1 * rng.standard_normal(n)
    x, gradient, step = np.zeros(p), -X.T @ y / n, n / np.linalg.norm(X, 2) ** 2
    h = ps.L1(1e-3 * float(abs(gradient).max()))
    descent = _core.Descent(_core.Matrix(X), "square", [], y)
    columns = np.arange(p)  # too many at once for a Gram matrix
    _, epochs = descent.run(h.spec, columns, x, np.zeros(n), gradient, 1e-16 * y @ y / n, 20_000)
    assert epochs < 20_000
    moved = h.prox(x - step * (X.T @ (X @ x - y)) / n, step) - x
    assert abs(moved).max() <= 1e-10 * step * h.lam
