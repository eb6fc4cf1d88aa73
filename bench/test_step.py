"""The cases of the report as benchmarks of their own, small ones and (id "large") big ones."""

from __future__ import annotations

from functools import partial

import pytest
from call_cases import many_arrays, soft_threshold_call, step_call
from contest import OURS
from single import SIZES, time_one
from step_cases import (
    NUMPY,
    NUMPY_COPY,
    NUMPY_OUT,
    SHRUNK,
    TORCH_ADAMW,
    TORCH_COPY,
    TORCH_SGD,
    TRIAD,
    adam,
    fista,
    momentum,
    sgd,
    soft_threshold,
)

FORMS = [OURS, NUMPY, NUMPY_OUT]
SGDS = [TORCH_SGD, TORCH_SGD + SHRUNK]
ADAMWS = [TORCH_ADAMW, TORCH_ADAMW + SHRUNK]


@SIZES
@pytest.mark.parametrize("name", [*FORMS, f"{OURS}, euclidean", *ADAMWS, TRIAD])
def test_adam(benchmark, threads, n, name):
    time_one(benchmark, partial(adam, n), name)


@SIZES
@pytest.mark.parametrize("name", FORMS)
def test_fista(benchmark, threads, n, name):
    time_one(benchmark, partial(fista, n), name)


@SIZES
@pytest.mark.parametrize("make", [momentum, sgd])
@pytest.mark.parametrize("name", [*FORMS, *SGDS])
def test_gradient_steps(benchmark, threads, n, make, name):
    time_one(benchmark, partial(make, n), name)


@SIZES
@pytest.mark.parametrize(
    "name", [OURS, NUMPY_OUT, NUMPY_COPY, "torch softshrink, in place", TORCH_COPY]
)
def test_soft_threshold(benchmark, threads, n, name):
    time_one(benchmark, partial(soft_threshold, n), name)


@pytest.mark.parametrize("name", [OURS, NUMPY_OUT, "torch softshrink, in place"])
def test_soft_threshold_call(benchmark, name):
    time_one(benchmark, soft_threshold_call, name)


@pytest.mark.parametrize("name", [OURS, NUMPY_OUT, *ADAMWS])
def test_step_call(benchmark, name):
    time_one(benchmark, step_call, name)


@pytest.mark.parametrize("library", [OURS, *ADAMWS])
def test_many_arrays(benchmark, threads, library):
    time_one(benchmark, partial(many_arrays, 20, 8000), f"{library}, 20 arrays of 8000")
