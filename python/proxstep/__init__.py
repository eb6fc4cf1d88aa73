"""proxstep: the proximal step (gradient, moments, prox) as one native pass over memory.

>>> import numpy as np, proxstep as ps
>>> ps.soft_threshold(np.array([-2.0, 0.3, 1.5]), 0.5)
array([-1.5,  0. ,  1. ])
"""

from typing import TYPE_CHECKING, Any

from . import cuda, schedules
from ._version import __version__
from .config import get_config, get_num_threads, join_threadpoolctl, set_num_threads, show_config
from .groups import Group, SparseGroup
from .history import History
from .nm import NM
from .optimizer import Optimizer
from .penalties import (
    L0,
    L1,
    L1_2,
    L2_3,
    MCP,
    SCAD,
    Box,
    ElasticNet,
    NonNegativeL1,
    Penalty,
    SquaredL2,
)
from .problems import Huber, LeastSquares, Logistic, Poisson, Problem, Softmax
from .projections import L1Ball, LinfBall, Projection, Simplex
from .quantize import Quantize
from .rules import (
    FISTA,
    FTRL,
    RDA,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Lion,
    Momentum,
    Muon,
    Nesterov,
    Rule,
    State,
)
from .solvers import ConvergenceWarning, ManyResult, Result, solve, solve_many
from .step import StepInfo, global_norm, prox, soft_threshold, step
from .top_k import TopK
from .train import train

if TYPE_CHECKING:
    from .paths import CrossValidation, Path, cross_validate, path

join_threadpoolctl()

_PATHS = frozenset(["CrossValidation", "Path", "cross_validate", "path"])


def __getattr__(name: str) -> Any:
    """Import paths and cross-validation when they are first asked for: not everyone's import."""
    if name not in _PATHS:
        raise AttributeError(f"module 'proxstep' has no attribute {name!r}")
    from . import paths

    return getattr(paths, name)


__all__ = [
    "FISTA",
    "FTRL",
    "L0",
    "L1",
    "L1_2",
    "L2_3",
    "MCP",
    "NM",
    "RDA",
    "SCAD",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Box",
    "ConvergenceWarning",
    "CrossValidation",
    "ElasticNet",
    "Group",
    "History",
    "Huber",
    "L1Ball",
    "LeastSquares",
    "LinfBall",
    "Lion",
    "Logistic",
    "ManyResult",
    "Momentum",
    "Muon",
    "Nesterov",
    "NonNegativeL1",
    "Optimizer",
    "Path",
    "Penalty",
    "Poisson",
    "Problem",
    "Projection",
    "Quantize",
    "Result",
    "Rule",
    "Simplex",
    "Softmax",
    "SparseGroup",
    "SquaredL2",
    "State",
    "StepInfo",
    "TopK",
    "__version__",
    "cross_validate",
    "cuda",
    "get_config",
    "get_num_threads",
    "global_norm",
    "path",
    "prox",
    "schedules",
    "set_num_threads",
    "show_config",
    "soft_threshold",
    "solve",
    "solve_many",
    "step",
    "train",
]
