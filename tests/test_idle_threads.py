"""Solvers leave no thread of BLAS spinning on the processors that the core's threads need."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = """
import time
import numpy as np
import scipy.sparse
import proxstep as ps

rng = np.random.default_rng(0)
n, p = {shape}
X = rng.standard_normal((n, p), "float32").astype("float64") * (rng.random((n, p)) < 0.1)
X = {given}
problem = {problem}
time.sleep(0.3)  # what NumPy's own work left spinning comes to rest
ps.solve(problem, ps.L1(0.3 * problem.lambda_max(ps.L1(1.0))))
before = time.process_time()
time.sleep(0.1)
print(time.process_time() - before)
"""
LEAST_SQUARES = "ps.LeastSquares(X, rng.standard_normal(n))"
SOFTMAX = "ps.Softmax(X, rng.integers(20, size=n))"


@pytest.mark.parametrize(
    ("shape", "given", "problem"),
    [
        pytest.param((50, 20_000), "np.asfortranarray(X)", LEAST_SQUARES, id="many columns"),
        pytest.param((20_000, 30), "X", LEAST_SQUARES, id="many rows"),
        pytest.param((4000, 50), "scipy.sparse.csc_array(X)", SOFTMAX, id="softmax"),
    ],
)
def test_after_a_fit_no_thread_is_busy(shape: tuple[int, int], given: str, problem: str) -> None:
    code = CODE.format(shape=shape, given=given, problem=problem)
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert float(done.stdout) < 0.05
